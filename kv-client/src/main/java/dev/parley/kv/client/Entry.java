package dev.parley.kv.client;

import java.nio.charset.StandardCharsets;

/// One key with its value and the opaque version (the ETag) that a conditional write names.
@SuppressWarnings("ArrayRecordComponent") // A row of the store, never compared by value.
public record Entry(String key, String version, byte[] value) {

  /// The value read as UTF-8 text.
  public String text() {
    return new String(value, StandardCharsets.UTF_8);
  }
}
