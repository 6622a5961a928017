package dev.parley.kv.core;

/// Takes back what a log holds. The log is gone through twice, so that no value is read that a
/// later record replaced: in a log that is full of them they would fill the memory and be collected
/// as garbage for longer than all else takes.
public interface Replay extends Key.Pool {

  /// First time: the key was accepted at this ballot in the record `lsn`.
  void accepted(long lsn, Key key, Ballot ballot);

  /// First time: the record `lsn`, which is no [LogRecord.Entry].
  void record(long lsn, LogRecord record);

  /// The log holds the records from `first` to `last`, none if `last` is below. Now it is gone
  /// through a second time.
  void readOnce(long first, long last);

  /// Second time: whether the value in the record `lsn` is needed.
  boolean needs(long lsn, Key key);

  /// Second time: a value that is needed.
  void value(long lsn, LogRecord.Entry entry);
}
