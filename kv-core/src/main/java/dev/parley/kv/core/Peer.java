package dev.parley.kv.core;

/// What this node knows of another: whether it was heard of lately, and how fast it answers.
final class Peer {

  private final String id;
  private long boot;
  private long heard = Long.MIN_VALUE;
  private boolean unreachable;
  private double meanNanos;
  private double deviationNanos;

  Peer(String id) {
    this.id = id;
  }

  String id() {
    return id;
  }

  /// The boot last heard of, 0 if none.
  long boot() {
    return boot;
  }

  /// When it was last heard of, or [Long#MIN_VALUE].
  long heard() {
    return heard;
  }

  void heard(long now, long fromBoot) {
    heard = now;
    boot = Math.max(boot, fromBoot);
    unreachable = false;
  }

  void unreachable() {
    unreachable = true;
  }

  boolean healthy(long now, Timing timing) {
    return !unreachable && heard != Long.MIN_VALUE && now - heard < timing.suspect().toNanos();
  }

  void measured(long nanos) {
    if (meanNanos == 0) {
      meanNanos = nanos;
      deviationNanos = nanos / 2.0;
    } else {
      deviationNanos += (Math.abs(nanos - meanNanos) - deviationNanos) / 16;
      meanNanos += (nanos - meanNanos) / 16;
    }
  }

  /// About the 99th percentile of its answers: the mean and four mean deviations.
  long hedgeDelay(Timing timing) {
    long estimate = (long) (meanNanos + 4 * deviationNanos);
    return Math.clamp(estimate, timing.minHedge().toNanos(), timing.maxHedge().toNanos());
  }
}
