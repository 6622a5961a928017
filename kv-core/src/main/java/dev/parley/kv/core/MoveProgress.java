package dev.parley.kv.core;

/// How far the node that drives a change of the members has come.
///
/// @param phase what it does: `asking`, `fencing`, `raising`, `moving` or `settling`
/// @param partitions how many move
/// @param partitionsDone how many of them have arrived
/// @param keysMoved keys that have arrived
public record MoveProgress(
    long epoch, String phase, int partitions, int partitionsDone, long keysMoved) {}
