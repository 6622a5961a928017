package dev.parley.kv.core;

/// One start of a node.
///
/// @param boot rises with every start on the same disk
/// @param nonce a random number, so that two starts from copies of one disk differ
public record Incarnation(long boot, long nonce) {}
