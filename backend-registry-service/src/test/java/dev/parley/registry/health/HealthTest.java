package dev.parley.registry.health;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HealthTest {

  private static final long SECOND = 1_000_000_000L;

  private long now = 1000 * SECOND;
  private Health health = new Health(HealthSettings.DEFAULT, new Random(1), 0);

  @BeforeEach
  void begin() {
    health = new Health(HealthSettings.DEFAULT, new Random(1), now);
  }

  private void up() {
    health.probeSucceeded(now);
    assertEquals(State.UP, health.state(now));
  }

  private void later(double seconds) {
    now += (long) (seconds * SECOND);
  }

  private void fail(int times) {
    for (int i = 0; i < times; i++) {
      health.failed(now, true);
    }
  }

  @Test
  void aNewBackendIsUpAtItsFirstGoodAnswer() {
    assertEquals(State.COMING_UP, health.state(now));
    assertFalse(health.usable(now));
    assertTrue(health.fresh());
    up();
    assertTrue(health.usable(now));
    assertFalse(health.fresh());
  }

  @Test
  void threeFailedProbesTakeItDownAndTwoGoodOnesBringItBack() {
    up();
    health.probeFailed(now);
    assertEquals(State.GOING_DOWN, health.state(now));
    assertTrue(health.usable(now));
    health.probeFailed(now);
    assertEquals(State.GOING_DOWN, health.state(now));
    health.probeFailed(now);
    assertEquals(State.DOWN, health.state(now));
    assertFalse(health.usable(now));
    health.probeSucceeded(now);
    assertEquals(State.COMING_UP, health.state(now));
    assertFalse(health.usable(now));
    assertFalse(health.fresh());
    health.probeFailed(now);
    assertEquals(State.DOWN, health.state(now));
    health.probeSucceeded(now);
    health.probeSucceeded(now);
    assertEquals(State.UP, health.state(now));
  }

  @Test
  void oneGoodProbeEndsAFall() {
    up();
    health.probeFailed(now);
    health.probeFailed(now);
    health.probeSucceeded(now);
    health.probeFailed(now);
    health.probeFailed(now);
    assertEquals(State.GOING_DOWN, health.state(now));
  }

  @Test
  void itIsProbedEveryTenSecondsAndEverySecondInTransition() {
    assertTrue(health.probeDue(now));
    up();
    assertFalse(health.probeDue(now + 8 * SECOND - 1));
    assertTrue(health.probeDue(now + 12 * SECOND));
    health.probeFailed(now);
    assertFalse(health.probeDue(now + 8 * SECOND / 10 - 1));
    assertTrue(health.probeDue(now + 12 * SECOND / 10));
  }

  @Test
  void aFailedRequestIsAReasonToProbeAtOnceButNotMoreThanOnceASecond() {
    up();
    health.failed(now, true);
    assertFalse(health.probeDue(now));
    later(1);
    assertTrue(health.probeDue(now));
  }

  @Test
  void fiveFailuresInARowEjectIt() {
    up();
    fail(4);
    assertEquals(State.UP, health.state(now));
    fail(1);
    assertEquals(State.EJECTED, health.state(now));
    assertFalse(health.usable(now));
    assertTrue(health.onlyEjected(now));
  }

  @Test
  void aSuccessInBetweenBeginsTheCountAgain() {
    up();
    fail(4);
    health.succeeded(now);
    fail(4);
    assertEquals(State.UP, health.state(now));
  }

  @Test
  void lessThanFourFifthsOfTenOutcomesEjectIt() {
    up();
    for (int i = 0; i < 7; i++) {
      health.succeeded(now);
    }
    fail(2);
    assertEquals(State.UP, health.state(now));
    fail(1);
    assertEquals(State.EJECTED, health.state(now));
  }

  @Test
  void outcomesOlderThanHalfAMinuteDoNotCount() {
    up();
    for (int i = 0; i < 7; i++) {
      health.succeeded(now);
    }
    fail(2);
    later(31);
    fail(1);
    assertEquals(State.UP, health.state(now));
  }

  @Test
  void itIsNotEjectedIfTooFewOthersWouldBeLeft() {
    up();
    for (int i = 0; i < 50; i++) {
      health.failed(now, false);
    }
    assertEquals(State.UP, health.state(now));
    health.failed(now, true);
    assertEquals(State.EJECTED, health.state(now));
  }

  @Test
  void aGreenHealthPageDoesNotEndAnEjectionButACompletedAnswerDoes() {
    up();
    fail(5);
    health.probeSucceeded(now);
    assertEquals(State.EJECTED, health.state(now));
    health.succeeded(now);
    assertEquals(State.UP, health.state(now));
    assertEquals(0.1, health.slowStart(now), 1e-9);
  }

  @Test
  void afterAnEjectionItIsTriedWithOneRequest() {
    up();
    fail(5);
    later(7.9);
    assertEquals(State.EJECTED, health.state(now));
    later(4.2);
    assertTrue(health.onTrial(now));
    assertTrue(health.usable(now));
    assertEquals(State.COMING_UP, health.state(now));
    assertTrue(health.trialDue(now));
    health.trialStarted(now);
    assertFalse(health.trialDue(now));
    health.failed(now, false);
    assertEquals(State.EJECTED, health.state(now));
  }

  @Test
  void eachEjectionIsTwiceAsLongUpToFiveMinutesAndAHealthyMinuteForgivesOne() {
    up();
    double[] expected = {10, 20, 40, 80, 160, 300, 300};
    for (int k = 0; k < expected.length; k++) {
      fail(5);
      double length = health.retryInNanos(now) / 1e9;
      assertTrue(
          length >= Math.min(expected[k], 320) * 0.8 - 1e-6
              && length <= Math.min(300, expected[k] * 1.2) + 1e-6,
          "ejection " + k + " took " + length);
      assertEquals(Math.min(5, k + 1), health.level(now));
      later(length);
      assertTrue(health.onTrial(now));
      health.succeeded(now);
    }
    later(60);
    assertEquals(4, health.level(now));
    later(600);
    assertEquals(0, health.level(now));
  }

  @Test
  void aRateLimitEndsWhenItSaidAndALongerOneExtendsIt() {
    up();
    health.rateLimited(now, 2_000);
    health.rateLimited(now, 20_000);
    health.rateLimited(now, 1_000);
    assertEquals(State.RATE_LIMITED, health.state(now));
    assertFalse(health.usable(now));
    later(19.9);
    assertEquals(State.RATE_LIMITED, health.state(now));
    later(0.1);
    assertEquals(State.UP, health.state(now));
  }

  @Test
  void aRateLimitLastsFiveSecondsByDefaultAndFiveMinutesAtMost() {
    up();
    health.rateLimited(now, 0);
    assertEquals(5 * SECOND, health.retryInNanos(now));
    health.rateLimited(now, 86_400_000);
    assertEquals(300 * SECOND, health.retryInNanos(now));
    health.rateLimited(now, Long.MAX_VALUE);
    assertEquals(300 * SECOND, health.retryInNanos(now));
  }

  @Test
  void aRefusedProbeMakesItMisconfiguredUntilOneIsAnswered() {
    up();
    health.probeRefused(now);
    assertEquals(State.MISCONFIGURED, health.state(now));
    assertFalse(health.probeDue(now + 47 * SECOND));
    assertTrue(health.probeDue(now + 72 * SECOND));
    health.probeSucceeded(now);
    assertEquals(State.UP, health.state(now));
  }

  @Test
  void aRefusedRequestIsNotClearedByAGreenHealthPageButByAnAnswer() {
    up();
    health.misconfigured(now);
    health.probeSucceeded(now);
    assertEquals(State.MISCONFIGURED, health.state(now));
    assertFalse(health.trialDue(now));
    later(72);
    assertTrue(health.trialDue(now));
    health.succeeded(now);
    assertEquals(State.UP, health.state(now));
  }

  @Test
  void itTakesAMinuteToGetItsFullShare() {
    up();
    assertEquals(0.1, health.slowStart(now), 1e-9);
    later(30);
    assertEquals(0.5, health.slowStart(now), 1e-9);
    later(60);
    assertEquals(1, health.slowStart(now), 1e-9);
  }
}
