package dev.parley.kv.core.log;

import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.wire.Encoder;

/// Records encoded one behind the other, with room for a header in front: what the log writes and
/// forces at once. Meant to be filled, written, cleared and filled again.
public final class RecordGroup {

  private final int capacity;
  private final Encoder encoder = new Encoder();
  private int records;

  /// @param capacity most bytes of encoded records, see [SegmentedLog#groupCapacity]
  public RecordGroup(int capacity) {
    this.capacity = capacity;
    clear();
  }

  /// Encodes a record behind those there are.
  ///
  /// @return false, with nothing changed, if it does not fit behind them. An empty group takes any
  ///     record; one that is too large for the log is refused when it is written.
  public boolean add(LogRecord record) {
    int before = encoder.size();
    encoder.i32(0).record(record);
    if (records > 0 && bytes() > capacity) {
      encoder.truncate(before);
      return false;
    }
    encoder.setI32(before, encoder.size() - before - Integer.BYTES);
    records++;
    return true;
  }

  public void clear() {
    records = 0;
    encoder.truncate(0);
    for (int i = 0; i < SegmentedLog.GROUP_HEADER; i += Integer.BYTES) {
      encoder.i32(0);
    }
  }

  public boolean isEmpty() {
    return records == 0;
  }

  public int records() {
    return records;
  }

  /// How many bytes the encoded records take, the header not counted.
  public int bytes() {
    return encoder.size() - SegmentedLog.GROUP_HEADER;
  }

  /// Header and records, until the next [#add].
  byte[] array() {
    return encoder.array();
  }
}
