package dev.parley.registry.api;

import dev.parley.registry.backend.ApiKey;
import dev.parley.registry.fleet.Selection;
import dev.parley.registry.policy.Candidate;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A selection as the API shows it: an order, and everything needed to score again locally.
record SelectionRow(
    long version,
    long ttlMs,
    String policy,
    int replicas,
    double meanPromptTokens,
    double meanOutputTokens,
    List<CandidateRow> candidates,
    @Nullable UnavailableRow unavailable) {

  /// @param credential an opaque version of the backend's key, or null if it has none
  record CandidateRow(
      String backendId,
      String name,
      String baseUrl,
      String model,
      String provider,
      int tier,
      double weight,
      @Nullable Integer maxConcurrency,
      String state,
      int inFlight,
      int targetConcurrency,
      double firstTokenMs,
      double perTokenMs,
      double successRate,
      double slowStart,
      double scoreMs,
      String reason,
      @Nullable Boolean continuation,
      @Nullable String credential) {}

  record UnavailableRow(String type, String detail, long retryAfterMs) {}

  static SelectionRow of(Selection selection) {
    Selection.Unavailable unavailable = selection.unavailable();
    return new SelectionRow(
        selection.version(),
        selection.ttlMs(),
        selection.policy(),
        selection.replicas(),
        selection.meanPromptTokens(),
        selection.meanOutputTokens(),
        selection.places().stream().map(SelectionRow::candidate).toList(),
        unavailable == null
            ? null
            : new UnavailableRow(
                unavailable.kind().word(), unavailable.detail(), unavailable.retryAfterMs()));
  }

  private static CandidateRow candidate(Selection.Place place) {
    Candidate candidate = place.candidate();
    ApiKey key = place.backend().apiKey();
    return new CandidateRow(
        place.backend().id(),
        place.backend().name(),
        place.backend().baseUrl().toString(),
        place.model(),
        place.backend().provider(),
        place.backend().tier(),
        place.backend().weight(),
        candidate.maxConcurrency(),
        place.state().word(),
        candidate.inFlight(),
        candidate.targetConcurrency(),
        candidate.firstTokenMs(),
        candidate.perTokenMs(),
        candidate.successRate(),
        candidate.slowStart(),
        place.scoreMs(),
        place.reason(),
        place.continues(),
        key == null ? null : key.version());
  }
}
