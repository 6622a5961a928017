package dev.parley.chat.balance;

/// The expected cost, in milliseconds, of giving one request to one backend: the formula of
/// *weighted least latency*.
///
/// ```
/// u(P) = 1 + P/1000                        the first token waits for the prompt
/// g(n) = 1 + 0.5·min(n, K−1)/max(1, K−1)   and shares the backend with its batch
/// S    = (f'·u(P) + d·Ô)·g(n)              service
/// E    = S + max(0, n+1−K)/K·S̄             and queue
/// score = (E/p + 10 000·(1−p)/p)/(weight·r)
/// ```
public final class Score {

  /// What a failed attempt costs a waiting person.
  private static final double FAILURE_MS = 10_000;

  private static final double SUCCESS_FLOOR = 0.05;

  private Score() {}

  /// @param promptTokens of this request
  /// @param maxTokens the request's own limit, or a large number
  /// @param meanPromptTokens fleet average
  /// @param meanOutputTokens fleet average
  /// @param inFlight best estimate at this moment, of all replicas
  /// @param oldestWaitMs age of our oldest request there without a first token, 0 if none
  /// @param inFlightAtOldest what was in flight when that request began
  public record Inputs(
      double promptTokens,
      double maxTokens,
      double meanPromptTokens,
      double meanOutputTokens,
      double inFlight,
      double oldestWaitMs,
      double inFlightAtOldest) {}

  public static double of(Candidate c, Inputs in) {
    int k = Math.max(1, c.targetConcurrency());
    double n = Math.max(0, in.inFlight());
    double mean =
        (c.firstTokenMs() * u(in.meanPromptTokens()) + c.perTokenMs() * in.meanOutputTokens())
            * g(n, k);
    double blocked =
        (in.oldestWaitMs() - queue(in.inFlightAtOldest(), k, mean))
            / (u(in.promptTokens()) * g(n, k));
    double first = Math.max(c.firstTokenMs(), blocked);
    double output = Math.min(in.maxTokens(), in.meanOutputTokens());
    double service = (first * u(in.promptTokens()) + c.perTokenMs() * output) * g(n, k);
    double expected = service + queue(n, k, mean);
    double p = Math.clamp(c.successRate(), SUCCESS_FLOOR, 1);
    double preference = Math.max(1e-6, c.weight()) * Math.clamp(c.slowStart(), 0.01, 1);
    return (expected / p + FAILURE_MS * (1 - p) / p) / preference;
  }

  private static double u(double promptTokens) {
    return 1 + promptTokens / 1000;
  }

  private static double g(double inFlight, int k) {
    return 1 + 0.5 * Math.min(inFlight, k - 1) / Math.max(1, k - 1);
  }

  private static double queue(double inFlight, int k, double meanService) {
    return Math.max(0, inFlight + 1 - k) / k * meanService;
  }
}
