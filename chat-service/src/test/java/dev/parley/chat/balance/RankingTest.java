package dev.parley.chat.balance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RankingTest {

  private final AtomicLong nanos = new AtomicLong();
  private final InFlight inFlight = new InFlight(nanos::get);
  private final CoolDowns coolDowns = new CoolDowns(nanos::get);
  private final Ranking ranking = new Ranking(inFlight, coolDowns, new Random(7));
  private final Ranking.Request request = new Ranking.Request(100, 1e9);

  private static Candidate candidate(String id, double first, int tier, @Nullable Integer max) {
    return new Candidate(
        id,
        id,
        "http://x",
        "m",
        null,
        tier,
        1,
        max,
        "up",
        0,
        4,
        first,
        10,
        1,
        1,
        0,
        null,
        true,
        null);
  }

  private static Snapshot snapshot(int replicas, Candidate... candidates) {
    return new Snapshot(
        new Selection(1, 2000, null, replicas, 500, 256, List.of(candidates), null), 0, Map.of());
  }

  private List<String> order(Snapshot snapshot) {
    return ranking.rank(snapshot, request, Set.of()).stream().map(Candidate::backendId).toList();
  }

  @Test
  void theScoreIsTheFormulaWrittenOut() {
    Random random = new Random(1);
    for (int i = 0; i < 10_000; i++) {
      double f = 1 + random.nextDouble() * 2000;
      double d = random.nextDouble() * 100;
      double p = random.nextDouble();
      double w = 0.1 + random.nextDouble() * 5;
      double r = 0.1 + random.nextDouble() * 0.9;
      int k = 1 + random.nextInt(20);
      int n = random.nextInt(40);
      int n0 = random.nextInt(40);
      double tokens = random.nextInt(8000);
      double maxOut = random.nextInt(1000);
      double meanIn = random.nextInt(2000);
      double meanOut = random.nextInt(600);
      double age = random.nextInt(20_000);
      Candidate c =
          new Candidate(
              "a", "a", "u", "m", null, 0, w, null, null, 0, k, f, d, p, r, 0, null, null, null);

      double g = 1 + 0.5 * Math.min(n, k - 1) / Math.max(1, k - 1);
      double mean = (f * (1 + meanIn / 1000) + d * meanOut) * g;
      double u = 1 + tokens / 1000;
      double wait0 = Math.max(0, n0 + 1.0 - k) / k * mean;
      double first = Math.max(f, (age - wait0) / (u * g));
      double s = (first * u + d * Math.min(maxOut, meanOut)) * g;
      double e = s + Math.max(0, n + 1.0 - k) / k * mean;
      double q = Math.max(0.05, p);
      double expected = (e / q + 10_000 * (1 - q) / q) / (w * r);

      double score = Score.of(c, new Score.Inputs(tokens, maxOut, meanIn, meanOut, n, age, n0));
      assertEquals(expected, score, expected * 1e-9);
    }
  }

  @Test
  void theFasterComesFirstUntilItIsBusy() {
    Snapshot snapshot =
        snapshot(1, candidate("fast", 100, 0, null), candidate("slow", 900, 0, null));
    assertEquals(List.of("fast", "slow"), order(snapshot));
    for (int i = 0; i < 8; i++) {
      inFlight.start("fast", i);
    }
    assertEquals(List.of("slow", "fast"), order(snapshot));
  }

  @Test
  void ownStartsCountOncePerReplica() {
    Snapshot snapshot = snapshot(3, candidate("a", 100, 0, null));
    InFlight.Ticket ticket = inFlight.start("a", 0);
    assertEquals(3, ranking.estimatedInFlight(snapshot, candidate("a", 100, 0, null)));
    ticket.release();
    ticket.release();
    assertEquals(0, inFlight.at("a"));
  }

  @Test
  void aLowerTierIsUsedBeforeAFasterHigherOne() {
    assertEquals(
        List.of("near", "far"),
        order(snapshot(1, candidate("far", 1, 1, null), candidate("near", 900, 0, null))));
  }

  @Test
  void aFullBackendIsLeftOut() {
    inFlight.start("a", 0);
    assertEquals(
        List.of("b"), order(snapshot(1, candidate("a", 1, 0, 1), candidate("b", 900, 0, 1))));
  }

  @Test
  void aBackendThatJustFailedIsTriedLastAndComesBack() {
    Snapshot snapshot = snapshot(1, candidate("a", 1, 0, null), candidate("b", 900, 0, null));
    coolDowns.failed("a");
    assertEquals(List.of("b", "a"), order(snapshot));
    nanos.addAndGet(1_000_000_001L);
    assertEquals(List.of("a", "b"), order(snapshot));
    coolDowns.failed("a");
    nanos.addAndGet(1_000_000_001L);
    assertTrue(coolDowns.resting("a"));
    coolDowns.succeeded("a");
    assertFalse(coolDowns.resting("a"));
  }

  @Test
  void equalBackendsShare() {
    Snapshot snapshot = snapshot(1, candidate("a", 100, 0, null), candidate("b", 101, 0, null));
    Set<String> firsts = new HashSet<>();
    for (int i = 0; i < 50; i++) {
      firsts.add(order(snapshot).getFirst());
    }
    assertEquals(Set.of("a", "b"), firsts);
  }

  @Test
  void retriesAreAFifthOfTheRequestsPlusOneASecond() {
    RetryBudget budget = new RetryBudget(nanos::get);
    while (budget.retry()) {}
    for (int i = 0; i < 9; i++) {
      budget.request();
    }
    assertTrue(budget.retry());
    assertFalse(budget.retry());
    nanos.addAndGet(1_000_000_000L);
    assertTrue(budget.retry());
    assertFalse(budget.retry());
  }
}
