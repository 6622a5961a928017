package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// What follows from the logs of all nodes: which values are chosen, and whether they form a chain.
///
/// A value is chosen in an epoch once a quorum of that epoch has it on disk under the same ballot,
/// each at some time in that epoch, whatever those nodes accepted later. While the key moves, that
/// is a majority of the old nodes and a majority of the new ones. What a node had accepted last
/// when it came into an epoch, and keeps, counts in it as well, for it speaks of it to whoever asks
/// there. The logs of a search are never cleaned, so they tell all of it.
final class ChosenValues {

  /// What the logs say.
  ///
  /// @param wrong what is wrong with them, or null
  /// @param proposed the value of every ballot that is in a log, durable or not
  /// @param chosen the chosen values in the order of their ballots
  record Verdict(@Nullable String wrong, Map<Ballot, Versioned> proposed, List<Versioned> chosen) {}

  private final BoundedScenario scenario;
  private final NodeStates nodes;
  private final Map<List<Integer>, Verdict> verdicts = new HashMap<>();

  ChosenValues(BoundedScenario scenario, NodeStates nodes) {
    this.scenario = scenario;
    this.nodes = nodes;
  }

  /// @param state begins with a state of every node
  Verdict of(int[] state) {
    List<Integer> name = new ArrayList<>();
    for (int node = 0; node < scenario.nodes().size(); node++) {
      name.add(nodes.logState(state[node]));
    }
    return verdicts.computeIfAbsent(name, this::judge);
  }

  /// Goes through the logs of all nodes.
  private final class Count {
    private final Map<Ballot, Versioned> proposed = new HashMap<>();
    private final TreeMap<Ballot, TreeMap<Long, TreeSet<String>>> votes = new TreeMap<>();
    private final TreeMap<Long, Layout> layouts = new TreeMap<>();
    private @Nullable String wrong;
    private boolean purged;

    private void read(String id, int logState) {
      int lsn = 0;
      long epoch = 0;
      Ballot held = Ballot.ZERO;
      for (LogRecord record : nodes.records(logState)) {
        lsn++;
        boolean durable = lsn <= nodes.durable(logState);
        switch (record) {
          case LogRecord.Entry(var key, var ballot, var value) when key.equals(scenario.key()) -> {
            if (ballot.compareTo(held) <= 0) {
              wrong = id + " accepted ballot " + ballot + " after ballot " + held;
            }
            held = ballot;
            Versioned other = proposed.putIfAbsent(ballot, value);
            if (other != null && !same(other, value)) {
              wrong = "ballot " + ballot + " carries two values";
            }
            vote(ballot, epoch, id, durable);
          }
          case LogRecord.Purged(var key, _) when key.equals(scenario.key()) -> {
            purged = true;
            held = Ballot.ZERO;
          }
          case LogRecord.Installed(var layout, _, var before) -> {
            Layout other = layouts.putIfAbsent(layout.epoch(), layout);
            if (other != null && other.digest() != layout.digest()) {
              wrong = "there are two layouts of epoch " + epoch;
            }
            if (layout.epoch() < epoch) {
              wrong = "%s went back from epoch %d to %d".formatted(id, epoch, layout.epoch());
            }
            epoch = layout.epoch();
            if (!layout.counts(id, scenario.key(), before)) {
              held = Ballot.ZERO;
            }
            vote(held, epoch, id, durable);
          }
          default -> {}
        }
      }
    }

    private void vote(Ballot ballot, long epoch, String id, boolean durable) {
      if (durable && !ballot.equals(Ballot.ZERO)) {
        votes
            .computeIfAbsent(ballot, _ -> new TreeMap<>())
            .computeIfAbsent(epoch, _ -> new TreeSet<>())
            .add(id);
      }
    }

    private boolean chosen(Ballot ballot) {
      for (var vote : votes.getOrDefault(ballot, new TreeMap<>()).entrySet()) {
        Layout layout = layouts.get(vote.getKey());
        if (layout != null) {
          Replicas replicas = layout.replicas(scenario.key());
          if (majority(replicas.current(), vote.getValue())
              && (!replicas.joint() || majority(replicas.next(), vote.getValue()))) {
            return true;
          }
        }
      }
      return false;
    }

    private boolean majority(List<String> replicas, Set<String> voters) {
      return 2 * replicas.stream().filter(voters::contains).count() > replicas.size();
    }
  }

  private Verdict judge(List<Integer> logStates) {
    Count count = new Count();
    for (int node = 0; node < logStates.size(); node++) {
      count.read(scenario.nodes().get(node), logStates.get(node));
    }
    String wrong = count.wrong;
    List<Versioned> chosen = new ArrayList<>();
    Ballot before = Ballot.ZERO;
    for (Ballot ballot : count.votes.keySet()) {
      Versioned value = count.proposed.get(ballot);
      if (value == null || !count.chosen(ballot)) {
        continue;
      }
      if (wrong == null && !chosen.isEmpty() && !extended(chosen.getLast(), value, count.purged)) {
        wrong =
            "what ballot %s chose, %s, does not build on what ballot %s chose, %s"
                .formatted(ballot, text(value), before, text(chosen.getLast()));
      }
      wrong = wrong == null ? memory(value) : wrong;
      chosen.add(value);
      before = ballot;
    }
    return new Verdict(wrong, count.proposed, chosen);
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
