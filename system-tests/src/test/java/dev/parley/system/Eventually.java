package dev.parley.system;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// Waiting for something that another process will do.
final class Eventually {

  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(50);

  private Eventually() {}

  /// Looks until the condition holds; fails after a minute with what was awaited.
  static void eventually(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadline >= 0) {
        throw new AssertionError("never came true: " + what);
      }
      pause();
    }
  }

  /// Yields to the processes under test between two looks.
  static void pause() {
    LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
  }
}
