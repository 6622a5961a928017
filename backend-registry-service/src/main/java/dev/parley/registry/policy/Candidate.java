package dev.parley.registry.policy;

import org.jspecify.annotations.Nullable;

/// One backend as a policy sees it: what a request to it would meet now.
///
/// @param maxConcurrency most requests at once, or null for no limit
/// @param inFlight requests it holds now
/// @param firstTokenMs `f`: time to the first token of a short prompt on an idle backend
/// @param perTokenMs `d`: time per output token on an idle backend
/// @param successRate `p`, above 0 and at most 1
/// @param slowStart `r`, above 0 and at most 1: the share of its weight it may use already
/// @param oldestWaiting its longest wait for a first token now, or null if none is known
public record Candidate(
    String id,
    double weight,
    @Nullable Integer maxConcurrency,
    int inFlight,
    double firstTokenMs,
    double perTokenMs,
    double successRate,
    double slowStart,
    @Nullable Waiting oldestWaiting) {

  /// Half of what a backend takes is where its latency still stays flat; without a limit, 16 is
  /// what common engines batch without slowing down much.
  private static final int TARGET_WITHOUT_LIMIT = 16;

  /// A request that has no first token yet.
  ///
  /// @param inFlightAtStart requests the backend held when it was sent
  public record Waiting(double ageMs, int inFlightAtStart, int promptTokens) {}

  /// `K`: how many requests it serves at once without queueing them.
  public int targetConcurrency() {
    return targetConcurrency(maxConcurrency);
  }

  public static int targetConcurrency(@Nullable Integer maxConcurrency) {
    return maxConcurrency == null ? TARGET_WITHOUT_LIMIT : Math.ceilDiv(maxConcurrency, 2);
  }
}
