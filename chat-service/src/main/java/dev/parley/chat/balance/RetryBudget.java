package dev.parley.chat.balance;

import java.util.function.LongSupplier;

/// Keeps retries from multiplying an outage: each request earns a fifth of a retry, each second a
/// whole one, and no more than the burst is saved up. Thread-safe.
public final class RetryBudget {

  private static final double PER_REQUEST = 0.2;
  private static final double PER_SECOND = 1;

  /// Saved-up retries. Enough for the streams a replica typically has at one dying backend.
  private static final double BURST = 100;

  private final LongSupplier nanos;
  private double saved = BURST;
  private long lastNanos;

  public RetryBudget(LongSupplier nanos) {
    this.nanos = nanos;
    lastNanos = nanos.getAsLong();
  }

  public synchronized void request() {
    earn(PER_REQUEST);
  }

  /// Takes one retry if there is one to take.
  public synchronized boolean retry() {
    long now = nanos.getAsLong();
    earn((now - lastNanos) / 1e9 * PER_SECOND);
    lastNanos = now;
    if (saved < 1) {
      return false;
    }
    saved--;
    return true;
  }

  private void earn(double retries) {
    saved = Math.min(BURST, saved + retries);
  }
}
