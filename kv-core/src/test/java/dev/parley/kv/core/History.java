package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What clients did to the keys and what they were told, and whether a single, correct store could
/// have told them that.
///
/// The check is Wing and Gong's search with Lowe's memory of visited states, key by key. Every
/// write has a value of its own, so a state of a key is the operation that made it. An operation
/// whose outcome is unknown may take effect at any time after it began, or never.
final class History {

  /// One operation; `answer` stays null while its outcome is not known.
  static final class Op {
    final int number;
    final int client;
    final Key key;
    final @Nullable Mutation mutation;
    final String value;
    final long begun;
    long ended = Long.MAX_VALUE;
    @Nullable Answer answer;
    boolean certainlyNothing;

    Op(int number, int client, Key key, @Nullable Mutation mutation, String value, long begun) {
      this.number = number;
      this.client = client;
      this.key = key;
      this.mutation = mutation;
      this.value = value;
      this.begun = begun;
    }

    @Override
    public String toString() {
      String what =
          mutation == null
              ? "read"
              : (mutation.body() == null ? "delete" : "put " + value)
                  + " if "
                  + mutation.condition();
      String told =
          answer instanceof Answer.Found(var version, var body, _)
              ? "Found["
                  + version
                  + ", "
                  + new String(body, java.nio.charset.StandardCharsets.UTF_8)
                  + "]"
              : String.valueOf(answer);
      return "%9.3f %9s c%d #%d %s %s -> %s"
          .formatted(
              begun / 1e9,
              ended == Long.MAX_VALUE ? "..." : "%.3f".formatted(ended / 1e9),
              client,
              number,
              key,
              what,
              certainlyNothing ? "not applied" : told);
    }
  }

  private final List<Op> ops = new ArrayList<>();

  Op begin(int client, Key key, @Nullable Mutation mutation, String value, long now) {
    Op op = new Op(ops.size(), client, key, mutation, value, now);
    ops.add(op);
    return op;
  }

  List<Op> ops() {
    return ops;
  }

  /// What is wrong with the history, or null.
  @Nullable String violation() {
    TreeMap<Key, List<Op>> byKey = new TreeMap<>();
    for (Op op : ops) {
      boolean idle =
          op.certainlyNothing
              || (op.mutation == null
                  && (op.answer == null || op.answer instanceof Answer.Unavailable));
      if (!idle) {
        byKey.computeIfAbsent(op.key, _ -> new ArrayList<>()).add(op);
      }
    }
    for (var entry : byKey.entrySet()) {
      String wrong = new KeyCheck(entry.getKey(), entry.getValue()).check();
      if (wrong != null) {
        return wrong;
      }
    }
    return null;
  }

  private static final class KeyCheck {
    private static final int ABSENT = -1;

    private record State(long done, int current, long version) {}

    private final Key key;
    private final List<Op> ops;
    private final Map<Long, Integer> makers = new HashMap<>();
    private final Map<Integer, Long> versions = new HashMap<>();
    private final Set<State> visited = new HashSet<>();
    private long mustBeDone;

    KeyCheck(Key key, List<Op> ops) {
      if (ops.size() > 62) {
        throw new IllegalArgumentException("too many operations on one key: " + ops.size());
      }
      this.key = key;
      this.ops = ops;
    }

    @Nullable String check() {
      Map<String, Integer> byValue = new HashMap<>();
      for (int i = 0; i < ops.size(); i++) {
        byValue.put(ops.get(i).value, i);
        if (ops.get(i).answer != null) {
          mustBeDone |= 1L << i;
        }
      }
      for (int i = 0; i < ops.size(); i++) {
        Answer answer = ops.get(i).answer;
        String wrong = null;
        if (answer instanceof Answer.Applied(var version, _)) {
          wrong = made(i, version);
        } else if (answer instanceof Answer.Found(var version, var body, _)) {
          Integer maker = byValue.get(new String(body, java.nio.charset.StandardCharsets.UTF_8));
          wrong = maker == null ? "a value nobody wrote was read" : made(maker, version);
        }
        if (wrong != null) {
          return key + ": " + wrong + " (operation #" + ops.get(i).number + ")";
        }
      }
      return search(0, ABSENT, 0)
          ? null
          : key + ": no order of the operations explains the answers";
    }

    private @Nullable String made(int op, long version) {
      Long before = versions.putIfAbsent(op, version);
      if (before != null && before != version) {
        return "one operation took effect twice, at versions " + before + " and " + version;
      }
      Integer other = makers.putIfAbsent(version, op);
      return other != null && other != op ? "two operations made version " + version : null;
    }

    private boolean search(long done, int current, long version) {
      if ((done & mustBeDone) == mustBeDone) {
        return true;
      }
      if (!visited.add(new State(done, current, version))) {
        return false;
      }
      long earliestEnd = Long.MAX_VALUE;
      for (int i = 0; i < ops.size(); i++) {
        if ((done & 1L << i) == 0 && ops.get(i).answer != null) {
          earliestEnd = Math.min(earliestEnd, ops.get(i).ended);
        }
      }
      for (int i = 0; i < ops.size(); i++) {
        Op op = ops.get(i);
        if ((done & 1L << i) != 0 || op.begun > earliestEnd) {
          continue;
        }
        if (tryNext(op, i, done | 1L << i, current, version)) {
          return true;
        }
      }
      return false;
    }

    private boolean tryNext(Op op, int index, long done, int current, long version) {
      boolean exists = current != ABSENT && !isDelete(current);
      return switch (op.answer) {
        case Answer.Found(var v, _, _) ->
            exists && maker(v) == current && search(done, current, version);
        case Answer.Absent() -> !exists && search(done, current, version);
        case Answer.Missing() -> !exists && search(done, current, version);
        case Answer.Conflict(var v) ->
            !holds(op, current, exists)
                && (v == 0 ? !exists : exists && (maker(v) == -2 || maker(v) == current))
                && search(done, current, version);
        case Answer.Applied(var v, var existed) ->
            holds(op, current, exists)
                && existed == exists
                && v > version
                && search(done, index, v);
        case null ->
            // Unknown: it may have taken effect here, in which case its condition held.
            holds(op, current, exists)
                && versions.getOrDefault(index, Long.MAX_VALUE) > version
                && search(done, index, versions.getOrDefault(index, version));
        default -> throw new IllegalStateException("not an answer: " + op.answer);
      };
    }

    private boolean holds(Op op, int current, boolean exists) {
      if (op.mutation == null) {
        return false;
      }
      return switch (op.mutation.condition()) {
        case Precondition.Always() -> true;
        case Precondition.Absent() -> !exists;
        case Precondition.Present() -> exists;
        case Precondition.At(var v) -> exists && maker(v) == current;
      };
    }

    private int maker(long version) {
      return makers.getOrDefault(version, -2);
    }

    private boolean isDelete(int index) {
      Mutation mutation = ops.get(index).mutation;
      return mutation != null && mutation.body() == null;
    }
  }
}
