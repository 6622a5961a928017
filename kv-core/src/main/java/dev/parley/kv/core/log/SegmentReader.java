package dev.parley.kv.core.log;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// A window over one file of the log, moved along it in big steps.
final class SegmentReader {

  /// Bytes read at once: as much as the largest group takes, so that few are read twice.
  private static final int CHUNK = SegmentedLog.MAX_GROUP + SegmentedLog.GROUP_HEADER;

  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private final SegmentStorage storage;
  private byte[] window = new byte[0];
  private long segment;
  private int size;
  private int from;
  private int to;

  SegmentReader(SegmentStorage storage) {
    this.storage = storage;
  }

  void open(long number) throws IOException {
    segment = number;
    size = storage.size(number);
    from = 0;
    to = 0;
  }

  /// The size of the file.
  int size() {
    return size;
  }

  /// What [#at] gives is an index into this, until it is called again.
  byte[] window() {
    return window;
  }

  /// Where in the window the `length` bytes at `offset` of the file are; they must exist.
  int at(int offset, int length) throws IOException {
    if (offset < from || offset + length > to) {
      int wanted = Math.min(Math.max(length, CHUNK), size - offset);
      if (wanted < length) {
        throw new IllegalArgumentException("beyond the end of segment " + segment);
      }
      if (window.length < wanted) {
        window = new byte[wanted];
      }
      to = from = offset;
      storage.read(segment, offset, window, wanted);
      to = offset + wanted;
    }
    return offset - from;
  }

  /// Whether there is nothing but zeros from `offset` to the end of the file.
  boolean isZeroFrom(int offset) throws IOException {
    for (int at = offset; at < size; at += CHUNK) {
      int length = Math.min(CHUNK, size - at);
      int first = at(at, length);
      for (int i = first; i < first + length; i++) {
        if (window[i] != 0) {
          return false;
        }
      }
    }
    return true;
  }

  int i32(int index) {
    return (int) INT.get(window, index);
  }

  long i64(int index) {
    return (long) LONG.get(window, index);
  }
}
