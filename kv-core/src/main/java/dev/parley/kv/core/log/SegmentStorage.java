package dev.parley.kv.core.log;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/// Numbered files of fixed sizes, as the log needs them. The disk implements it in production, a
/// memory that loses what was not forced in the simulator.
///
/// Number 0 is the log's recovery point, all others are segments.
public interface SegmentStorage {

  /// The files there are, ascending.
  List<Long> list() throws IOException;

  /// Makes a file of zeros; after this it exists, with its full size, even if the machine dies.
  void create(long segment, int size) throws IOException;

  int size(long segment) throws IOException;

  /// The `length` bytes at `offset`.
  byte[] read(long segment, int offset, int length) throws IOException;

  /// Reads the `length` bytes at `offset` into the start of `target`.
  default void read(long segment, int offset, byte[] target, int length) throws IOException {
    System.arraycopy(read(segment, offset, length), 0, target, 0, length);
  }

  void write(long segment, int offset, byte[] bytes) throws IOException;

  /// Writes the first `length` of `bytes` at `offset`.
  default void write(long segment, int offset, byte[] bytes, int length) throws IOException {
    write(segment, offset, Arrays.copyOf(bytes, length));
  }

  /// Makes everything written to the file durable.
  void force(long segment) throws IOException;

  void delete(long segment) throws IOException;
}
