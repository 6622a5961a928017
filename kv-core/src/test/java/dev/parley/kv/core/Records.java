package dev.parley.kv.core;

import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/// A log's records in the order of their numbers, whatever they lie in.
public class Records implements Replay {

  private final SortedMap<Long, LogRecord> byLsn = new TreeMap<>();

  /// Gives back a list of records as a log does.
  ///
  /// @param first the number of the first
  /// @return the number of the record that comes behind the last
  static long replay(List<LogRecord> records, long first, Replay replay) {
    long lsn = first;
    for (LogRecord record : records) {
      if (record instanceof LogRecord.Entry(var key, var ballot, _)) {
        replay.accepted(lsn, keyOf(replay, key), ballot);
      } else {
        replay.record(lsn, record);
      }
      lsn++;
    }
    replay.readOnce(first, lsn - 1);
    lsn = first;
    for (LogRecord record : records) {
      if (record instanceof LogRecord.Entry entry
          && replay.needs(lsn, keyOf(replay, entry.key()))) {
        replay.value(lsn, entry);
      }
      lsn++;
    }
    return lsn;
  }

  private static Key keyOf(Key.Pool pool, Key key) {
    return pool.key(key.utf8(), 0, key.utf8().length);
  }

  /// All records that were read.
  public List<LogRecord> all() {
    return List.copyOf(byLsn.values());
  }

  /// The same by their numbers.
  public SortedMap<Long, LogRecord> byLsn() {
    return byLsn;
  }

  @Override
  public Key key(byte[] bytes, int from, int to) {
    return Key.ofAnyUtf8(Arrays.copyOfRange(bytes, from, to));
  }

  @Override
  public void accepted(long lsn, Key key, Ballot ballot) {
    byLsn.put(lsn, new LogRecord.Entry(key, ballot, Versioned.UNREAD));
  }

  @Override
  public void record(long lsn, LogRecord record) {
    byLsn.put(lsn, record);
  }

  @Override
  public void readOnce(long first, long last) {
    if (byLsn.size() != last + 1 - first) {
      throw new IllegalStateException(byLsn.size() + " records from " + first + " to " + last);
    }
  }

  @Override
  public boolean needs(long lsn, Key key) {
    return true;
  }

  @Override
  public void value(long lsn, LogRecord.Entry entry) {
    byLsn.put(lsn, entry);
  }
}
