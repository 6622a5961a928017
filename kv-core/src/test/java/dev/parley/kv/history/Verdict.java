package dev.parley.kv.history;

import java.util.List;
import java.util.stream.Collectors;

/// What [Linearizability] says of a history.
public sealed interface Verdict {

  /// Some order of the operations, compatible with the times, explains every answer.
  ///
  /// @param states how many states of the search were visited, as a measure of its work
  record Linearizable(long states) implements Verdict {}

  /// No order does.
  ///
  /// @param excerpt operations which cannot be explained together, whatever became of those that
  ///     overlap or follow them, in the order in which they began
  /// @param others how many operations of the key are not in the excerpt
  record Violation(String key, String message, List<Operation> excerpt, int others)
      implements Verdict {

    public Violation {
      excerpt = List.copyOf(excerpt);
    }

    @Override
    public String toString() {
      long origin = excerpt.isEmpty() ? 0 : excerpt.getFirst().begun();
      return "key %s: %s%n%12s %12s  (milliseconds)%n%s%n(%d other operations on the key play no part)"
          .formatted(
              key,
              message,
              "begun",
              "ended",
              excerpt.stream().map(op -> op.describe(origin)).collect(Collectors.joining("\n")),
              others);
    }
  }

  /// The search was given up: neither an explanation was found nor all orders were tried.
  record Undecided(String key, long states) implements Verdict {}
}
