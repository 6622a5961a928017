package dev.parley.registry.api;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a replica reports, for the API's description only; see [BackendDocument].
record OutcomeDocument(
    String replica, long seq, Map<String, Integer> inFlight, List<OutcomeRow> outcomes) {

  record OutcomeRow(
      String backendId,
      String model,
      Instant at,
      String kind,
      String reason,
      int inFlightAtStart,
      int promptTokens,
      int outputTokens,
      @Nullable Double firstTokenMs,
      @Nullable Double generationMs,
      @Nullable Double retryAfterMs) {}
}
