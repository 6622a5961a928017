package dev.parley.kv.core;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// What the clients of a [BoundedScenario] have done and been told, by number.
///
/// Of the past, only what a checker of linearizability can see is kept: for each operation its
/// answer, and which answers were given before it began.
final class ClientStates {

  private static final int IDLE = 0;
  private static final int OPEN = 1;
  private static final int CLOSED = 2;
  private static final int NONE = -1;

  /// @param before the answered operations, as bits, when this one began
  /// @param attempts how often it was sent
  /// @param waiting the attempts, as bits, that may still be answered
  /// @param doubtful an attempt that is over may have taken effect, or may yet
  /// @param answer the number of the final answer; [#NONE] if there is none
  /// @param nothing it certainly had no effect
  private record OpState(
      int status,
      int before,
      int attempts,
      int waiting,
      boolean doubtful,
      int answer,
      boolean nothing) {

    static final OpState UNTOUCHED = new OpState(IDLE, 0, 0, 0, false, NONE, false);

    OpState begun(int answered) {
      return new OpState(OPEN, answered, 0, 0, false, NONE, false);
    }

    OpState sent() {
      return new OpState(
          status, before, attempts + 1, waiting | 1 << attempts, doubtful, answer, nothing);
    }

    OpState heard(int attempt) {
      return new OpState(
          status, before, attempts, waiting & ~(1 << attempt), doubtful, answer, nothing);
    }

    OpState doubted() {
      return new OpState(status, before, attempts, waiting, true, answer, nothing);
    }

    OpState closed(int finalAnswer) {
      boolean noEffect = finalAnswer == NONE && !doubtful && waiting == 0;
      return new OpState(CLOSED, before, attempts, 0, doubtful, finalAnswer, noEffect);
    }
  }

  private record State(List<OpState> ops, @Nullable String wrong) {}

  private record Seen(int op, long ticket, int answer) {}

  private final List<BoundedScenario.Op> ops;
  private final BoundedScenario scenario;
  private final NodeStates nodes;
  private final List<State> states = new ArrayList<>();
  private final Map<State, Integer> ids = new HashMap<>();
  private final List<int[]> beginnable = new ArrayList<>();
  private final List<int[]> retriable = new ArrayList<>();
  private final List<@Nullable String> violations = new ArrayList<>();
  private final Map<List<Integer>, Integer> told = new HashMap<>();

  ClientStates(BoundedScenario scenario, NodeStates nodes) {
    this.scenario = scenario;
    this.ops = new ArrayList<>(scenario.before());
    this.ops.addAll(scenario.ops());
    this.nodes = nodes;
    if (ops.size() > 30) {
      throw new IllegalArgumentException("too many operations");
    }
  }

  int initial() {
    return id(new State(ops.stream().map(_ -> OpState.UNTOUCHED).toList(), null));
  }

  /// All states, as texts that do not depend on the order in which they were met.
  Set<String> histories() {
    Set<String> texts = new TreeSet<>();
    for (State state : states) {
      StringBuilder text = new StringBuilder();
      for (OpState op : state.ops()) {
        text.append(op.status() == CLOSED ? "closed" : op.status() == OPEN ? "open" : "idle");
        text.append(" after ").append(op.before()).append(", sent ").append(op.attempts());
        text.append(", waiting ").append(op.waiting()).append(op.doubtful() ? ", doubtful" : "");
        text.append(op.nothing() ? ", nothing" : "");
        if (op.answer() != NONE) {
          Answer answer = nodes.answer(op.answer());
          text.append(": ");
          text.append(answer instanceof Answer.Found(var v, _, _) ? "Found " + v : answer);
        }
        text.append("; ");
      }
      texts.add(text.toString());
    }
    return texts;
  }

  BoundedScenario.Op op(int index) {
    return ops.get(index);
  }

  /// The operations that can begin now.
  int[] beginnable(int state) {
    return beginnable.get(state);
  }

  /// The operations that can be sent again now.
  int[] retriable(int state) {
    return retriable.get(state);
  }

  /// The state after an operation that nobody is told of is over.
  int done(int state, int op) {
    State from = states.get(state);
    return id(with(from, op, from.ops().get(op).closed(NONE), from.wrong()));
  }

  boolean closed(int state, int op) {
    return states.get(state).ops().get(op).status() == CLOSED;
  }

  boolean answered(int state, int op) {
    return states.get(state).ops().get(op).answer() != NONE;
  }

  /// What no correct store could have told these clients, or null.
  @Nullable String violation(int state) {
    return violations.get(state);
  }

