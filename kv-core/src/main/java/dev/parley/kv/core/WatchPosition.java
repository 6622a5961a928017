package dev.parley.kv.core;

import java.util.SortedMap;
import java.util.TreeMap;

/// From where a watch goes on: what every node had told, up to this number of its log, was passed
/// on.
///
/// @param epoch the layout the numbers belong to; in another one a watcher lists anew
/// @param sequences by node
public record WatchPosition(long epoch, SortedMap<String, Long> sequences) {
  public WatchPosition {
    sequences = new TreeMap<>(sequences);
  }
}
