package dev.parley.kv.history;

import dev.parley.kv.history.Operation.Condition;
import dev.parley.kv.history.Operation.Outcome;
import dev.parley.kv.history.Operation.Request;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The search for an order of one key's operations that explains all answers: Wing and Gong's
/// ("Testing and verifying concurrent objects", 1993) with Lowe's memory of visited states and his
/// linked list of calls and returns ("Testing for linearizability", 2017).
///
/// The list holds, in the order of time, the call and the return of every operation that must have
/// happened. What may come next is what was called before the first return in the list. Taking an
/// operation lifts its two entries out of the list; going back puts them in again, in reverse.
///
/// What makes thousands of operations tractable is what is known of this store:
///
/// - An operation that changes nothing and whose answer fits the present state is taken at once
///   and never reconsidered: taking it only ever leaves more possibilities.
/// - Versions rise strictly, so the writes whose versions are known have one possible order.
/// - Values are unique, so a write whose value was read took effect, at the latest when the first
///   such read ended, whatever its own client was told.
/// - The other writes of unknown outcome may happen at any time after they began or never, and
///   nobody saw them. Of those which ask the same only their number counts, not which ones; and a
///   state that was in vain with fewer of them spent need not be tried with more.
final class KeySearch {

  /// What came of a search.
  sealed interface Result {

    record Explained(long states) implements Result {}

    record Impossible(String why) implements Result {}

    record GivenUp(long states) implements Result {}
  }

  /// The key does not exist.
  private static final int NOTHING = -1;

  /// The key holds a value that nobody read.
  private static final int UNSEEN = -2;

  private static final int NOT_APPLICABLE = 0;
  private static final int OBSERVES = 1;
  private static final int CHANGES = 2;

  /// One entry of the list.
  private static final class Entry {
    final int operation;
    final boolean call;
    final long at;
    Entry previous = this;
    Entry next = this;

    Entry(int operation, boolean call, long at) {
      this.operation = operation;
      this.call = call;
      this.at = at;
    }

    void lift() {
      previous.next = next;
      next.previous = previous;
    }

    void putBack() {
      previous.next = this;
      next.previous = this;
    }
  }

  /// The state of the key. `low` is the highest version known to have existed; `bound` says that it
  /// is the version of the value that stands.
  private record Register(int current, long low, boolean bound) {
    boolean exists() {
      return current != NOTHING;
    }
  }

  /// Unseen writes of unknown outcome that ask the same, by the times at which they began.
  private record Kind(boolean deletes, Condition condition) {}

  /// What the memory of visited states is keyed by. The operations done are those before
  /// `firstLeft`, and those of `window`, counted from it.
  private static final class Seen {
    private final int firstLeft;
    private final long[] window;
    private final Register register;
    private final int hash;

    Seen(int firstLeft, long[] window, Register register) {
      this.firstLeft = firstLeft;
      this.window = window;
      this.register = register;
      this.hash = (firstLeft * 31 + Arrays.hashCode(window)) * 31 + register.hashCode();
    }

    @Override
    public int hashCode() {
      return hash;
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Seen that
          && firstLeft == that.firstLeft
          && Arrays.equals(window, that.window)
          && register.equals(that.register);
    }
  }

  /// A possible next step: an operation of the list, or one of the unseen kinds.
  private record Move(int operation, int kind, Register after) {}

  /// Where to come back to.
  private static final class Choice {
    final List<Move> moves;
    final int trail;
    final Register register;
    int next;

    Choice(List<Move> moves, int trail, Register register) {
      this.moves = moves;
      this.trail = trail;
      this.register = register;
    }
  }

  private final List<Operation> operations;
  private final long maxStates;
  private final List<Operation> certain = new ArrayList<>();
  private final Map<Long, Integer> makers = new HashMap<>();
  private final List<Kind> kinds = new ArrayList<>();
  private final List<long[]> kindBegun = new ArrayList<>();
  private final Entry head = new Entry(-1, false, Long.MIN_VALUE);
  private final BitSet done = new BitSet();
  private final Map<Seen, List<int[]>> visited = new HashMap<>();
  private long[] versions = new long[0];
  private long[] latest = new long[0];
  private Entry[] calls = new Entry[0];
  private Entry[] returns = new Entry[0];
  private int[] byVersion = new int[0];
  private int[] trail = new int[0];
  private int trailLength;
  private int nextVersion;
  private int[] spent = new int[0];
  private Register register = new Register(NOTHING, 0, true);
  private int mostDone = -1;
  private int stuckAt;
  private long states;

