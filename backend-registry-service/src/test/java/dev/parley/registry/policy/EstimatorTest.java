package dev.parley.registry.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

class EstimatorTest {

  private static final long SECOND = 1_000_000_000L;

  @Test
  void anUnknownLatencyIsThePrior() {
    assertEquals(500, new LatencyEstimate().read(7 * SECOND, 500), 1e-9);
  }

  @Test
  void theFirstSampleMovesItByAQuarter() {
    LatencyEstimate f = new LatencyEstimate();
    f.update(0, 5000, 500);
    assertEquals(500 * Math.pow(10, 0.25), f.read(0, 500), 1e-9);
  }

  @Test
  void samplesThatComeAtOnceCountLittle() {
    LatencyEstimate f = new LatencyEstimate();
    f.update(0, 500, 500);
    f.update(0, 5000, 500);
    assertEquals(500 * Math.pow(10, 0.02), f.read(0, 500), 1e-9);
  }

  @Test
  void aSampleAfterASecondCountsByItsDistance() {
    LatencyEstimate f = new LatencyEstimate();
    f.update(0, 500, 500);
    f.update(SECOND, 5000, 500);
    assertEquals(500 * Math.pow(10, 1 - Math.exp(-0.1)), f.read(SECOND, 500), 1e-6);
  }

  @Test
  void anExtremeSampleIsClipped() {
    LatencyEstimate f = new LatencyEstimate();
    f.update(0, 1e9, 500);
    assertEquals(500 * Math.pow(30, 0.25), f.read(0, 500), 1e-6);
  }

  @Test
  void withoutSamplesItDriftsToThePriorWithinAMinute() {
    LatencyEstimate f = new LatencyEstimate();
    f.update(0, 15_000, 500);
    assertEquals(500 * Math.pow(30, 0.25 * Math.exp(-1)), f.read(60 * SECOND, 500), 1e-6);
    assertEquals(500, f.read(3600 * SECOND, 500), 1e-3);
  }

  @Test
  void equalsASlowTwinThatStepsThroughItsHistory() {
    Random random = new Random(7);
    for (int round = 0; round < 300; round++) {
      LatencyEstimate fast = new LatencyEstimate();
      List<double[]> history = new ArrayList<>();
      long now = 0;
      for (int i = 0; i < 20; i++) {
        now += (long) (random.nextDouble() * 30 * SECOND);
        double sample = Math.exp(random.nextGaussian() * 2 + 6);
        fast.update(now, sample, 500);
        history.add(new double[] {now / 1e9, sample});
        double at = now / 1e9 + random.nextDouble() * 60;
        double expected = Math.exp(twin(history, at));
        assertEquals(expected, fast.read((long) (at * 1e9), 500), expected * 1e-6);
      }
    }
  }

  private static double twin(List<double[]> history, double at) {
    double prior = Math.log(500);
    double value = prior;
    double last = Double.NEGATIVE_INFINITY;
    for (double[] sample : history) {
      double age = sample[0] - last;
      double drifted = prior + (value - prior) * Math.exp(-age / 60);
      double x = Math.log(Math.max(500 / 30.0, Math.min(500 * 30.0, sample[1])));
      double alpha = Math.max(0.02, Math.min(0.25, 1 - Math.exp(-age / 10)));
      value = (1 - alpha) * drifted + alpha * x;
      last = sample[0];
    }
    return prior + (value - prior) * Math.exp(-(at - last) / 60);
  }

  @Test
  void aFailureCostsAFifthAndIsForgivenInHalfAMinute() {
    SuccessRate p = new SuccessRate();
    assertEquals(1, p.read(0), 1e-12);
    p.update(0, false);
    assertEquals(0.8, p.read(0), 1e-12);
    assertEquals(1 - 0.2 * Math.exp(-1), p.read(30 * SECOND), 1e-12);
  }

  @Test
  void successNeverFallsBelowItsFloor() {
    SuccessRate p = new SuccessRate();
    for (int i = 0; i < 100; i++) {
      p.update(0, false);
    }
    assertEquals(0.05, p.read(0), 1e-12);
  }

  @Test
  void thePriorIsTheMedianAndAGuessWithoutAny() {
    assertEquals(500, FleetPrior.of(DoubleStream.empty(), 500), 0);
    assertEquals(70, FleetPrior.of(DoubleStream.of(9000, 70, 1), 500), 0);
    assertEquals(200, FleetPrior.of(DoubleStream.of(100, 9999, 400, 3), 500), 1e-9);
  }

  @Test
  void aMeanFollowsSlowly() {
    Mean mean = new Mean(500);
    mean.update(1500);
    assertEquals(550, mean.value(), 1e-9);
    for (int i = 0; i < 200; i++) {
      mean.update(1500);
    }
    assertTrue(mean.value() > 1499);
  }
}
