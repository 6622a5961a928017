package dev.parley.kv.core;

/// What a node writes to its log. Replaying the records in order gives back the durable state.
public sealed interface LogRecord {

  /// The key was accepted at this ballot with this value; replaces what was said of it before.
  record Entry(Key key, Ballot ballot, Versioned value) implements LogRecord {}

  /// The node's own durable numbers; replaces the previous ones.
  ///
  /// @param ceiling at least every counter that was ever promised
  record Meta(long boot, int partition, long minEpoch, long floor, long ceiling)
      implements LogRecord {}

  /// Nothing. Written when the log falls idle, so that the group before it is proven durable.
  record Mark() implements LogRecord {}
}
