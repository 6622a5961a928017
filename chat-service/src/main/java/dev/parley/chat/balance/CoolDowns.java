package dev.parley.chat.balance;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/// Which backends this replica leaves alone for a while, from its own experience: the local circuit
/// breaker, one per backend.
///
/// After k consecutive failures a backend rests for 1 s·2^(k−1), at most 30 s: long enough not to
/// be tried first again, short enough not to contradict the registry, which decides about health.
/// A resting backend is not forbidden, only last. Thread-safe.
public final class CoolDowns {

  private static final long FIRST_NANOS = 1_000_000_000L;
  private static final long LONGEST_NANOS = 30_000_000_000L;
  private static final int MAX_BACKENDS = 1_000;

  private record Rest(int failures, long untilNanos) {}

  private final LongSupplier nanos;
  private final Map<String, Rest> rests =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Rest> eldest) {
          return size() > MAX_BACKENDS;
        }
      };

  public CoolDowns(LongSupplier nanos) {
    this.nanos = nanos;
  }

  public synchronized void failed(String backendId) {
    Rest before = rests.get(backendId);
    int failures = before == null ? 1 : Math.min(30, before.failures + 1);
    long length = Math.min(LONGEST_NANOS, FIRST_NANOS << Math.min(10, failures - 1));
    rests.put(backendId, new Rest(failures, nanos.getAsLong() + length));
  }

  /// The backend asked to be left alone, which is no failure.
  public synchronized void restFor(String backendId, long millis) {
    Rest before = rests.get(backendId);
    long until = nanos.getAsLong() + millis * 1_000_000;
    if (before != null && before.untilNanos - until > 0) {
      until = before.untilNanos;
    }
    rests.put(backendId, new Rest(before == null ? 0 : before.failures, until));
  }

  public synchronized void succeeded(String backendId) {
    rests.remove(backendId);
  }

  public synchronized boolean resting(String backendId) {
    return remainingMillis(backendId) > 0;
  }

  public synchronized long remainingMillis(String backendId) {
    Rest rest = rests.get(backendId);
    if (rest == null) {
      return 0;
    }
    return Math.max(0, Math.ceilDiv(rest.untilNanos - nanos.getAsLong(), 1_000_000L));
  }
}
