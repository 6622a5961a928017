package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What follows from the logs of all nodes: which values are chosen, and whether they form a chain.
///
/// A value is chosen once a majority has it on disk under the same ballot, whatever those nodes
/// accepted later. The logs of a search are never cleaned, so they tell all of it.
final class ChosenValues {

  /// What the logs say.
  ///
  /// @param wrong what is wrong with them, or null
  /// @param proposed the value of every ballot that is in a log, durable or not
  /// @param chosen the chosen values in the order of their ballots
  record Verdict(@Nullable String wrong, Map<Ballot, Versioned> proposed, List<Versioned> chosen) {}

  private record Name(int first, int second, int third) {}

  private final NodeStates nodes;
  private final Map<Name, Verdict> verdicts = new HashMap<>();

  ChosenValues(NodeStates nodes) {
    this.nodes = nodes;
  }

  Verdict of(int first, int second, int third) {
    Name name = new Name(nodes.logState(first), nodes.logState(second), nodes.logState(third));
    return verdicts.computeIfAbsent(name, this::judge);
  }

  private Verdict judge(Name name) {
    Map<Ballot, Versioned> proposed = new HashMap<>();
    TreeMap<Ballot, Integer> votes = new TreeMap<>();
    String wrong = null;
    boolean purged = false;
    for (int logState : new int[] {name.first(), name.second(), name.third()}) {
      int lsn = 0;
      Ballot last = Ballot.ZERO;
      for (LogRecord record : nodes.records(logState)) {
        lsn++;
        purged |= record instanceof LogRecord.Purged;
        if (record instanceof LogRecord.Entry(var key, var ballot, var value)
            && key.equals(BoundedScenario.KEY)) {
          if (ballot.compareTo(last) <= 0) {
            wrong = "a node accepted ballot " + ballot + " after ballot " + last;
          }
          last = ballot;
          Versioned other = proposed.putIfAbsent(ballot, value);
          if (other != null && !same(other, value)) {
            wrong = "ballot " + ballot + " carries two values";
          }
          if (lsn <= nodes.durable(logState)) {
            votes.merge(ballot, 1, Integer::sum);
          }
        }
      }
    }
    List<Versioned> chosen = new ArrayList<>();
    Ballot before = Ballot.ZERO;
    for (var vote : votes.entrySet()) {
      Versioned value = proposed.get(vote.getKey());
      if (vote.getValue() < 2 || value == null) {
        continue;
      }
      if (wrong == null && !chosen.isEmpty() && !extended(chosen.getLast(), value, purged)) {
        wrong =
            "what ballot %s chose, %s, does not build on what ballot %s chose, %s"
                .formatted(vote.getKey(), text(value), before, text(chosen.getLast()));
      }
      wrong = wrong == null ? memory(value) : wrong;
      chosen.add(value);
      before = vote.getKey();
    }
    return new Verdict(wrong, proposed, chosen);
  }

  static boolean same(Versioned a, Versioned b) {
    return a.version() == b.version()
        && Arrays.equals(a.body(), b.body())
        && Arrays.equals(a.memory(), b.memory())
        && a.windowStart() == b.windowStart();
  }

  /// Whether the later value is the earlier one, or was made from it by further operations. No
  /// scenario has so many operations that a key forgets one; but with a purged tombstone all that
  /// was before it is forgotten, and what follows must lie above.
  private static boolean extended(Versioned earlier, Versioned later, boolean purged) {
    if (later.version() == earlier.version()) {
      return same(earlier, later);
    }
    if (purged
        && !earlier.exists()
        && later.traces().stream().allMatch(trace -> trace.version() > earlier.version())) {
      return later.windowStart() >= earlier.version();
    }
    int size = earlier.traces().size();
    return later.version() > earlier.version()
        && later.traces().size() > size
        && later.traces().subList(0, size).equals(earlier.traces());
  }

  /// Checks that versions rise strictly, and that each operation took effect once.
  private static @Nullable String memory(Versioned value) {
    List<Versioned.Trace> recent = value.traces();
    for (int i = 0; i < recent.size(); i++) {
      for (int j = 0; j < i; j++) {
        if (recent.get(j).op().equals(recent.get(i).op())) {
          return "an operation took effect twice: " + text(value);
        }
        if (recent.get(j).version() >= recent.get(i).version()) {
          return "versions do not rise: " + text(value);
        }
      }
    }
    return recent.isEmpty() || recent.getLast().version() != value.version()
        ? "the last operation did not make the version: " + text(value)
        : null;
  }

  /// Why the answer must not be given while this is what the logs say, or null if it may.
  @Nullable String unfounded(Verdict logs, int op, Answer answer) {
    boolean founded =
        switch (answer) {
          case Answer.Applied(var version, _) ->
              logs.chosen().stream()
                  .anyMatch(
                      value ->
                          value.traces().stream()
                              .anyMatch(
                                  trace -> trace.op().low() == op && trace.version() == version));
          case Answer.Found(var version, _, _) -> chosen(logs, version);
          case Answer.Conflict(var version) -> version == 0 || chosen(logs, version);
          default -> true;
        };
    return founded ? null : text(answer) + " was answered from a value that is not chosen";
  }

  private static boolean chosen(Verdict logs, long version) {
    return logs.chosen().stream().anyMatch(value -> value.version() == version);
  }

  static String text(Answer answer) {
    return answer instanceof Answer.Found(var version, var body, _)
        ? "Found["
            + version
            + ", "
            + new String(body, java.nio.charset.StandardCharsets.UTF_8)
            + "]"
        : answer.toString();
  }

  static String text(Versioned value) {
    String body =
        value.body() == null
            ? "deleted"
            : new String(value.body(), java.nio.charset.StandardCharsets.UTF_8);
    List<String> made = new ArrayList<>();
    for (Versioned.Trace trace : value.traces()) {
      made.add("#" + trace.op().low() + "@" + trace.version());
    }
    return "{" + value.version() + " " + body + ", made by " + made + "}";
  }
}
