package dev.parley.registry.fleet;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// What became of one attempt of one request on one backend.
///
/// @param inFlightAtStart requests the backend held when it was sent
/// @param firstTokenMs from sending to the first content, or null if there was none or it was not
///     streamed
/// @param generationMs from the first content to the last, or null
/// @param retryAfterMs when a rate-limited backend wants to be asked again, or null
public record Outcome(
    String backendId,
    String model,
    Instant at,
    Kind kind,
    String reason,
    int inFlightAtStart,
    int promptTokens,
    int outputTokens,
    @Nullable Double firstTokenMs,
    @Nullable Double generationMs,
    @Nullable Long retryAfterMs) {

  public enum Kind {
    SUCCESS("success"),
    FAILURE("failure"),
    RATE_LIMITED("rate-limited"),
    MISCONFIGURED("misconfigured"),
    NEUTRAL("neutral");

    private final String word;

    Kind(String word) {
      this.word = word;
    }

    public String word() {
      return word;
    }
  }
}
