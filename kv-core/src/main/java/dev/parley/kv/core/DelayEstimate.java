package dev.parley.kv.core;

import java.time.Duration;

/// How long something usually takes: mean and mean deviation, older times weighing ever less.
///
/// The smoothing is that of TCP's retransmission timer [1], only slower, for there are many more
/// measurements.
///
/// 1. Jacobson: Congestion Avoidance and Control, 1988.
final class DelayEstimate {

  /// Longer than anything that is waited for: a clock that leaps is not believed.
  private static final long MAX_NANOS = Duration.ofMinutes(1).toNanos();

  private double mean;
  private double deviation;

  void measured(long nanos) {
    double value = Math.clamp(nanos, 0, MAX_NANOS);
    if (mean == 0) {
      mean = value;
      deviation = value / 2;
    } else {
      deviation += (Math.abs(value - mean) - deviation) / 16;
      mean += (value - mean) / 16;
    }
  }

  /// Nanoseconds, 0 if nothing was measured yet.
  long mean() {
    return (long) mean;
  }

  /// About the 99th percentile in nanoseconds: the mean and four mean deviations.
  long high() {
    return (long) (mean + 4 * deviation);
  }
}