  /// The state after the operation was sent, for the first or the next time.
  int sent(int state, int op) {
    State from = states.get(state);
    OpState mine = from.ops().get(op);
    if (mine.status() == IDLE) {
      int answered = 0;
      for (int i = 0; i < ops.size(); i++) {
        answered |= from.ops().get(i).answer() == NONE ? 0 : 1 << i;
      }
      mine = mine.begun(answered);
    }
    return id(with(from, op, mine.sent(), from.wrong()));
  }

  int node(int state, int op) {
    return states.get(state).ops().get(op).attempts() == 0
        ? ops.get(op).node()
        : ops.get(op).retryNode();
  }

  /// The request that sends the operation, for the first or the next time.
  Event request(int state, int op) {
    BoundedScenario.Op spec = ops.get(op);
    long ticket = 2L * op + states.get(state).ops().get(op).attempts();
    if (spec.kind() == BoundedScenario.Kind.MOVE) {
      return new Event.ChangeMembers(ticket, scenario.change());
    }
    Mutation mutation = mutation(states.get(state), op);
    return mutation == null
        ? new Event.Read(ticket, scenario.key())
        : new Event.Write(
            ticket, key(spec), spec.retryNode() < 0 ? mutation : mutation.withBase(0));
  }

  /// @throws IllegalStateException if the client would have to know a version that it does not
  private @Nullable Mutation mutation(State state, int op) {
    BoundedScenario.Op spec = ops.get(op);
    OpId id = new OpId(1, op);
    byte[] body = value(op).getBytes(StandardCharsets.UTF_8);
    return switch (spec.kind()) {
      case READ, MOVE, PURGE -> null;
      case PUT, ELSEWHERE -> new Mutation(id, new Precondition.Always(), body, Mutation.NO_BASE);
      case CREATE -> new Mutation(id, new Precondition.Absent(), body, Mutation.NO_BASE);
      case DELETE -> new Mutation(id, new Precondition.Always(), null, Mutation.NO_BASE);
      case REPLACE ->
          new Mutation(
              id, new Precondition.At(version(state, spec.seen())), body, Mutation.NO_BASE);
    };
  }

  private long version(State state, int op) {
    int answer = state.ops().get(op).answer();
    long version = answer == NONE ? 0 : versionIn(nodes.answer(answer));
    // A version that never was: nobody makes one as high as this.
    return version == 0 ? 1L << 50 : version;
  }

  private static long versionIn(Answer answer) {
    return switch (answer) {
      case Answer.Applied(var version, _) -> version;
      case Answer.Found(var version, _, _) -> version;
      default -> 0;
    };
  }

  private Key key(BoundedScenario.Op op) {
    return switch (op.kind()) {
      case ELSEWHERE -> BoundedScenario.OTHER;
      case MOVE -> Key.LAYOUT;
      default -> scenario.key();
    };
  }

  private static String value(int op) {
    return "v" + op;
  }

  /// The state after a node gave this answer.
  int told(int state, NodeStates.Told answer) {
    return told.computeIfAbsent(
        List.of(state, (int) answer.ticket(), answer.answer()), _ -> hear(state, answer));
  }

  private int hear(int state, NodeStates.Told answer) {
    State from = states.get(state);
    int op = (int) (answer.ticket() / 2);
    OpState mine = from.ops().get(op);
    Answer content = nodes.answer(answer.answer());
    if (mine.status() == CLOSED) {
      boolean twice =
          content instanceof Answer.Applied
              && mine.answer() != NONE
              && !nodes.answer(mine.answer()).equals(content);
      String wrong =
          twice
              ? "operation #"
                  + op
                  + " took effect twice: "
                  + nodes.answer(mine.answer())
                  + ", "
                  + content
              : from.wrong();
      return id(new State(from.ops(), wrong));
    }
    mine = mine.heard((int) (answer.ticket() % 2));
    boolean lasting = ops.get(op).kind() == BoundedScenario.Kind.REPLACE;
    boolean mayBeDone = mine.doubtful() || mine.waiting() != 0;
    boolean again = ops.get(op).retryNode() >= 0 && mine.attempts() < 2;
    OpState after =
        switch (content) {
          case Answer.Applied _, Answer.Found _, Answer.Absent _, Answer.Begun _ ->
              mine.closed(answer.answer());
          case Answer.Conflict _ ->
              mayBeDone && !lasting ? mine.doubted().closed(NONE) : mine.closed(answer.answer());
          case Answer.Missing _ ->
              mayBeDone ? mine.doubted().closed(NONE) : mine.closed(answer.answer());
          case Answer.NotApplied _, Answer.NoRoom _, Answer.Unavailable _, Answer.Rejected _ ->
              again || mine.waiting() != 0 ? mine : mine.closed(NONE);
          case Answer.Unknown _, Answer.Forgotten _, Answer.Undecided _ ->
              again || mine.waiting() != 0 ? mine.doubted() : mine.doubted().closed(NONE);
          case Answer.Page _, Answer.Watched _ ->
              throw new IllegalStateException("nobody lists or watches here");
        };
    return id(with(from, op, after, from.wrong()));
  }

