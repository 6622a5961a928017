package dev.parley.system.kv;

import dev.parley.kv.history.Operation;
import dev.parley.kv.history.Operation.Outcome;
import dev.parley.kv.history.Operation.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What all clients of a run did and were told, and what of it went well lately.
final class History {

  private final List<Operation> operations = new ArrayList<>();
  private final Map<Integer, Integer> acknowledged = new TreeMap<>();
  private long since = Long.MIN_VALUE;

  /// Records an operation that has just ended.
  ///
  /// @param node which gave the outcome
  synchronized void add(
      int client, int node, String key, long begun, Request request, Outcome outcome) {
    long ended = System.nanoTime();
    operations.add(new Operation(operations.size(), client, key, begun, ended, request, outcome));
    if (outcome instanceof Outcome.Applied && begun - since >= 0) {
      acknowledged.merge(node, 1, Integer::sum);
    }
  }

  synchronized List<Operation> operations() {
    return List.copyOf(operations);
  }

  /// From now on only writes count that begin from now on.
  synchronized void countFromNow() {
    since = System.nanoTime();
    acknowledged.clear();
  }

  /// Writes that were begun since [#countFromNow] and that this node acknowledged.
  synchronized int acknowledgedBy(int node) {
    return acknowledged.getOrDefault(node, 0);
  }

  synchronized int acknowledged() {
    return acknowledged.values().stream().mapToInt(Integer::intValue).sum();
  }
}
