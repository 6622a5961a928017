package dev.parley.kv.core;

/// Takes back what a log holds. The log is gone through twice, so that no value is read that a
/// later record replaced: in a log that is full of them they would fill the memory and be collected
/// as garbage for longer than all else takes. Both times the records come in order, each once.
public interface Replay extends Key.Pool {

  /// The first time begins.
  ///
  /// @param first the number of the oldest record
  /// @param proven the log goes up to this record at least; below `first` if that is not known
  void begins(long first, long proven);

  /// First time: the key was accepted at this ballot in the record `lsn`.
  ///
  /// @param version the value's
  /// @param exists whether the value is not a tombstone
  void accepted(long lsn, Key key, Ballot ballot, long version, boolean exists);

  /// First time: the record `lsn`, which is no [LogRecord.Entry].
  void record(long lsn, LogRecord record);

  /// The last record is `last`. The second time begins.
  void readOnce(long last);

  /// Second time: whether the value in the record `lsn` is needed.
  boolean needs(long lsn);

  /// Second time: an entry whose value is needed.
  void value(long lsn, LogRecord.Entry entry);

  /// The second time is over.
  ///
  /// @throws IllegalStateException if a value is missing that is needed
  void readTwice();
}
