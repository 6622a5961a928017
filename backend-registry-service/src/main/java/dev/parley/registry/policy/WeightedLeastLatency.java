package dev.parley.registry.policy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.random.RandomGenerator;

/// The smallest [Score] first. Scores within 5 % of the smallest are a tie, which chance breaks:
/// estimates are no better than that, and many clients with the same snapshot must not all run to
/// the same backend.
public final class WeightedLeastLatency implements Policy {

  public static final String NAME = "weighted-least-latency";

  /// See above.
  static final double TIE = 1.05;

  private record Scored(Candidate candidate, double score) {}

  private final RandomGenerator random;

  public WeightedLeastLatency(RandomGenerator random) {
    this.random = random;
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public List<Choice> order(List<Candidate> candidates, Workload workload) {
    List<Scored> remaining = new ArrayList<>();
    for (Candidate candidate : candidates) {
      remaining.add(new Scored(candidate, Score.of(candidate, workload)));
    }
    remaining.sort(Comparator.comparingDouble(Scored::score));
    List<Choice> order = new ArrayList<>();
    while (!remaining.isEmpty()) {
      double tied = remaining.getFirst().score * TIE;
      int ties = 1;
      while (ties < remaining.size() && remaining.get(ties).score <= tied) {
        ties++;
      }
      Scored next = remaining.remove(ties == 1 ? 0 : random.nextInt(ties));
      order.add(new Choice(next.candidate, reason(next, ties)));
    }
    return order;
  }

  private static String reason(Scored chosen, int ties) {
    String text = String.format(Locale.ROOT, "expected cost %.0f ms", chosen.score);
    if (chosen.candidate.slowStart() < 1) {
      text +=
          String.format(
              Locale.ROOT, ", still in slow start at %.0f %%", 100 * chosen.candidate.slowStart());
    }
    return ties == 1 ? text : text + ", chosen at random among " + ties + " within 5 %";
  }
}
