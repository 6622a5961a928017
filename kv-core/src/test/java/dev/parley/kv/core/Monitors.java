package dev.parley.kv.core;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
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
/// - *Nothing without promises*: what is proposed, warm or cold, was promised by a majority.
/// - *Purges leave a floor*: only tombstones that every replica has on disk go, and what stands for
///   them is as high as all that the node had accepted and promised.
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

    boolean everywhere(int replicas) {
      return (holders & replicas) == replicas;
    }
  }

  private static final class Register {
    final TreeMap<Ballot, Cell> ballots = new TreeMap<>();
    final TreeMap<Ballot, Cell> chosen = new TreeMap<>();
    final Map<OpId, Long> made = new HashMap<>();
    final Map<Long, OpId> makers = new HashMap<>();
    final Ballot[] promised;
    long told;

    final Map<Ballot, Integer> promises = new HashMap<>();
    final int replicas;
    final int majority;

    Register(int nodes, int replicas) {
      promised = new Ballot[nodes];
      Arrays.fill(promised, Ballot.ZERO);
      this.replicas = replicas;
      majority = Integer.bitCount(replicas) / 2 + 1;
    }

    boolean isQuorum(int voters) {
      return Integer.bitCount(voters & replicas) >= majority;
    }
  }

  private final Layout layout;
  private final List<String> ids;
  private final Map<Key, Register> registers = new HashMap<>();
  private @Nullable String violation;
  private @Nullable Key where;

  Monitors(Layout layout) {
    this.layout = layout;
    this.ids = layout.ids();
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
    register.promises.merge(ballot, 1 << node, (a, b) -> a | b);
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
    // What a node promises itself is not seen from outside.
    int promised = register.promises.getOrDefault(ballot, 0) | 1 << ids.indexOf(ballot.node());
    if (!register.isQuorum(promised)) {
      fail(key, ballot + " is proposed, and no majority promised it");
    }
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
    if (!register.isQuorum(cell.holders) || register.chosen.containsKey(ballot)) {
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
    for (Versioned.Trace trace : value.traces()) {
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
      case Answer.Found(var version, _, _) -> found(key, register, version, toldBefore, "read");
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

  /// Whether a chosen value ever held the operation.
  boolean tookEffect(Key key, OpId op) {
    Register register = registers.get(key);
    return register != null && register.made.containsKey(op);
  }

  /// A node forgets a key whose tombstone is purged, and keeps a floor in its place.
  void purged(int node, Key key, @Nullable Ballot accepted, long floor) {
    Register register = register(key);
    Cell cell = accepted == null ? null : register.ballots.get(accepted);
    if (cell == null || accepted == null) {
      return;
    }
    if (cell.value.exists()) {
      fail(key, ids.get(node) + " purges a value: " + accepted);
    }
    if (!cell.everywhere(register.replicas)) {
      fail(key, ids.get(node) + " purges " + accepted + ", which not every replica has on disk");
    }
    long least = Math.max(accepted.counter(), cell.value.version());
    if (floor < Math.max(least, register.promised[node].counter())) {
      fail(
          key,
          "%s purges %s of version %d after it had promised %s, and keeps the floor %d only"
              .formatted(
                  ids.get(node), accepted, cell.value.version(), register.promised[node], floor));
    }
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
    for (Versioned.Trace trace : chosen.traces()) {
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
    return registers.computeIfAbsent(
        key,
        _ -> {
          int replicas = 0;
          for (String id : layout.replicas(key).all()) {
            replicas |= 1 << ids.indexOf(id);
          }
          return new Register(ids.size(), replicas);
        });
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
            && Arrays.equals(a.memory(), b.memory());
  }
}
