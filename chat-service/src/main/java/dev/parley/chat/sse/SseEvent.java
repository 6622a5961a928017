package dev.parley.chat.sse;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// One dispatched event. The data is kept as the bytes that came, so that it can be passed on as it
/// is.
@SuppressWarnings("ArrayRecordComponent") // Bytes in passing, never compared by value.
public record SseEvent(String type, byte[] data, @Nullable String id) {

  public String text() {
    return new String(data, StandardCharsets.UTF_8);
  }
}
