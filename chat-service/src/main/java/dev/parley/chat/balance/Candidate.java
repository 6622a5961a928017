package dev.parley.chat.balance;

import org.jspecify.annotations.Nullable;

/// One backend that could serve a request, with the registry's figures about it.
///
/// @param model what to ask it for
/// @param inFlight of all replicas together, when the registry answered
/// @param continuation whether it continues a partial answer; null if nobody knows
/// @param credential opaque version of its API key; null if it needs none
public record Candidate(
    String backendId,
    String name,
    String baseUrl,
    String model,
    @Nullable String provider,
    int tier,
    double weight,
    @Nullable Integer maxConcurrency,
    @Nullable String state,
    int inFlight,
    int targetConcurrency,
    double firstTokenMs,
    double perTokenMs,
    double successRate,
    double slowStart,
    double scoreMs,
    @Nullable String reason,
    @Nullable Boolean continuation,
    @Nullable String credential) {

  public boolean continues() {
    return Boolean.TRUE.equals(continuation);
  }

  public Candidate withModel(String other) {
    return new Candidate(
        backendId,
        name,
        baseUrl,
        other,
        provider,
        tier,
        weight,
        maxConcurrency,
        state,
        inFlight,
        targetConcurrency,
        firstTokenMs,
        perTokenMs,
        successRate,
        slowStart,
        scoreMs,
        reason,
        continuation,
        credential);
  }
}
