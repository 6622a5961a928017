package dev.parley.registry.fleet;

import java.time.Duration;

/// Counts requests over the last five minutes, in thirty slots of ten seconds.
final class Traffic {

  private static final int SLOTS = 30;
  private static final long SLOT_NANOS = Duration.ofSeconds(10).toNanos();

  private final long[] counts = new long[SLOTS];
  private final long originNanos;
  private long newestSlot;

  Traffic(long nowNanos) {
    originNanos = nowNanos;
  }

  void count(long now) {
    advance(now);
    counts[(int) (newestSlot % SLOTS)]++;
  }

  /// Requests in the whole window.
  long requests(long now) {
    advance(now);
    long sum = 0;
    for (long count : counts) {
      sum += count;
    }
    return sum;
  }

  /// Requests per second over the last full minute, or what there is of one.
  double perSecond(long now) {
    advance(now);
    long sum = 0;
    long slots = Math.min(6, newestSlot);
    for (long slot = newestSlot - slots; slot <= newestSlot; slot++) {
      sum += counts[(int) (slot % SLOTS)];
    }
    double seconds = (now - originNanos - (newestSlot - slots) * SLOT_NANOS) / 1e9;
    return sum / Math.max(1, seconds);
  }

  private void advance(long now) {
    long slot = Math.max(newestSlot, (now - originNanos) / SLOT_NANOS);
    long from = Math.max(newestSlot + 1, slot - SLOTS + 1);
    for (long s = from; s <= slot; s++) {
      counts[(int) (s % SLOTS)] = 0;
    }
    newestSlot = slot;
  }
}
