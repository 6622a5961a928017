package dev.parley.kv.core.wire;

/// The bytes are not what an [Encoder] of this version writes.
public final class MalformedBytesException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public MalformedBytesException(String message) {
    super(message);
  }
}
