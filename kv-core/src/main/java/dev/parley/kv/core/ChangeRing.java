package dev.parley.kv.core;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The latest things a replica accepted, in the order of its log, for those that watch.
///
/// The place of a change is the number of the log record behind it. Those numbers are durable and
/// are never given twice to records that survive, so a watcher can come back with the last one it
/// saw, after a restart of this node as well: the end of the log fills the ring again. A record
/// appended a second time to empty an old segment is no change; replayed, it looks like one, and is
/// told again, which does no harm.
///
/// Only durable changes are in the ring. That is not only so that nobody hears of what a crash
/// takes away: of one key only the latest change is kept, and a later one that is lost must not
/// push out an earlier one that is not.
final class ChangeRing {

  /// Changes remembered: at ten thousand a second, long enough for a watcher to reconnect, in about
  /// ten megabytes.
  static final int CAPACITY = 65_536;

  /// A value was accepted.
  ///
  /// @param seq the number of its log record
  record Change(long seq, Key key, Ballot ballot, long version, boolean exists) {}

  private final int capacity;

  /// In the order of their numbers. Those that a later one of their key replaced stay until there
  /// are as many as may be remembered, and then leave all at once.
  private final ArrayList<Change> changes = new ArrayList<>();

  private final LinkedHashMap<Key, Change> latest = new LinkedHashMap<>();
  private final ArrayDeque<Change> fresh = new ArrayDeque<>();
  private long horizon;
  private long durable;

  ChangeRing() {
    this(CAPACITY);
  }

  ChangeRing(int capacity) {
    this.capacity = capacity;
  }

  /// The log begins with the record `first` and goes up to `proven` at least. Of what was accepted
  /// in it, only the end is remembered: as many records as there may be changes here, replaced ones
  /// included.
  void replay(long first, long proven) {
    horizon = Math.max(first - 1, proven - 2L * capacity);
    durable = horizon;
  }

  /// A value of `key` was accepted in the record `seq` of the log.
  void replayed(long seq, Key key, Ballot ballot, long version, boolean exists) {
    if (seq > horizon) {
      accepted(seq, key, ballot, version, exists);
      flush(seq);
    }
  }

  /// The log ends with this record.
  void replayedTo(long last) {
    durable = last;
  }

  /// A value of `key` was accepted in the record `seq`, which need not be durable yet.
  void accepted(long seq, Key key, Ballot ballot, long version, boolean exists) {
    if (!key.equals(Key.LAYOUT)) {
      fresh.add(new Change(seq, key, ballot, version, exists));
    }
  }

  /// All records up to this one are on disk. Says which changes are new by that.
  List<Change> durable(long lsn) {
    List<Change> added = flush(lsn);
    durable = Math.max(durable, lsn);
    return added;
  }

  private List<Change> flush(long lsn) {
    List<Change> added = List.of();
    for (Change next = fresh.peek(); next != null && next.seq() <= lsn; next = fresh.peek()) {
      fresh.remove();
      if (added.isEmpty()) {
        added = new ArrayList<>();
      }
      added.add(next);
      changes.add(next);
      latest.put(next.key(), next);
      if (latest.size() > capacity) {
        forgetOldest();
      } else if (changes.size() >= 2 * capacity) {
        changes.removeIf(this::replaced);
      }
    }
    return added;
  }

  private boolean replaced(Change change) {
    return latest.get(change.key()) != change;
  }

  /// An eighth of the keys at once, so that what is forgotten need not be moved up for each.
  private void forgetOldest() {
    changes.removeIf(this::replaced);
    List<Change> oldest = changes.subList(0, latest.size() - capacity + capacity / 8);
    horizon = oldest.getLast().seq();
    oldest.forEach(change -> latest.remove(change.key()));
    oldest.clear();
  }

  /// The last record that is on disk.
  long durable() {
    return durable;
  }

  /// Whether every change after `since` is either still here or replaced by a later one of its key.
  boolean reaches(long since) {
    return since >= horizon && since <= durable;
  }

  /// Up to `limit` changes after `since`, oldest first, to keys with the prefix.
  List<Change> after(long since, byte[] prefix, int limit) {
    List<Change> found = new ArrayList<>();
    for (int i = firstAfter(since); i < changes.size() && found.size() < limit; i++) {
      Change change = changes.get(i);
      if (change.key().startsWith(prefix) && !replaced(change)) {
        found.add(change);
      }
    }
    return found;
  }

  private int firstAfter(long since) {
    int low = 0;
    int high = changes.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (changes.get(middle).seq() <= since) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /// What is remembered of the key, for tests.
  @Nullable Change of(Key key) {
    return latest.get(key);
  }
}
