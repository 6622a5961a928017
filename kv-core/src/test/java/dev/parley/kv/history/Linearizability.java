package dev.parley.kv.history;

import dev.parley.kv.history.Operation.Condition;
import dev.parley.kv.history.Operation.Outcome;
import dev.parley.kv.history.Operation.Request;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;

/// Decides whether a history of a versioned key-value store is linearizable: whether every
/// operation can be given one instant between its begin and its end so that a store which does one
/// thing at a time, at those instants, gives exactly these answers.
///
/// Linearizability is local (Herlihy and Wing, 1990), so each key is decided alone, by the search
/// in [KeySearch].
public final class Linearizability {

  /// States of one key's search after which it is given up. Real histories need about one per
  /// write.
  private static final long MAX_STATES = 1_000_000;

  /// Limits of the work put into a readable excerpt, once it is clear that there is a violation.
  private static final long MAX_STATES_SHRINKING = 10_000;

  private static final int MAX_CHECKS_SHRINKING = 3000;

  /// An excerpt of more answers than this is worth more work.
  private static final int READABLE = 8;

  private Linearizability() {}

  /// What is to be said of the history: the first key, in their order, that is not linearizable or
  /// not decided; else that it is linearizable.
  ///
  /// @throws IllegalArgumentException if two puts of one key store the same value, or two
  ///     operations have the same number
  public static Verdict check(List<Operation> history) {
    return check(history, MAX_STATES);
  }

  /// As [#check(List)], giving up after `maxStates` states on one key.
  static Verdict check(List<Operation> history, long maxStates) {
    TreeMap<String, List<Operation>> byKey = new TreeMap<>();
    Set<Integer> numbers = new HashSet<>();
    for (Operation operation : history) {
      if (!numbers.add(operation.number())) {
        throw new IllegalArgumentException("two operations are #" + operation.number());
      }
      byKey.computeIfAbsent(operation.key(), _ -> new ArrayList<>()).add(operation);
    }
    long states = 0;
    for (var entry : byKey.entrySet()) {
      List<Operation> operations = new ArrayList<>(entry.getValue());
      operations.sort(
          Comparator.comparingLong(Operation::begun).thenComparingInt(Operation::number));
      KeySearch.Result result = new KeySearch(operations, maxStates).run();
      switch (result) {
        case KeySearch.Result.Explained(var visited) -> states += visited;
        case KeySearch.Result.GivenUp(var visited) -> {
          return new Verdict.Undecided(entry.getKey(), visited);
        }
        case KeySearch.Result.Impossible(var why) -> {
          return new Shrinking(entry.getKey(), operations, why).violation();
        }
      }
    }
    return new Verdict.Linearizable(states);
  }

  /// Finds a small part of a key's history that cannot be explained by itself.
  ///
  /// First the history is cut off after the earliest answer that cannot be explained: every prefix
  /// of a linearizable history is linearizable, so this is a binary search. Then operations are
  /// loosened as long as the rest still cannot be explained: an answer that only observes is
  /// forgotten, and of a write it is forgotten whether it was applied. Both only ever allow more,
  /// so what remains is a true violation. Halves are tried first, then quarters, and so on (delta
  /// debugging, Zeller and Hildebrandt, 2002). If much remains, because the violation depends on
  /// what a long past left behind, the history is also begun anew at a put that settles it.
  private static final class Shrinking {
    private final String key;
    private final List<Operation> all;
    private int checks;
    private String message;

    Shrinking(String key, List<Operation> operations, String message) {
      this.key = key;
      this.all = operations;
      this.message = message;
    }

    Verdict.Violation violation() {
      List<Operation> part = prefix();
      if (!impossible(part)) {
        // It takes more work to see than may be put into an excerpt.
        return new Verdict.Violation(key, message, all, 0);
      }
      Set<Operation> kept = smallest(part);
      if (kept.size() > READABLE) {
        List<Operation> later = settled(part);
        if (!later.isEmpty()) {
          part = later;
          kept = smallest(part);
        }
      }
      impossible(loosened(part, kept));
      List<Operation> excerpt = new ArrayList<>();
      for (Operation operation : part) {
        if (kept.contains(operation) || isSeen(operation, kept)) {
          excerpt.add(original(operation));
        }
      }
      return new Verdict.Violation(key, message, excerpt, all.size() - excerpt.size());
    }

