package dev.parley.registry.api;

import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// The backends of which one listener has not heard the latest. However slow the listener, there is
/// at most one entry for each backend, since only the newest state is of interest.
final class Subscription {

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition something = lock.newCondition();
  private final Set<String> pending = new HashSet<>();
  private boolean urgent;

  void changed(String backendId, boolean isUrgent) {
    lock.lock();
    try {
      pending.add(backendId);
      if (isUrgent && !urgent) {
        urgent = true;
        something.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /// The backends that changed, as soon as one changed its state, and otherwise after `atMost`.
  Set<String> take(Duration atMost) throws InterruptedException {
    lock.lock();
    try {
      long left = atMost.toNanos();
      while (!urgent && left > 0) {
        left = something.awaitNanos(left);
      }
      Set<String> taken = Set.copyOf(pending);
      pending.clear();
      urgent = false;
      return taken;
    } finally {
      lock.unlock();
    }
  }
}
