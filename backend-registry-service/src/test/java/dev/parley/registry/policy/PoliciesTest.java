package dev.parley.registry.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PoliciesTest {

  private static final Workload ANY = new Workload("m", null, null, 500, 256);

  private static Candidate candidate(String id, double weight, double firstTokenMs) {
    return new Candidate(id, weight, null, 0, firstTokenMs, 30, 1, 1, null);
  }

  private static List<String> ids(List<Choice> order) {
    return order.stream().map(choice -> choice.candidate().id()).toList();
  }

  private static String first(Policy policy, List<Candidate> candidates) {
    return policy.order(candidates, ANY).getFirst().candidate().id();
  }

  @Test
  void theSmallestScoreIsFirst() {
    Policy policy = new WeightedLeastLatency(new Random(1));
    assertEquals(
        List.of("quick", "middling", "slow"),
        ids(
            policy.order(
                List.of(
                    candidate("slow", 1, 20_000),
                    candidate("quick", 1, 100),
                    candidate("middling", 1, 5_000)),
                ANY)));
  }

  @Test
  void equalsTakeTurnsByChance() {
    Policy policy = new WeightedLeastLatency(new Random(1));
    Map<String, Integer> chosen = new HashMap<>();
    for (int i = 0; i < 3000; i++) {
      chosen.merge(
          first(
              policy,
              List.of(candidate("a", 1, 500), candidate("b", 1, 510), candidate("c", 1, 9000))),
          1,
          Integer::sum);
    }
    assertEquals(Set.of("a", "b"), chosen.keySet());
    assertTrue(chosen.getOrDefault("a", 0) > 1300, chosen::toString);
  }

  @Test
  void everyOrderIsOneThatASlowTwinAllows() {
    Random random = new Random(5);
    Policy policy = new WeightedLeastLatency(random);
    for (int round = 0; round < 2000; round++) {
      List<Candidate> candidates = new ArrayList<>();
      for (int i = 0; i < 1 + random.nextInt(7); i++) {
        candidates.add(candidate("b" + i, 1 + random.nextInt(3), 100 + random.nextInt(3000)));
      }
      List<Candidate> left = new ArrayList<>(candidates);
      for (Choice choice : policy.order(candidates, ANY)) {
        double least = left.stream().mapToDouble(c -> Score.of(c, ANY)).min().orElseThrow();
        assertTrue(Score.of(choice.candidate(), ANY) <= least * 1.05);
        assertTrue(left.remove(choice.candidate()));
      }
      assertTrue(left.isEmpty());
    }
  }

  @Test
  void turnsAreSpreadEvenly() {
    Policy policy = new SmoothWeightedRoundRobin();
    List<Candidate> candidates =
        List.of(candidate("a", 5, 1), candidate("b", 1, 1), candidate("c", 1, 1));
    StringBuilder turns = new StringBuilder();
    for (int i = 0; i < 14; i++) {
      turns.append(first(policy, candidates));
    }
    assertEquals("aabacaaaabacaa", turns.toString());
  }

  @Test
  void everyoneGetsItsShareExactlyInEveryCycle() {
    Random random = new Random(11);
    for (int round = 0; round < 200; round++) {
      Policy policy = new SmoothWeightedRoundRobin();
      List<Candidate> candidates = new ArrayList<>();
      int cycle = 0;
      for (int i = 0; i < 1 + random.nextInt(6); i++) {
        int weight = 1 + random.nextInt(9);
        cycle += weight;
        candidates.add(candidate("b" + i, weight, 1));
      }
      Map<String, Integer> chosen = new HashMap<>();
      for (int i = 0; i < 3 * cycle; i++) {
        chosen.merge(first(policy, candidates), 1, Integer::sum);
      }
      for (Candidate candidate : candidates) {
        assertEquals(3 * (int) candidate.weight(), chosen.get(candidate.id()));
      }
    }
  }

  /// The twin keeps no running weights: a backend's current weight is what it gained at every
  /// choice since the beginning, less the total for every time it was chosen.
  @Test
  void equalsATwinThatCountsFromTheBeginning() {
    Random random = new Random(3);
    for (int round = 0; round < 100; round++) {
      List<Candidate> candidates = new ArrayList<>();
      for (int i = 0; i < 2 + random.nextInt(5); i++) {
        candidates.add(candidate("b" + i, 1 + random.nextInt(9), 1));
      }
      double total = candidates.stream().mapToDouble(Candidate::weight).sum();
      Policy policy = new SmoothWeightedRoundRobin();
      Map<String, Integer> chosen = new HashMap<>();
      for (int turn = 1; turn <= 60; turn++) {
        int now = turn;
        Candidate expected =
            candidates.stream()
                .max(
                    Comparator.comparingDouble(
                            (Candidate c) ->
                                c.weight() * now - total * chosen.getOrDefault(c.id(), 0))
                        .thenComparing(Candidate::id, Comparator.reverseOrder()))
                .orElseThrow();
        assertEquals(expected.id(), first(policy, candidates));
        chosen.merge(expected.id(), 1, Integer::sum);
      }
    }
  }

  @Test
  void whoFailsLosesTurnsAndRecovers() {
    Policy policy = new SmoothWeightedRoundRobin();
    List<Candidate> candidates = List.of(candidate("a", 1, 1), candidate("b", 1, 1));
    policy.failed("a");
    policy.failed("a");
    policy.failed("a");
    Map<String, Integer> chosen = new HashMap<>();
    for (int i = 0; i < 10; i++) {
      chosen.merge(first(policy, candidates), 1, Integer::sum);
    }
    assertTrue(chosen.getOrDefault("a", 0) < 5, chosen::toString);
    chosen.clear();
    for (int i = 0; i < 100; i++) {
      chosen.merge(first(policy, candidates), 1, Integer::sum);
    }
    assertEquals(50, chosen.getOrDefault("a", 0), 1);
  }

  @Test
  void groupsDoNotDisturbEachOther() {
    Policy policy = new SmoothWeightedRoundRobin();
    List<Candidate> candidates = List.of(candidate("a", 1, 1), candidate("b", 1, 1));
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < 2; i++) {
      seen.add(first(policy, candidates));
      policy.order(candidates, new Workload("other", null, null, 500, 256));
    }
    assertEquals(Set.of("a", "b"), seen);
  }

  @Test
  void noCandidatesGiveAnEmptyOrder() {
    assertEquals(List.of(), new SmoothWeightedRoundRobin().order(List.of(), ANY));
    assertEquals(List.of(), new WeightedLeastLatency(new Random(1)).order(List.of(), ANY));
  }
}