    /// The answers of `part` that are needed for the violation.
    private Set<Operation> smallest(List<Operation> part) {
      Set<Operation> kept = new LinkedHashSet<>();
      for (Operation operation : part) {
        if (!isOpen(operation)) {
          kept.add(operation);
        }
      }
      boolean smaller = true;
      for (int size = Math.max(1, kept.size() / 2); size > 1 || smaller; ) {
        smaller = false;
        List<Operation> candidates = List.copyOf(kept);
        for (int from = 0; from < candidates.size(); from += size) {
          Set<Operation> fewer = new LinkedHashSet<>(kept);
          candidates.subList(from, Math.min(candidates.size(), from + size)).forEach(fewer::remove);
          if (checks < MAX_CHECKS_SHRINKING && impossible(loosened(part, fewer))) {
            kept = fewer;
            smaller = true;
          }
        }
        if (size > 1) {
          size /= 2;
          smaller = true;
        }
      }
      return kept;
    }

    /// The history from the latest put that by itself settles all that came before it, or nothing.
    ///
    /// What ended before that put began cannot matter after it. What overlapped it may have
    /// happened after it or not at all.
    private List<Operation> settled(List<Operation> part) {
      for (int i = part.size() - 1; i >= 0 && checks < MAX_CHECKS_SHRINKING; i--) {
        Operation put = part.get(i);
        if (!(put.request() instanceof Request.Put(var value, _)
            && put.outcome() instanceof Outcome.Applied(var version, _))) {
          continue;
        }
        List<Operation> later = new ArrayList<>();
        for (Operation operation : part) {
          if (operation.equals(put)) {
            later.add(
                with(
                    put,
                    new Request.Put(value, new Condition.Always()),
                    new Outcome.Applied(version, false)));
          } else if (isOpen(operation) || operation.begun() > put.ended()) {
            later.add(operation);
          } else if (operation.ended() >= put.begun()) {
            later.add(unanswered(operation));
          }
        }
        if (impossible(later)) {
          return later;
        }
      }
      return List.of();
    }

    private Operation original(Operation operation) {
      return all.stream()
          .filter(each -> each.number() == operation.number())
          .findFirst()
          .orElseThrow();
    }

    private List<Operation> prefix() {
      long[] ends =
          all.stream()
              .filter(operation -> !isOpen(operation))
              .mapToLong(Operation::ended)
              .sorted()
              .distinct()
              .toArray();
      int low = 0;
      int high = ends.length - 1;
      while (low < high) {
        int middle = (low + high) >>> 1;
        if (impossible(until(ends[middle]))) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      List<Operation> prefix = until(ends[low]);
      // Where the search of a prefix was given up, the bisection may have gone astray.
      return impossible(prefix) ? prefix : all;
    }

    /// What was known at the time `end`: later answers are still to come.
    private List<Operation> until(long end) {
      List<Operation> part = new ArrayList<>();
      for (Operation operation : all) {
        if (operation.begun() <= end) {
          boolean answered =
              operation.ended() <= end || operation.outcome() instanceof Outcome.NotApplied;
          part.add(answered ? operation : unanswered(operation));
        }
      }
      return part;
    }

    private static List<Operation> loosened(List<Operation> part, Set<Operation> kept) {
      return part.stream()
          .map(
              operation ->
                  isOpen(operation) || kept.contains(operation) ? operation : unanswered(operation))
          .toList();
    }

    private static boolean isOpen(Operation operation) {
      return operation.outcome() instanceof Outcome.Unknown
          || operation.outcome() instanceof Outcome.NotApplied;
    }

    /// An operation that observed and changed nothing becomes one that may not have been asked.
    private static Operation unanswered(Operation operation) {
      Outcome outcome =
          switch (operation.outcome()) {
            case Outcome.Conflict _, Outcome.Missing _, Outcome.NotApplied _ ->
                new Outcome.NotApplied();
            case Outcome.Applied _, Outcome.Found _, Outcome.Absent _, Outcome.Unknown _ ->
                new Outcome.Unknown();
          };
      return with(operation, operation.request(), outcome);
    }

    private static Operation with(Operation operation, Request request, Outcome outcome) {
      return new Operation(
          operation.number(),
          operation.client(),
          operation.key(),
          operation.begun(),
          operation.ended(),
          request,
          outcome);
    }

    private static boolean isSeen(Operation operation, Set<Operation> kept) {
      return operation.request() instanceof Request.Put(var value, _)
          && kept.stream()
              .anyMatch(
                  other ->
                      other.outcome() instanceof Outcome.Found(_, var seen) && seen.equals(value));
    }

    private boolean impossible(List<Operation> part) {
      checks++;
      if (new KeySearch(part, MAX_STATES_SHRINKING).run()
          instanceof KeySearch.Result.Impossible(var why)) {
        message = why;
        return true;
      }
      return false;
    }
  }
}
