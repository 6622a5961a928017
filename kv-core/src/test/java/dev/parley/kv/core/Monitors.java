package dev.parley.kv.core;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What must be true of the cluster at every step, seen from outside the nodes with the eyes of all
/// of them.
///
/// - *One value per ballot*: whoever proposes or accepts a ballot of a key means the same value.
/// - *Chosen chain*: a value is chosen once a majority ever had it on disk under one ballot. Every
///   value proposed under a higher ballot is the same, or grew out of it: its version is higher and
///   its memory of operations holds what the chosen one's did, as far as its window reaches.
/// - *Exactly once*: an operation made one version, a version was made by one operation.
/// - *Promises are kept*: no node accepts below what it promised, whatever happened to it since.
/// - *Nothing undecided is told*: a version in an answer is that of a chosen value.
/// - *Versions rise*: an answer is never older than one that was given before its request.
///
/// This is stronger than what clients could see, which [History] judges, and it notices a broken
/// rule at the step that breaks it.
final class Monitors {

  private static final class Cell {
    final Versioned value;
    int holders;

    Cell(Versioned value) {
      this.value = value;
    }
  }

  private static final class Register {
    final TreeMap<Ballot, Cell> ballots = new TreeMap<>();
    final TreeMap<Ballot, Cell> chosen = new TreeMap<>();
    final Map<OpId, Long> made = new HashMap<>();
    final Map<Long, OpId> makers = new HashMap<>();
    final Ballot[] promised;
    long told;

    Register(int nodes) {
      promised = new Ballot[nodes];
      Arrays.fill(promised, Ballot.ZERO);
    }
  }

  private final int nodes;
  private final Map<Key, Register> registers = new HashMap<>();
  private @Nullable String violation;
  private @Nullable Key where;

  Monitors(int nodes) {
    this.nodes = nodes;
  }

  /// The first violation seen, or null.
  @Nullable String violation() {
    return violation;
  }

  /// The key of the first violation.
  @Nullable Key where() {
    return where;
  }

  /// A node sent its promise.
  void promised(int node, Key key, Ballot ballot) {
    Register register = register(key);
    register.promised[node] = Ballot.max(register.promised[node], ballot);
  }

  /// A node asks others to accept a value, which it may not tell differently to each.
  void proposed(Key key, Ballot ballot, Versioned value) {
    Cell cell = register(key).ballots.get(ballot);
    if (cell == null) {
      propose(register(key), key, ballot, value);
    } else if (!same(cell.value, value)) {
      fail(key, "ballot " + ballot + " carries two values");
    }
  }

  /// A node accepted a value, in memory so far.
  ///
  /// @param again it had accepted the ballot before and only writes it anew
  void accepted(int node, Key key, Ballot ballot, Versioned value, boolean again) {
    Register register = register(key);
    Ballot promised = register.promised[node];
    if (!again && ballot.compareTo(promised) < 0) {
      fail(
          key, "node " + (node + 1) + " accepted " + ballot + " after it had promised " + promised);
    }
    proposed(key, ballot, value);
  }

  private void propose(Register register, Key key, Ballot ballot, Versioned value) {
    register.ballots.put(ballot, new Cell(value));
    var below = register.chosen.lowerEntry(ballot);
    if (below != null) {
      descends(key, below.getKey(), below.getValue().value, ballot, value);
    }
  }

