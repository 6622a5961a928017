package dev.parley.kv.node.resp;

import dev.parley.kv.core.Key;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.random.RandomGenerator;

/// Where each `SCAN` under way goes on. A cursor of Redis is a decimal number, too small to hold
/// the key after which the scan continues, so the node remembers the key: this number of them, the
/// least recently used forgotten first.
///
/// A position is a key and not a place in some table, so keys that come and go meanwhile disturb
/// nothing: whatever exists during the whole scan is returned, and exactly once. A cursor may be
/// used again, as a client does that lost the answer. One that is not known, because it was
/// forgotten, came from another node, or from before a restart, is an error and never the silent
/// end of a scan.
final class Cursors {

  /// With keys of the largest size about two mebibytes.
  private static final int MAX = 4096;

  private final RandomGenerator random;
  private final LinkedHashMap<Long, Key> positions = new LinkedHashMap<>(16, 0.75f, true);

  /// @param random so that a number from another node or another time is not taken for one of ours
  Cursors(RandomGenerator random) {
    this.random = random;
  }

  /// The cursor of a scan that continues after `key`; never 0.
  synchronized long remember(Key key) {
    long cursor = random.nextLong(1, Long.MAX_VALUE);
    while (positions.containsKey(cursor)) {
      cursor = random.nextLong(1, Long.MAX_VALUE);
    }
    positions.put(cursor, key);
    if (positions.size() > MAX) {
      Map.Entry<Long, Key> oldest = positions.firstEntry();
      positions.remove(oldest.getKey());
    }
    return cursor;
  }

  /// The key after which this cursor's scan continues, if the cursor is known.
  synchronized Optional<Key> position(long cursor) {
    return Optional.ofNullable(positions.get(cursor));
  }
}