  /// The state after the connections to a node broke.
  int lost(int state, int node) {
    State from = states.get(state);
    List<OpState> after = new ArrayList<>();
    for (int op = 0; op < ops.size(); op++) {
      OpState mine = from.ops().get(op);
      BoundedScenario.Op spec = ops.get(op);
      if (mine.status() == OPEN) {
        for (int attempt = 0; attempt < 2; attempt++) {
          int at = attempt == 0 ? spec.node() : spec.retryNode();
          if (at == node && (mine.waiting() & 1 << attempt) != 0) {
            mine = mine.heard(attempt).doubted();
          }
        }
        if (mine.waiting() == 0 && (spec.retryNode() < 0 || mine.attempts() == 2)) {
          mine = mine.closed(NONE);
        }
      }
      after.add(mine);
    }
    return id(new State(List.copyOf(after), from.wrong()));
  }

  private static State with(State state, int op, OpState changed, @Nullable String wrong) {
    List<OpState> ops = new ArrayList<>(state.ops());
    ops.set(op, changed);
    return new State(List.copyOf(ops), wrong);
  }

  private int id(State state) {
    Integer known = ids.putIfAbsent(state, states.size());
    if (known != null) {
      return known;
    }
    states.add(state);
    List<Integer> begin = new ArrayList<>();
    List<Integer> again = new ArrayList<>();
    for (int op = 0; op < ops.size(); op++) {
      OpState mine = state.ops().get(op);
      if (mine.status() == IDLE && predecessorClosed(state, op)) {
        begin.add(op);
      }
      if (mine.status() == OPEN && mine.attempts() == 1 && ops.get(op).retryNode() >= 0) {
        again.add(op);
      }
    }
    beginnable.add(begin.stream().mapToInt(Integer::intValue).toArray());
    retriable.add(again.stream().mapToInt(Integer::intValue).toArray());
    violations.add(check(state));
    return states.size() - 1;
  }

  private boolean predecessorClosed(State state, int op) {
    for (int i = 0; i < op; i++) {
      if (ops.get(i).client() == ops.get(op).client() && state.ops().get(i).status() != CLOSED) {
        return false;
      }
    }
    return true;
  }

  private @Nullable String check(State state) {
    if (state.wrong() != null) {
      return state.wrong();
    }
    List<OpState> all = state.ops();
    for (int op = 0; op < all.size(); op++) {
      for (int earlier = 0; earlier < all.size(); earlier++) {
        if ((all.get(op).before() & 1 << earlier) != 0
            && all.get(op).answer() != NONE
            && key(ops.get(op)).equals(key(ops.get(earlier)))) {
          Answer first = nodes.answer(all.get(earlier).answer());
          Answer then = nodes.answer(all.get(op).answer());
          boolean strictly = then instanceof Answer.Applied;
          if (versionIn(then) != 0
              && (strictly
                  ? versionIn(then) <= versionIn(first)
                  : versionIn(then) < versionIn(first))) {
            return "operation #%d met version %d after operation #%d had met version %d"
                .formatted(op, versionIn(then), earlier, versionIn(first));
          }
        }
      }
    }
    return history(state).violation();
  }

  /// A history with instants that give the same order: an operation begins at twice the number of
  /// answers given before it, and an answer comes just before the first operation that began after
  /// it.
  History history(int state) {
    return history(states.get(state));
  }

  private History history(State state) {
    History history = new History();
    List<OpState> all = state.ops();
    for (int op = 0; op < all.size(); op++) {
      OpState mine = all.get(op);
      BoundedScenario.Kind kind = ops.get(op).kind();
      boolean ofClient = kind != BoundedScenario.Kind.MOVE && kind != BoundedScenario.Kind.PURGE;
      if (mine.status() == IDLE || !ofClient) {
        continue;
      }
      History.Op recorded =
          history.begin(
              ops.get(op).client(),
              key(ops.get(op)),
              mutation(state, op),
              value(op),
              2L * Integer.bitCount(mine.before()));
      recorded.certainlyNothing = mine.nothing();
      if (mine.answer() != NONE) {
        recorded.answer = nodes.answer(mine.answer());
        long ended = 2L * all.size() + 1;
        for (OpState other : all) {
          if ((other.before() & 1 << op) != 0) {
            ended = Math.min(ended, 2L * Integer.bitCount(other.before()) - 1);
          }
        }
        recorded.ended = ended;
      }
    }
    return history;
  }
}
