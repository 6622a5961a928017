package dev.parley.registry.policy;

/// How often requests to a backend succeed: an exponential average (a fifth for each new outcome)
/// that drifts back to 1 within half a minute, so that a bad time is forgiven. It never falls
/// below 5 %, so that a score stays a number.
public final class SuccessRate {

  private static final double GAIN = 0.2;
  private static final double DRIFT_SECONDS = 30;
  private static final double FLOOR = 0.05;

  private double value = 1;
  private long updatedNanos;

  public double read(long nowNanos) {
    return Math.max(FLOOR, drifted(nowNanos));
  }

  public void update(long nowNanos, boolean success) {
    value = (1 - GAIN) * drifted(nowNanos) + (success ? GAIN : 0);
    updatedNanos = nowNanos;
  }

  private double drifted(long nowNanos) {
    double age = Math.max(0, nowNanos - updatedNanos) / 1e9;
    return 1 - (1 - value) * Math.exp(-age / DRIFT_SECONDS);
  }
}
