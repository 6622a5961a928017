package dev.parley.kv.core;

import dev.parley.kv.history.Linearizability;
import dev.parley.kv.history.Operation;
import dev.parley.kv.history.Operation.Condition;
import dev.parley.kv.history.Operation.Outcome;
import dev.parley.kv.history.Operation.Request;
import dev.parley.kv.history.Verdict;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What clients did to the keys and what they were told, and whether a single, correct store could
/// have told them that.
///
/// The simulator's side of [Linearizability], in the core's own terms. Every write has a value of
/// its own.
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
              ? "Found[" + version + ", " + new String(body, StandardCharsets.UTF_8) + "]"
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
    Verdict verdict = Linearizability.check(ops.stream().map(History::operation).toList());
    return verdict instanceof Verdict.Linearizable ? null : verdict.toString();
  }

  private static Operation operation(Op op) {
    Operation.Request request =
        op.mutation == null
            ? new Request.Read()
            : op.mutation.body() == null
                ? new Request.Delete(condition(op.mutation))
                : new Request.Put(op.value, condition(op.mutation));
    return new Operation(
        op.number, op.client, op.key.toString(), op.begun, op.ended, request, outcome(op));
  }

  private static Condition condition(Mutation mutation) {
    return switch (mutation.condition()) {
      case Precondition.Always() -> new Condition.Always();
      case Precondition.Absent() -> new Condition.Absent();
      case Precondition.Present() -> new Condition.Present();
      case Precondition.At(var version) -> new Condition.At(version);
      case Precondition.Expiring _ -> throw new IllegalStateException("no client asks for that");
    };
  }

  private static Outcome outcome(Op op) {
    if (op.certainlyNothing) {
      return new Outcome.NotApplied();
    }
    return switch (op.answer) {
      case null -> new Outcome.Unknown();
      case Answer.Found(var version, var body, _) ->
          new Outcome.Found(version, new String(body, StandardCharsets.UTF_8));
      case Answer.Absent() -> new Outcome.Absent();
      case Answer.Applied(var version, var existed) -> new Outcome.Applied(version, existed);
      case Answer.Missing() -> new Outcome.Missing();
      case Answer.Conflict(var version) -> new Outcome.Conflict(version);
      case Answer.Unavailable _ -> new Outcome.Unknown();
      default -> throw new IllegalStateException("not an answer: " + op.answer);
    };
  }
}
