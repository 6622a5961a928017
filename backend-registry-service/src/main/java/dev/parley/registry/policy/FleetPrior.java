package dev.parley.registry.policy;

import java.util.Arrays;
import java.util.stream.DoubleStream;

/// What is assumed of a backend that nothing is known about: the median of those that were
/// measured. It is neither 0, which would draw all requests to the newcomer, nor so large that it
/// never gets one.
public final class FleetPrior {

  /// First token of a short prompt on common hardware, in milliseconds.
  public static final double FIRST_TOKEN_MS = 500;

  /// Some 33 tokens a second, in milliseconds for each.
  public static final double PER_TOKEN_MS = 30;

  private FleetPrior() {}

  /// The median; of an even number the geometric mean of the middle two, as these are latencies.
  public static double of(DoubleStream measured, double otherwise) {
    double[] sorted = measured.sorted().toArray();
    if (sorted.length == 0) {
      return otherwise;
    }
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1
        ? sorted[middle]
        : Math.sqrt(Arrays.stream(sorted, middle - 1, middle + 1).reduce(1, (a, b) -> a * b));
  }
}
