package dev.parley.kv.core.log;

import java.io.IOException;
import java.util.List;

/// Numbered files of one fixed size, as the log needs them. The disk implements it in production,
/// a memory that loses what was not forced in the simulator.
public interface SegmentStorage {

  /// The segments there are, ascending.
  List<Long> list() throws IOException;

  /// Makes a segment of zeros; after this it exists, with its full size, even if the machine dies.
  void create(long segment, int size) throws IOException;

  int size(long segment) throws IOException;

  /// The `length` bytes at `offset`.
  byte[] read(long segment, int offset, int length) throws IOException;

  void write(long segment, int offset, byte[] bytes) throws IOException;

  /// Makes everything written to the segment durable.
  void force(long segment) throws IOException;

  void delete(long segment) throws IOException;
}
