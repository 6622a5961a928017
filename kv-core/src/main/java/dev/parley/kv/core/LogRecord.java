package dev.parley.kv.core;

import java.util.SortedMap;

/// What a node writes to its log. Replaying the records in order gives back the durable state.
public sealed interface LogRecord {

  /// The key was accepted at this ballot with this value; replaces what was said of it before.
  record Entry(Key key, Ballot ballot, Versioned value) implements LogRecord {}

  /// The key's tombstone is gone, and the floor of its partition is at least this.
  record Purged(Key key, long floor) implements LogRecord {}

  /// The node's own durable numbers; replaces the previous ones.
  ///
  /// @param disk what this log was created with; tells a new disk from the old one
  /// @param ceiling at least every counter that was ever promised
  /// @param floors the floor of every partition that has one
  /// @param starts the latest start of every peer that was heard of
  record Meta(
      long boot,
      OpId disk,
      long ceiling,
      SortedMap<Integer, Long> floors,
      SortedMap<String, Incarnation> starts)
      implements LogRecord {}

  /// The layout from here on. Keys that this node does not hold in it are gone.
  ///
  /// @param formed false while the members of a new cluster have not all agreed on it
  /// @param before the epoch of the layout before it, from which the node brings its keys along
  record Installed(Layout layout, boolean formed, long before) implements LogRecord {

    /// A layout that the node was in already.
    public Installed(Layout layout, boolean formed) {
      this(layout, formed, layout.epoch());
    }
  }

  /// Nothing. Written when the log falls idle, so that the group before it is proven durable.
  record Mark() implements LogRecord {}
}