  /// @param operations of one key, in the order in which they began
  KeySearch(List<Operation> operations, long maxStates) {
    this.operations = operations;
    this.maxStates = maxStates;
  }

  Result run() {
    String wrong = prepare();
    return wrong == null ? search() : new Result.Impossible(wrong);
  }

  // What the answers say by themselves.

  /// What no search can mend, or null.
  private @Nullable String prepare() {
    Map<String, Operation> puts = new HashMap<>();
    for (Operation operation : operations) {
      if (operation.request() instanceof Request.Put(var value, _)
          && puts.put(value, operation) != null) {
        throw new IllegalArgumentException(
            "two puts of key " + operation.key() + " store the same value: " + value);
      }
    }
    Map<Operation, Long> firstRead = new HashMap<>();
    Map<Operation, Long> known = new HashMap<>();
    Map<Long, Operation> makerOf = new HashMap<>();
    for (Operation operation : operations) {
      Operation maker;
      long version;
      switch (operation.outcome()) {
        case Outcome.Found(var found, var value) -> {
          maker = puts.get(value);
          version = found;
          if (maker == null) {
            return "#" + operation.number() + " read a value that nobody wrote: " + value;
          }
          if (!mayHaveTakenEffect(maker)) {
            return "#%d read what #%d wrote, of which it was said that it changed nothing"
                .formatted(operation.number(), maker.number());
          }
          if (operation.ended() < maker.begun()) {
            return "#%d read what #%d wrote later".formatted(operation.number(), maker.number());
          }
          firstRead.merge(maker, operation.ended(), Math::min);
        }
        case Outcome.Applied(var applied, _) -> {
          maker = operation;
          version = applied;
        }
        default -> {
          continue;
        }
      }
      if (version == Outcome.UNTOLD) {
        continue;
      }
      Long before = known.putIfAbsent(maker, version);
      if (before != null && before != version) {
        return "#%d took effect twice, at versions %d and %d"
            .formatted(maker.number(), before, version);
      }
      Operation other = makerOf.putIfAbsent(version, maker);
      if (other != null && other.number() != maker.number()) {
        return "#%d and #%d made the same version, %d"
            .formatted(other.number(), maker.number(), version);
      }
    }
    collect(firstRead, known);
    return null;
  }

  private static boolean mayHaveTakenEffect(Operation put) {
    return put.outcome() instanceof Outcome.Applied || put.outcome() instanceof Outcome.Unknown;
  }

