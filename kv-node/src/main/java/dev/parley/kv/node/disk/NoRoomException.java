package dev.parley.kv.node.disk;

import java.io.IOException;

/// The disk is full, or the quota is used up: no failure, for nothing that was written is in doubt.
public final class NoRoomException extends IOException {

  private static final long serialVersionUID = 1L;

  NoRoomException(IOException cause) {
    super(cause.getMessage(), cause);
  }
}
