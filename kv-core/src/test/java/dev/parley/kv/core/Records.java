package dev.parley.kv.core;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/// Reads all records of a log, and complains if one comes out of order, twice, or without value.
public class Records implements Replay {

  private final SortedMap<Long, LogRecord> byLsn = new TreeMap<>();
  private final ArrayDeque<Long> unread = new ArrayDeque<>();
  private long next;

  /// Gives back a list of records as a log does.
  ///
  /// @param first the number of the first
  /// @return the number of the record that comes behind the last
  static long replay(List<LogRecord> records, long first, Replay replay) {
    replay.begins(first, 0);
    long lsn = first;
    for (LogRecord record : records) {
      if (record instanceof LogRecord.Entry(var key, var ballot, var value)) {
        replay.accepted(lsn, keyOf(replay, key), ballot, value.version(), value.exists());
      } else {
        replay.record(lsn, record);
      }
      lsn++;
    }
    replay.readOnce(lsn - 1);
    lsn = first;
    for (LogRecord record : records) {
      if (record instanceof LogRecord.Entry(var key, var ballot, var value) && replay.needs(lsn)) {
        replay.value(lsn, new LogRecord.Entry(keyOf(replay, key), ballot, value));
      }
      lsn++;
    }
    replay.readTwice();
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
  public void begins(long first, long proven) {
    next = first;
  }

  @Override
  public void accepted(long lsn, Key key, Ballot ballot, long version, boolean exists) {
    record(lsn, new LogRecord.Entry(key, ballot, Versioned.UNREAD));
    unread.add(lsn);
  }

  @Override
  public void record(long lsn, LogRecord record) {
    if (lsn != next++) {
      throw new IllegalStateException("record " + lsn + " is read before " + (next - 1));
    }
    byLsn.put(lsn, record);
  }

  @Override
  public void readOnce(long last) {
    if (!byLsn.isEmpty() && byLsn.lastKey() != last) {
      throw new IllegalStateException(last + " is not the last of " + byLsn.keySet());
    }
  }

  @Override
  public boolean needs(long lsn) {
    return true;
  }

  @Override
  public void value(long lsn, LogRecord.Entry entry) {
    if (unread.isEmpty() || lsn != unread.remove()) {
      throw new IllegalStateException("the value of record " + lsn + " is read again");
    }
    byLsn.put(lsn, entry);
  }

  @Override
  public void readTwice() {
    if (!unread.isEmpty()) {
      throw new IllegalStateException("no value for " + unread);
    }
  }
}