  /// A node has a value on its disk. True if this is what made it chosen.
  boolean durable(int node, Key key, Ballot ballot, Versioned value) {
    accepted(node, key, ballot, value, true);
    Register register = register(key);
    Cell cell = register.ballots.get(ballot);
    if (cell == null) {
      return false;
    }
    cell.holders |= 1 << node;
    if (Integer.bitCount(cell.holders) <= nodes / 2 || register.chosen.containsKey(ballot)) {
      return false;
    }
    register.chosen.put(ballot, cell);
    var below = register.chosen.lowerEntry(ballot);
    if (below != null) {
      descends(key, below.getKey(), below.getValue().value, ballot, value);
    }
    for (var above : register.ballots.tailMap(ballot, false).entrySet()) {
      descends(key, ballot, value, above.getKey(), above.getValue().value);
    }
    for (Versioned.Trace trace : value.recent()) {
      Long before = register.made.putIfAbsent(trace.op(), trace.version());
      if (before != null && before != trace.version()) {
        fail(
            key,
            "operation %s took effect twice, at versions %d and %d"
                .formatted(trace.op(), before, trace.version()));
      }
      OpId other = register.makers.putIfAbsent(trace.version(), trace.op());
      if (other != null && !other.equals(trace.op())) {
        fail(
            key,
            "operations %s and %s both made version %d"
                .formatted(other, trace.op(), trace.version()));
      }
    }
    return true;
  }

  /// The highest version any answer has spoken of, which later requests must not fall behind.
  long told(Key key) {
    Register register = registers.get(key);
    return register == null ? 0 : register.told;
  }

  /// A node answered a client.
  ///
  /// @param toldBefore [#told] when the operation was first sent
  void answered(Key key, @Nullable Mutation mutation, Answer answer, long toldBefore) {
    Register register = register(key);
    switch (answer) {
      case Answer.Applied(var version, _) when mutation != null -> {
        Long made = register.made.get(mutation.op());
        if (made == null) {
          fail(key, "operation " + mutation.op() + " was acknowledged and is not chosen");
        } else if (made != version) {
          fail(
              key,
              "operation %s made version %d and was told %d"
                  .formatted(mutation.op(), made, version));
        } else if (version <= toldBefore) {
          fail(
              key,
              "operation %s made version %d, not above %d, which was told before it began"
                  .formatted(mutation.op(), version, toldBefore));
        }
        register.told = Math.max(register.told, version);
      }
      case Answer.Found(var version, _) -> found(key, register, version, toldBefore, "read");
      case Answer.Conflict(var version) when version > 0 ->
          found(key, register, version, toldBefore, "told in a conflict");
      default -> {}
    }
  }

  private void found(Key key, Register register, long version, long toldBefore, String how) {
    // A ballot that decides several operations also makes versions that no register ever held.
    if (!register.makers.containsKey(version)) {
      fail(key, "version " + version + " was " + how + " and is not chosen");
    } else if (version < toldBefore) {
      fail(
          key,
          "version %d was %s, although %d was told before the request"
              .formatted(version, how, toldBefore));
    }
    register.told = Math.max(register.told, version);
  }

  /// The last chosen value of the key, or null.
  @Nullable Versioned lastChosen(Key key) {
    Register register = registers.get(key);
    return register == null || register.chosen.isEmpty()
        ? null
        : register.chosen.lastEntry().getValue().value;
  }

  private void descends(Key key, Ballot at, Versioned chosen, Ballot higher, Versioned value) {
    if (same(chosen, value)) {
      return;
    }
    if (value.version() <= chosen.version()) {
      fail(
          key,
          "%s carries version %d, although version %d was chosen at %s"
              .formatted(higher, value.version(), chosen.version(), at));
      return;
    }
    if (value.windowStart() < chosen.windowStart()) {
      fail(key, "the window of " + higher + " reaches back further than that chosen at " + at);
    }
    for (Versioned.Trace trace : chosen.recent()) {
      if (trace.version() > value.windowStart() && !trace.equals(value.find(trace.op()))) {
        fail(
            key,
            "%s carries version %d without operation %s, which version %d, chosen at %s, holds"
                .formatted(higher, value.version(), trace.op(), chosen.version(), at));
        return;
      }
    }
  }

  private Register register(Key key) {
    return registers.computeIfAbsent(key, _ -> new Register(nodes));
  }

  private void fail(Key key, String what) {
    if (violation == null) {
      violation = key + ": " + what;
      where = key;
    }
  }

  private static boolean same(Versioned a, Versioned b) {
    return a == b
        || a.version() == b.version()
            && a.windowStart() == b.windowStart()
            && Arrays.equals(a.body(), b.body())
            && a.recent().equals(b.recent());
  }
}