  private void collect(Map<Operation, Long> firstRead, Map<Operation, Long> known) {
    Map<Kind, List<Long>> unseen = new HashMap<>();
    List<Kind> order = new ArrayList<>();
    for (Operation operation : operations) {
      boolean unknown = operation.outcome() instanceof Outcome.Unknown;
      boolean idle =
          operation.outcome() instanceof Outcome.NotApplied
              || (unknown && operation.request() instanceof Request.Read);
      if (idle) {
        continue;
      }
      if (unknown && !firstRead.containsKey(operation)) {
        Kind kind = kindOf(operation.request());
        if (!unseen.containsKey(kind)) {
          order.add(kind);
        }
        unseen.computeIfAbsent(kind, _ -> new ArrayList<>()).add(operation.begun());
      } else {
        certain.add(operation);
      }
    }
    for (Kind kind : order) {
      kinds.add(kind);
      kindBegun.add(unseen.getOrDefault(kind, List.of()).stream().mapToLong(t -> t).toArray());
    }
    spent = new int[kinds.size()];
    int count = certain.size();
    versions = new long[count];
    latest = new long[count];
    calls = new Entry[count];
    returns = new Entry[count];
    trail = new int[count];
    List<Entry> entries = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Operation operation = certain.get(i);
      versions[i] = known.getOrDefault(operation, 0L);
      if (versions[i] > 0) {
        makers.put(versions[i], i);
      }
      boolean unknown = operation.outcome() instanceof Outcome.Unknown;
      latest[i] =
          Math.min(
              unknown ? Long.MAX_VALUE : operation.ended(),
              firstRead.getOrDefault(operation, Long.MAX_VALUE));
      calls[i] = new Entry(i, true, operation.begun());
      returns[i] = new Entry(i, false, latest[i]);
      entries.add(calls[i]);
      entries.add(returns[i]);
    }
    byVersion =
        makers.entrySet().stream()
            .sorted(Map.Entry.comparingByKey())
            .mapToInt(Map.Entry::getValue)
            .toArray();
    // What touches at one instant is concurrent: calls come first.
    entries.sort(Comparator.comparingLong((Entry entry) -> entry.at).thenComparing(e -> !e.call));
    Entry last = head;
    for (Entry entry : entries) {
      last.next = entry;
      entry.previous = last;
      last = entry;
    }
    last.next = head;
    head.previous = last;
  }

  private static Kind kindOf(Request request) {
    return switch (request) {
      case Request.Put(_, var condition) -> new Kind(false, condition);
      case Request.Delete(var condition) -> new Kind(true, condition);
      case Request.Read() -> throw new IllegalArgumentException("a read changes nothing");
    };
  }

  // The search.

  private Result search() {
    List<Choice> choices = new ArrayList<>();
    boolean dead = false;
    while (true) {
      if (!dead) {
        takeObservers();
        if (head.next == head) {
          return new Result.Explained(states);
        }
        remember();
      }
      if (!dead && isNew()) {
        states++;
        if (states > maxStates) {
          return new Result.GivenUp(states);
        }
        choices.add(new Choice(moves(), trailLength, register));
      }
      // Forward if a move is left, else back.
      dead = true;
      while (dead && !choices.isEmpty()) {
        Choice choice = choices.getLast();
        goBack(choice);
        if (choice.next < choice.moves.size()) {
          make(choice.moves.get(choice.next++));
          dead = false;
        } else {
          choices.removeLast();
        }
      }
      if (choices.isEmpty()) {
        Operation stuck = certain.get(stuckAt);
        return new Result.Impossible(
            "no order of the operations explains the answer to #" + stuck.number());
      }
    }
  }

  /// Takes, as long as there are any, operations that change nothing and fit.
  private void takeObservers() {
    Entry entry = head.next;
    while (entry != head && entry.call) {
      if (effect(entry.operation) == OBSERVES) {
        take(entry.operation);
        // Without its return, more may be able to come next.
        entry = head.next;
      } else {
        entry = entry.next;
      }
    }
  }

  private void take(int operation) {
    calls[operation].lift();
    returns[operation].lift();
    done.set(operation);
    trail[trailLength++] = operation;
    if (versions[operation] > 0) {
      nextVersion++;
    }
  }

  private void goBack(Choice choice) {
    while (trailLength > choice.trail) {
      int operation = trail[--trailLength];
      returns[operation].putBack();
      calls[operation].putBack();
      done.clear(operation);
      if (versions[operation] > 0) {
        nextVersion--;
      }
    }
    register = choice.register;
    if (choice.next > 0) {
      undo(choice.moves.get(choice.next - 1));
    }
  }

  private void make(Move move) {
    register = move.after();
    if (move.kind() >= 0) {
      spent[move.kind()]++;
    } else {
      take(move.operation());
    }
  }

  private void undo(Move move) {
    if (move.kind() >= 0) {
      spent[move.kind()]--;
    }
  }

  private void remember() {
    int count = done.cardinality();
    if (count > mostDone) {
      mostDone = count;
      Entry entry = head.next;
      while (entry.call) {
        entry = entry.next;
      }
      stuckAt = entry.operation;
    }
  }

  /// Whether this state was not visited before with as few of the unseen writes spent.
  private boolean isNew() {
    int firstLeft = done.nextClearBit(0);
    long[] window = done.get(firstLeft, Math.max(firstLeft, done.length())).toLongArray();
    Register canonical =
        register.current() == NOTHING ? new Register(NOTHING, register.low(), true) : register;
    List<int[]> before =
        visited.computeIfAbsent(new Seen(firstLeft, window, canonical), _ -> new ArrayList<>(1));
    for (int[] fewer : before) {
      boolean covers = true;
      for (int i = 0; i < spent.length; i++) {
        // Of those that wait for one version one can happen at most, and then never again.
        covers &= fewer[i] <= spent[i] || kinds.get(i).condition() instanceof Condition.At;
      }
      if (covers) {
        return false;
      }
    }
    before.add(spent.clone());
    return true;
  }

  /// What may come next and changes something, the likeliest first.
  private List<Move> moves() {
    if (nextVersion < byVersion.length && versions[byVersion[nextVersion]] <= register.low()) {
      return List.of();
    }
    List<Move> moves = new ArrayList<>();
    Entry entry = head.next;
    for (; entry.call; entry = entry.next) {
      int operation = entry.operation;
      if (effect(operation) == CHANGES) {
        Move move = new Move(operation, -1, after(operation));
        if (versions[operation] > 0) {
          moves.addFirst(move);
        } else {
          moves.add(move);
        }
      }
    }
    long firstReturn = entry.at;
    for (int i = 0; i < kinds.size(); i++) {
      long[] begun = kindBegun.get(i);
      Kind kind = kinds.get(i);
      Register met = meeting(kind.condition());
      boolean free = spent[i] < begun.length && begun[spent[i]] <= firstReturn;
      if (free && met != null && (!kind.deletes() || met.exists())) {
        moves.add(
            new Move(
                -1, i, new Register(kind.deletes() ? NOTHING : UNSEEN, met.low(), kind.deletes())));
      }
    }
    return moves;
  }

  // The model: what a correct store does.

  /// Whether the operation can be the next one, and if so, whether it changes anything.
  private int effect(int index) {
    Operation operation = certain.get(index);
    boolean exists = register.exists();
    switch (operation.outcome()) {
      case Outcome.Found(_, var value) -> {
        return exists && register.current() >= 0 && valueOf(register.current()).equals(value)
            ? OBSERVES
            : NOT_APPLICABLE;
      }
      case Outcome.Absent(), Outcome.Missing() -> {
        return exists ? NOT_APPLICABLE : OBSERVES;
      }
      case Outcome.Conflict(var version) -> {
        Condition condition = condition(operation.request());
        if (!mayFail(condition) || isDemand(condition, version)) {
          return NOT_APPLICABLE;
        }
        if (version == Outcome.UNTOLD) {
          return OBSERVES;
        }
        if (version == 0) {
          return exists ? NOT_APPLICABLE : OBSERVES;
        }
        if (!exists) {
          return NOT_APPLICABLE;
        }
        if (register.bound()) {
          return register.low() == version ? OBSERVES : NOT_APPLICABLE;
        }
        return mayBe(version) ? CHANGES : NOT_APPLICABLE;
      }
      case Outcome.Applied(_, var existed) -> {
        return existed == exists && canTakeEffect(index) ? CHANGES : NOT_APPLICABLE;
      }
      case Outcome.Unknown() -> {
        return canTakeEffect(index) ? CHANGES : NOT_APPLICABLE;
      }
      case Outcome.NotApplied() ->
          throw new IllegalStateException("what was not applied is not searched for");
    }
  }

  private boolean canTakeEffect(int index) {
    long version = versions[index];
    if (version > 0 && byVersion[nextVersion] != index) {
      return false;
    }
    Request request = certain.get(index).request();
    Register met = meeting(condition(request));
    return met != null
        && (version == 0 || version > met.low())
        && (request instanceof Request.Put || met.exists());
  }

  private Register after(int index) {
    Operation operation = certain.get(index);
    if (operation.outcome() instanceof Outcome.Conflict(var version)) {
      return new Register(register.current(), version, true);
    }
    Register met = meeting(condition(operation.request()));
    if (met == null) {
      throw new IllegalStateException("not applicable: " + operation);
    }
    long version = versions[index];
    boolean deletes = operation.request() instanceof Request.Delete;
    return new Register(
        deletes ? NOTHING : index, version > 0 ? version : met.low(), deletes || version > 0);
  }

  /// The state with what can be concluded from the condition being met, or null if it cannot be.
  private @Nullable Register meeting(Condition condition) {
    boolean met =
        switch (condition) {
          case Condition.Always() -> true;
          case Condition.Absent() -> !register.exists();
          case Condition.Present() -> register.exists();
          case Condition.At(var version) ->
              register.exists() && (register.bound() ? register.low() == version : mayBe(version));
        };
    if (!met) {
      return null;
    }
    return condition instanceof Condition.At(var version)
        ? new Register(register.current(), version, true)
        : register;
  }

  private boolean mayFail(Condition condition) {
    return switch (condition) {
      case Condition.Always() -> false;
      case Condition.Absent() -> register.exists();
      case Condition.Present() -> !register.exists();
      case Condition.At(var version) ->
          !(register.exists() && register.bound() && register.low() == version);
    };
  }

  /// Whether the value that stands, whose version is not known, can be of this version.
  private boolean mayBe(long version) {
    return version > register.low() && !makers.containsKey(version);
  }

  private static boolean isDemand(Condition condition, long version) {
    return condition instanceof Condition.At(var demanded) && demanded == version;
  }

  private static Condition condition(Request request) {
    return switch (request) {
      case Request.Put(_, var condition) -> condition;
      case Request.Delete(var condition) -> condition;
      case Request.Read() -> new Condition.Always();
    };
  }

  private String valueOf(int index) {
    if (certain.get(index).request() instanceof Request.Put(var value, _)) {
      return value;
    }
    throw new IllegalStateException("not a put: " + certain.get(index));
  }
}
