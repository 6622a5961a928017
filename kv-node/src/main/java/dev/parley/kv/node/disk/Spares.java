package dev.parley.kv.node.disk;

import java.io.IOException;

/// Where the next segment of the log is prepared.
interface Spares extends AutoCloseable {

  /// Whether the next segment can be begun without writing it first.
  boolean spareReady(int size) throws IOException;

  /// Writes the next segment's zeros, so that its space is really there. If there is none, nothing
  /// is taken of what is left.
  ///
  /// @throws NoRoomException if that is certainly all that is wrong
  void prepareSpare(int size) throws IOException;

  @Override
  void close() throws IOException;
}
