package dev.parley.registry.policy;

/// What a latency is thought to be now, from samples that grow old. It lives in logarithms, since
/// latencies multiply; without samples it drifts to the prior, so that a backend which was slow
/// once is tried again; one sample moves it by a quarter at most, and samples that come at once
/// count together as one.
///
/// ```
/// read:   ln f(t) = ln prior + (ln f − ln prior)·e^(−age/60 s)
/// update: from f(t); x clipped to prior·[1/30, 30];
///         ln f ← (1−α)·ln f(t) + α·ln x, α = clamp(1−e^(−Δt/10 s), .02, .25)
/// ```
public final class LatencyEstimate {

  private static final double DRIFT_SECONDS = 60;
  private static final double GAIN_SECONDS = 10;
  private static final double MIN_GAIN = 0.02;
  private static final double MAX_GAIN = 0.25;
  private static final double CLIP = 30;

  private double logValue;
  private long updatedNanos;
  private boolean sampled;

  /// Whether anything was ever measured.
  public boolean sampled() {
    return sampled;
  }

  /// The value as it was after the last sample; meaningless before the first.
  public double lastValue() {
    return Math.exp(logValue);
  }

  /// The value now.
  public double read(long nowNanos, double prior) {
    return Math.exp(logRead(nowNanos, prior));
  }

  public void update(long nowNanos, double sample, double prior) {
    double clipped = Math.clamp(sample, prior / CLIP, prior * CLIP);
    double gain =
        sampled
            ? Math.clamp(
                1 - Math.exp(-seconds(nowNanos - updatedNanos) / GAIN_SECONDS), MIN_GAIN, MAX_GAIN)
            : MAX_GAIN;
    logValue = (1 - gain) * logRead(nowNanos, prior) + gain * Math.log(clipped);
    updatedNanos = nowNanos;
    sampled = true;
  }

  private double logRead(long nowNanos, double prior) {
    double logPrior = Math.log(prior);
    return sampled
        ? logPrior
            + (logValue - logPrior) * Math.exp(-seconds(nowNanos - updatedNanos) / DRIFT_SECONDS)
        : logPrior;
  }

  private static double seconds(long nanos) {
    return Math.max(0, nanos) / 1e9;
  }
}
