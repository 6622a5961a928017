package dev.parley.registry.api;

import dev.parley.registry.backend.BackendDraft;
import dev.parley.registry.backend.Checked;
import dev.parley.registry.backend.Fields;
import dev.parley.registry.fleet.Outcome;
import dev.parley.registry.fleet.OutcomeReport;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Reads a replica's report. A field that a newer replica adds is passed over: a report must not be
/// lost because two services are not equally old.
final class OutcomeForm {

  private static final int MAX_OUTCOMES = 1024;
  private static final int MAX_IN_FLIGHT_ROWS = 1000;
  private static final int MAX_IN_FLIGHT = 1_000_000;
  private static final int MAX_TOKENS = 100_000_000;
  private static final long MAX_MS = 86_400_000;
  private static final int MAX_REASON = 1000;

  private OutcomeForm() {}

  static Checked<OutcomeReport> read(Map<String, ?> json) {
    Fields fields = Fields.of(json);
    String replica = fields.text("replica", 1, 64);
    Long seq = fields.whole("seq", 0, Long.MAX_VALUE);
    if (seq == null && !fields.has("seq")) {
      fields.wrong("seq", "is required");
    }
    Map<String, Integer> inFlight = inFlight(fields);
    List<Outcome> outcomes = new ArrayList<>();
    for (Fields row : fields.objects("outcomes", MAX_OUTCOMES)) {
      Outcome outcome = outcome(row);
      if (outcome != null) {
        outcomes.add(outcome);
      }
    }
    json.keySet().forEach(fields::ignore);
    return fields.check(
        () -> new OutcomeReport(replica, seq == null ? 0 : seq, inFlight, outcomes));
  }

  private static Map<String, Integer> inFlight(Fields fields) {
    Object value = fields.raw("in_flight");
    if (value == null) {
      return Map.of();
    }
    Map<String, Integer> levels = new HashMap<>();
    boolean sound = value instanceof Map<?, ?> map && map.size() <= MAX_IN_FLIGHT_ROWS;
    if (value instanceof Map<?, ?> map && sound) {
      for (var entry : map.entrySet()) {
        if (entry.getValue() instanceof Integer n && n >= 0 && n <= MAX_IN_FLIGHT) {
          levels.put(String.valueOf(entry.getKey()), n);
        } else {
          sound = false;
        }
      }
    }
    if (!sound) {
      fields.wrong("in_flight", "must map backend ids to whole numbers from 0");
    }
    return levels;
  }

  private static @Nullable Outcome outcome(Fields row) {
    String backendId = row.text("backend_id", 1, 64);
    String model = row.optionalText("model", 0, BackendDraft.MAX_MODEL_LENGTH);
    Instant at = at(row);
    Outcome.Kind kind = kind(row);
    Object reason = row.raw("reason");
    Long inFlightAtStart = row.whole("in_flight_at_start", 0, MAX_IN_FLIGHT);
    Long promptTokens = row.whole("prompt_tokens", 0, MAX_TOKENS);
    Long outputTokens = row.whole("output_tokens", 0, MAX_TOKENS);
    Double firstTokenMs = row.number("first_token_ms", 0, MAX_MS);
    Double generationMs = row.number("generation_ms", 0, MAX_MS);
    Double retryAfterMs = row.number("retry_after_ms", 0, Long.MAX_VALUE);
    if (at == null || kind == null) {
      return null;
    }
    return new Outcome(
        backendId,
        model == null ? "" : model,
        at,
        kind,
        clean(reason),
        inFlightAtStart == null ? 0 : inFlightAtStart.intValue(),
        promptTokens == null ? 0 : promptTokens.intValue(),
        outputTokens == null ? 0 : outputTokens.intValue(),
        firstTokenMs,
        generationMs,
        retryAfterMs == null ? null : (Long) retryAfterMs.longValue());
  }

  private static @Nullable Instant at(Fields row) {
    if (row.raw("at") instanceof String text && text.length() <= 64) {
      try {
        return OffsetDateTime.parse(text).toInstant();
      } catch (DateTimeParseException e) {
        // Said below.
      }
    }
    row.wrong("at", "must be a time such as 2026-01-31T12:00:00Z");
    return null;
  }

  private static Outcome.@Nullable Kind kind(Fields row) {
    Object value = row.raw("kind");
    for (Outcome.Kind kind : Outcome.Kind.values()) {
      if (kind.word().equals(value)) {
        return kind;
      }
    }
    row.wrong("kind", "must be success, failure, rate-limited, misconfigured or neutral");
    return null;
  }

  /// A backend's own words may be in it, so it is bounded and made one line.
  private static String clean(@Nullable Object reason) {
    if (!(reason instanceof String text)) {
      return "";
    }
    String bounded = text.length() <= MAX_REASON ? text : text.substring(0, MAX_REASON);
    return bounded.replaceAll("\\p{Cntrl}", " ");
  }
}
