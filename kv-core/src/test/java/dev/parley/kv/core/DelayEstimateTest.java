package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class DelayEstimateTest {

  private final DelayEstimate estimate = new DelayEstimate();

  @Test
  void comesToWhatIsMeasuredAndTellsHowFarItVaries() {
    assertEquals(0, estimate.mean());
    assertEquals(0, estimate.high());
    for (int i = 0; i < 500; i++) {
      estimate.measured(i % 2 == 0 ? 2_000_000 : 4_000_000);
    }
    assertEquals(3e6, estimate.mean(), 0.2e6);
    assertEquals(7e6, estimate.high(), 0.5e6);
  }

  @Test
  void aClockThatLeapsIsNotBelieved() {
    estimate.measured(Long.MAX_VALUE);
    estimate.measured(-1);
    estimate.measured(Long.MIN_VALUE);
    assertTrue(estimate.mean() >= 0);
    assertTrue(estimate.high() <= Duration.ofMinutes(5).toNanos());
  }
}
