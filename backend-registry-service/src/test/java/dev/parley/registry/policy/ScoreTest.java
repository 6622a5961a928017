package dev.parley.registry.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ScoreTest {

  private static final Workload TYPICAL = new Workload("m", 500, null, 500, 256);

  private static Candidate candidate(int inFlight, @Nullable Integer max, double p, double r) {
    return new Candidate("b", 1, max, inFlight, 500, 30, p, r, null);
  }

  @Test
  void anIdleHealthyBackendCostsFirstTokenPlusTokens() {
    // f·u(P) + d·Ō = 500·1.5 + 30·256
    assertEquals(8430, Score.of(candidate(0, null, 1, 1), TYPICAL), 1e-9);
  }

  @Test
  void aBusyBackendIsSlowerAndBeyondItsTargetItQueues() {
    // K = 2: g(1) = 1.5, no wait yet at n = 1: (1+1−2)/2 = 0
    assertEquals(8430 * 1.5, Score.of(candidate(1, 4, 1, 1), TYPICAL), 1e-9);
    // n = 3: g = 1.5, wait = (3+1−2)/2 · S̄ = S̄
    assertEquals(8430 * 1.5 * 2, Score.of(candidate(3, 4, 1, 1), TYPICAL), 1e-9);
  }

  @Test
  void failuresCostRetriesAndTheirPenalty() {
    // E/p + 10 000·(1−p)/p at p = 0.5
    assertEquals(8430 / 0.5 + 10_000, Score.of(candidate(0, null, 0.5, 1), TYPICAL), 1e-9);
  }

  @Test
  void aBackendInSlowStartLooksCostlier() {
    assertEquals(84_300, Score.of(candidate(0, null, 1, 0.1), TYPICAL), 1e-6);
  }

  @Test
  void aShortAnswerCostsLess() {
    Workload shortOne = new Workload("m", 0, 10, 500, 256);
    assertEquals(500 + 300, Score.of(candidate(0, null, 1, 1), shortOne), 1e-9);
  }

  @Test
  void aRequestThatStillWaitsMakesItsBackendSlow() {
    Candidate hung =
        new Candidate("b", 1, null, 1, 500, 30, 1, 1, new Candidate.Waiting(60_000, 0, 0));
    double batch = 1 + 0.5 / 15;
    assertEquals((60_000 * 1.5 + 30 * 256) * batch, Score.of(hung, TYPICAL), 1e-6);
  }

  @Test
  void equalsASlowTwinOnRandomInputs() {
    Random random = new Random(42);
    for (int i = 0; i < 20_000; i++) {
      Integer max = random.nextBoolean() ? null : Integer.valueOf(1 + random.nextInt(40));
      Candidate.Waiting waiting =
          random.nextInt(3) > 0
              ? null
              : new Candidate.Waiting(
                  random.nextDouble() * 1e5, random.nextInt(20), random.nextInt(5000));
      Candidate c =
          new Candidate(
              "b",
              0.1 + random.nextDouble() * 10,
              max,
              random.nextInt(50),
              1 + random.nextDouble() * 5000,
              1 + random.nextDouble() * 200,
              0.05 + random.nextDouble() * 0.95,
              0.1 + random.nextDouble() * 0.9,
              waiting);
      Workload w =
          new Workload(
              "m",
              random.nextBoolean() ? null : Integer.valueOf(random.nextInt(9000)),
              random.nextBoolean() ? null : Integer.valueOf(random.nextInt(2000)),
              1 + random.nextDouble() * 3000,
              1 + random.nextDouble() * 900);
      double score = Score.of(c, w);
      assertEquals(twin(c, w), score, score * 1e-12);
      assertTrue(Double.isFinite(score) && score > 0);
    }
  }

  /// The design page, line by line.
  private static double twin(Candidate c, Workload w) {
    double kTarget = c.maxConcurrency() == null ? 16 : Math.ceil(c.maxConcurrency() / 2.0);
    double f = c.firstTokenMs();
    double d = c.perTokenMs();
    double meanService =
        (f * (1 + w.meanPromptTokens() / 1000) + d * w.meanOutputTokens())
            * g(c.inFlight(), kTarget);
    double prompt = w.promptTokens() == null ? w.meanPromptTokens() : w.promptTokens();
    double output =
        w.maxTokens() == null
            ? w.meanOutputTokens()
            : Math.min(w.maxTokens(), w.meanOutputTokens());
    double fNow = f;
    if (c.oldestWaiting() != null) {
      Candidate.Waiting o = c.oldestWaiting();
      double waited = Math.max(0, o.inFlightAtStart() + 1 - kTarget) / kTarget * meanService;
      double lower =
          (o.ageMs() - waited)
              / ((1 + o.promptTokens() / 1000.0) * g(o.inFlightAtStart(), kTarget));
      fNow = Math.max(f, lower);
    }
    double s = (fNow * (1 + prompt / 1000) + d * output) * g(c.inFlight(), kTarget);
    double e = s + Math.max(0, c.inFlight() + 1 - kTarget) / kTarget * meanService;
    double p = c.successRate();
    return (e / p + 10_000 * (1 - p) / p) / (c.weight() * c.slowStart());
  }

  private static double g(double n, double k) {
    return 1 + 0.5 * Math.min(n, k - 1) / Math.max(1, k - 1);
  }
}
