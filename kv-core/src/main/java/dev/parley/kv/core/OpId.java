package dev.parley.kv.core;

/// The name of one intended mutation, the same in all its retries: 128 bits.
public record OpId(long high, long low) {}
