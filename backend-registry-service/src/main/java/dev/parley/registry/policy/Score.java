package dev.parley.registry.policy;

/// How long a request would take on a backend, in milliseconds, made comparable: divided by the
/// chance that it succeeds, with a penalty for each failure on the way, and by its weight.
///
/// The latency of a language model is not one number. The time to the first token grows with the
/// prompt and the queue, the time per further token with the batch:
///
/// ```
/// u(P) = 1 + P/1000                         P uncached prompt tokens
/// g(n) = 1 + 0.5·min(n, K−1)/max(1, K−1)    n in flight, K target concurrency
/// S̄ = (f·u(P̄) + d·Ō)·g(n)                   mean service time
/// wait(n) = max(0, n+1−K)/K·S̄
/// f' = max(f, (age of the oldest request without a first token − wait(its n₀))/(u·g))
/// E = (f'·u(P) + d·Ô)·g(n) + wait(n)
/// score = (E/p + 10 000·(1−p)/p)/(weight·r)
/// ```
public final class Score {

  /// What one failure before the first token costs a person who waits, in milliseconds.
  static final double FAILURE_PENALTY_MS = 10_000;

  private Score() {}

  /// The score; smaller is better.
  public static double of(Candidate candidate, Workload workload) {
    int target = candidate.targetConcurrency();
    int inFlight = candidate.inFlight();
    double batch = batchFactor(inFlight, target);
    double mean =
        (candidate.firstTokenMs() * promptFactor(workload.meanPromptTokens())
                + candidate.perTokenMs() * workload.meanOutputTokens())
            * batch;
    double service =
        (firstTokenNow(candidate, mean) * promptFactor(workload.prompt())
                + candidate.perTokenMs() * workload.output())
            * batch;
    double expected = service + wait(inFlight, target, mean);
    double p = candidate.successRate();
    return (expected / p + FAILURE_PENALTY_MS * (1 - p) / p)
        / (candidate.weight() * candidate.slowStart());
  }

  /// `u(P)`: how much longer a first token takes for a prompt of this length.
  public static double promptFactor(double promptTokens) {
    return 1 + promptTokens / 1000;
  }

  /// `g(n)`: how much slower everything is in a batch of this size.
  public static double batchFactor(int inFlight, int targetConcurrency) {
    return 1 + 0.5 * Math.min(inFlight, targetConcurrency - 1) / Math.max(1, targetConcurrency - 1);
  }

  private static double wait(int inFlight, int target, double meanServiceMs) {
    return Math.max(0, inFlight + 1 - target) / (double) target * meanServiceMs;
  }

  /// A request that still waits is a lower bound of what the next one will meet; without it a
  /// backend that hangs keeps the good name of its last answers.
  private static double firstTokenNow(Candidate candidate, double meanServiceMs) {
    Candidate.Waiting oldest = candidate.oldestWaiting();
    if (oldest == null) {
      return candidate.firstTokenMs();
    }
    int target = candidate.targetConcurrency();
    double served = oldest.ageMs() - wait(oldest.inFlightAtStart(), target, meanServiceMs);
    double seen =
        served
            / (promptFactor(oldest.promptTokens()) * batchFactor(oldest.inFlightAtStart(), target));
    return Math.max(candidate.firstTokenMs(), seen);
  }
}
