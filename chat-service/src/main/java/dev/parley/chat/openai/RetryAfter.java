package dev.parley.chat.openai;

import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import org.jspecify.annotations.Nullable;

/// The `Retry-After` header: seconds, possibly with a fraction, or an HTTP date.
public final class RetryAfter {

  private RetryAfter() {}

  /// Milliseconds to wait, or null if the header is absent or says nothing readable.
  public static @Nullable Long millis(@Nullable String header, Instant now) {
    if (header == null || header.isBlank()) {
      return null;
    }
    String value = header.strip();
    try {
      double seconds = Double.parseDouble(value);
      return seconds >= 0 && seconds < 1e9 ? Math.round(seconds * 1000) : null;
    } catch (NumberFormatException notSeconds) {
      try {
        Instant at = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
        return Math.max(0, at.toEpochMilli() - now.toEpochMilli());
      } catch (DateTimeParseException unreadable) {
        return null;
      }
    }
  }

  /// Whole seconds for a header, never zero: a client told 0 comes back at once.
  public static String header(long millis) {
    return Long.toString(Math.max(1, Math.ceilDiv(millis, 1000)));
  }
}
