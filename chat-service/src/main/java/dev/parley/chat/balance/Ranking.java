package dev.parley.chat.balance;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;

/// Puts the candidates of a snapshot into the order in which to try them.
///
/// Lower tiers first; within a tier, backends that this replica has seen failing a moment ago come
/// last, and the others by [Score]. Those within 5 % of the best are drawn at random, so that equal
/// backends share. A backend at its limit is left out.
public final class Ranking {

  private static final double NEARLY_EQUAL = 1.05;

  private final InFlight inFlight;
  private final CoolDowns coolDowns;
  private final RandomGenerator random;

  public Ranking(InFlight inFlight, CoolDowns coolDowns, RandomGenerator random) {
    this.inFlight = inFlight;
    this.coolDowns = coolDowns;
    this.random = random;
  }

  /// @param maxTokens the request's own limit, or a large number
  public record Request(double promptTokens, double maxTokens) {}

  private record Scored(Candidate candidate, double score) {}

  public List<Candidate> rank(Snapshot snapshot, Request request, Set<String> exclude) {
    List<Scored> fit = new ArrayList<>();
    List<Scored> resting = new ArrayList<>();
    for (Candidate candidate : snapshot.selection().candidates()) {
      if (exclude.contains(candidate.backendId()) || full(snapshot, candidate)) {
        continue;
      }
      Scored scored = new Scored(candidate, score(snapshot, candidate, request));
      (coolDowns.resting(candidate.backendId()) ? resting : fit).add(scored);
    }
    List<Candidate> order = new ArrayList<>(ordered(fit));
    order.addAll(ordered(resting));
    return order;
  }

  public double estimatedInFlight(Snapshot snapshot, Candidate candidate) {
    return snapshot.estimatedInFlight(candidate, inFlight.at(candidate.backendId()));
  }

  private boolean full(Snapshot snapshot, Candidate candidate) {
    Integer limit = candidate.maxConcurrency();
    return limit != null && estimatedInFlight(snapshot, candidate) >= limit;
  }

  private double score(Snapshot snapshot, Candidate candidate, Request request) {
    InFlight.Oldest oldest = inFlight.oldestWaiting(candidate.backendId());
    Selection selection = snapshot.selection();
    return Score.of(
        candidate,
        new Score.Inputs(
            request.promptTokens(),
            request.maxTokens(),
            selection.meanPromptTokens(),
            selection.meanOutputTokens(),
            estimatedInFlight(snapshot, candidate),
            oldest.ageMillis(),
            oldest.inFlightAtStart()));
  }

  private List<Candidate> ordered(List<Scored> scored) {
    scored.sort(
        Comparator.comparingInt((Scored s) -> s.candidate.tier())
            .thenComparingDouble(Scored::score));
    if (scored.size() > 1) {
      Scored best = scored.getFirst();
      int near = 1;
      while (near < scored.size()
          && scored.get(near).candidate.tier() == best.candidate.tier()
          && scored.get(near).score <= best.score * NEARLY_EQUAL) {
        near++;
      }
      scored.addFirst(scored.remove(random.nextInt(near)));
    }
    return scored.stream().map(Scored::candidate).toList();
  }
}
