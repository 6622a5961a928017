package dev.parley.registry.policy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Round robin by weight that spreads each backend's turns evenly, as nginx does: at every choice
/// all current weights rise by their effective weight, the largest is chosen, and it pays the sum
/// of what all gained. With weights 5, 1, 1 it chooses a a b a c a a rather than a a a a a b c.
///
/// The effective weight is the weight, less a third of it for every failure (three failures are
/// what takes a backend down), and recovers by a tenth of it at every choice.
public final class SmoothWeightedRoundRobin implements Policy {

  public static final String NAME = "smooth-weighted-round-robin";

  private static final double LOSS_PER_FAILURE = 1.0 / 3;
  private static final double GAIN_PER_CHOICE = 0.1;

  /// Groups remembered; the longest unused one starts afresh.
  private static final int MAX_GROUPS = 1024;

  private final Map<String, Map<String, Double>> currentByGroup =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Map<String, Double>> eldest) {
          return size() > MAX_GROUPS;
        }
      };

  /// The share of its weight that a backend which failed has left; absent means all of it.
  private final Map<String, Double> left = new HashMap<>();

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public List<Choice> order(List<Candidate> candidates, Workload workload) {
    if (candidates.isEmpty()) {
      return List.of();
    }
    Map<String, Double> current =
        currentByGroup.computeIfAbsent(workload.group(), group -> new HashMap<>());
    current.keySet().retainAll(candidates.stream().map(Candidate::id).toList());
    double total = 0;
    for (Candidate candidate : candidates) {
      double effective =
          candidate.weight() * candidate.slowStart() * left.getOrDefault(candidate.id(), 1.0);
      total += effective;
      current.merge(candidate.id(), effective, Double::sum);
      left.computeIfPresent(
          candidate.id(),
          (id, share) -> share + GAIN_PER_CHOICE >= 1 ? null : share + GAIN_PER_CHOICE);
    }
    List<Candidate> order = new ArrayList<>(candidates);
    order.sort(
        Comparator.comparingDouble((Candidate c) -> current.getOrDefault(c.id(), 0.0))
            .reversed()
            .thenComparing(Candidate::id));
    List<Choice> choices = new ArrayList<>();
    for (Candidate candidate : order) {
      choices.add(
          new Choice(
              candidate,
              String.format(
                  Locale.ROOT,
                  "current weight %.2f of %.2f",
                  current.getOrDefault(candidate.id(), 0.0),
                  total)));
    }
    current.merge(order.getFirst().id(), -total, Double::sum);
    return choices;
  }

  @Override
  public void failed(String backendId) {
    left.merge(
        backendId, 1 - LOSS_PER_FAILURE, (share, _) -> Math.max(0, share - LOSS_PER_FAILURE));
  }

  @Override
  public void forget(String backendId) {
    left.remove(backendId);
    currentByGroup.values().forEach(current -> current.remove(backendId));
  }
}
