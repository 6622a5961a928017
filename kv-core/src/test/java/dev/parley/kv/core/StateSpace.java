package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Every state that a [BoundedScenario] can reach, visited breadth first, so that the first
/// violation found is one with the fewest steps.
///
/// A state is a few numbers: each node's state ([NodeStates]), the clients' ([ClientStates]), what
/// is left of the budget, and the messages in flight, in ascending order, as a multiset: the
/// network keeps no order. In each state every message in flight is delivered, every node's oldest
/// unforced record is forced, every alarm rings and every node crashes, one successor each.
///
/// These keep the number of states down, without hiding anything that a client could see, which
/// [ExhaustiveTest] checks against a search without them:
///
/// - A reply that nobody waits for any more (its call is over, and delivering it now changes
///   nothing) is removed, and so is a read whose reader has gone, and whatever is of an epoch that
///   its receiver has left for good. Call numbers are never reused. What such a message might
///   still say is that its sender is there, which is a hint and no more.
/// - Once no crash is left in the budget, a node forces at once unless something that it says to
///   itself waits for the disk: a reply to another that waits for the disk is the same as one that
///   waits in the network.
///
/// Silent losses, down times and partitions need no steps of their own: a message that is never
/// delivered, or late, is explored anyway, as every state is checked and not only the last ones.
final class StateSpace {

  /// More states than this are refused: a search that is cut short proves nothing. As many fit into
  /// the heap of one gigabyte that tests have, with the widest level of a search.
  static final int MAX_STATES = 12_000_000;

  /// What a search came to.
  ///
  /// @param violation what went wrong, with the steps that led there, or null
  /// @param nodeStates how many states of single nodes there were
  /// @param histories what clients were told, in every order that they could tell apart
  /// @param depth most steps from the start
  /// @param epoch the latest that any node came into
  record Result(
      BoundedScenario scenario,
      @Nullable String violation,
      int states,
      long transitions,
      int depth,
      int nodeStates,
      long epoch,
      Set<String> histories,
      double seconds) {

    static String header() {
      return "%-34s %10s %12s %6s %8s %9s %8s %10s"
          .formatted(
              "scenario",
              "states",
              "transitions",
              "depth",
              "of nodes",
              "histories",
              "seconds",
              "states/s");
    }

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%-34s %,10d %,12d %6d %,8d %,9d %8.1f %,10.0f",
          scenario.name(),
          states,
          transitions,
          depth,
          nodeStates,
          histories.size(),
          seconds,
          states / seconds);
    }
  }

  private enum Act {
    DELIVER,
    DUPLICATE,
    NOTICE,
    FORCE,
    RING,
    CRASH,
    SEND
  }

  /// One way to go on: `what` is the packet, the node or the operation.
  private record Move(Act act, int what, int survivors) {}

  /// Takes one successor; `next` is null if `wrong` is not. Says whether to go on.
  private interface Visitor {
    boolean visit(Move move, int @Nullable [] next, @Nullable String wrong);
  }

  // Places in a budget, in bits.
  private static final int ALARMS = 0;
  private static final int CRASHES = 6;
  private static final int DUPLICATES = 12;
  private static final int NOTICES = 18;
  private static final int RESTS = 24;

  private final BoundedScenario scenario;
  private final NodeStates nodes;
  private final ClientStates clients;
  private final ChosenValues logs;
  private final SeenStates seen = new SeenStates();
  private final List<String> ids;
  private final boolean reduced;

  // Places in a state, after those of the nodes.
  private final int clientsAt;
  private final int budgetAt;
  private final int packetsAt;

  private long transitions;

  private StateSpace(BoundedScenario scenario, Supplier<Rules> rules, boolean reduced) {
    this.scenario = scenario;
    this.reduced = reduced;
    this.ids = scenario.nodes();
    this.clientsAt = ids.size();
    this.budgetAt = clientsAt + 1;
    this.packetsAt = budgetAt + 1;
    this.nodes = new NodeStates(scenario, rules);
    this.clients = new ClientStates(scenario, nodes);
    this.logs = new ChosenValues(scenario, nodes);
  }

  static Result search(BoundedScenario scenario, Supplier<Rules> rules) {
    return new StateSpace(scenario, rules, true).search();
  }

  /// The same without the reductions, for comparing: more states, the same histories.
  static Result searchAll(BoundedScenario scenario, Supplier<Rules> rules) {
    return new StateSpace(scenario, rules, false).search();
  }

  /// Goes random ways through the states with nodes that are stepped for real, from their start on,
  /// and says where one of them did something else than was looked up, or null.
  static @Nullable String walk(BoundedScenario scenario, long seed, int walks) {
    return new StateSpace(scenario, Rules::new, true).walk(new SplittableRandom(seed), walks);
  }

  private Result search() {
    long begun = System.nanoTime();
    int[] start = start();
    seen.add(start, -1);
    List<int[]> level = List.of(start);
    int first = 0;
    int depth = 0;
    String[] violation = new String[1];
    while (!level.isEmpty() && violation[0] == null) {
      List<int[]> next = new ArrayList<>();
      for (int i = 0; i < level.size() && violation[0] == null; i++) {
        int number = first + i;
        int[] state = level.get(i);
        successors(
            state,
            (move, successor, wrong) -> {
              transitions++;
              if (successor == null) {
                violation[0] = wrong + "\n" + story(start, number, move);
                return false;
              }
              if (seen.add(successor, number) >= 0) {
                next.add(successor);
              }
              return true;
            });
        if (seen.size() > MAX_STATES) {
          throw new IllegalStateException(
              scenario.name() + " has more than " + MAX_STATES + " states: bound it further");
        }
      }
      first += level.size();
      depth += next.isEmpty() ? 0 : 1;
      level = next;
    }
    return new Result(
        scenario,
        violation[0],
        seen.size(),
        transitions,
        depth,
        nodes.count(),
        nodes.latestEpoch(),
        clients.histories(),
        (System.nanoTime() - begun) / 1e9);
  }

  // Where the search starts.

  private int[] start() {
    int[] state = new int[packetsAt];
    for (int node = 0; node < ids.size(); node++) {
      state[node] = nodes.start(node).next();
    }
    state[clientsAt] = clients.initial();
    for (String id : ids) {
      if (!scenario.members().before().contains(id)) {
        // It would like to become a member.
        OpId disk = scenario.disk(id);
        Message hello = new Message.Ping(new Message.Scope(1), 0, disk, 0, 0);
        introduce(
            state,
            (peer, boot) ->
                peer.equals(id)
                    ? new Event.Received(peer, boot, hello)
                    : new Event.Undelivered(peer, List.of()));
      }
    }
    for (int op = 0; op < scenario.before().size(); op++) {
      BoundedScenario.Kind kind = clients.op(op).kind();
      if (kind == BoundedScenario.Kind.MOVE || kind == BoundedScenario.Kind.PURGE) {
        introduce(state, (peer, boot) -> new Event.Received(peer, boot, new Message.Pong(0)));
      } else {
        introduce(state, (peer, _) -> new Event.Undelivered(peer, List.of()));
      }
      state = kind == BoundedScenario.Kind.PURGE ? purged(state, op) : undisturbed(state, op);
    }
    switch (scenario.start()) {
      case ACQUAINTED ->
          // The reply to the ping of a start; nothing waits for its number.
          introduce(state, (peer, boot) -> new Event.Received(peer, boot, new Message.Pong(0)));
      case APART -> introduce(state, (peer, _) -> new Event.Undelivered(peer, List.of()));
      case RESTARTED -> {
        for (int node = 0; node < ids.size(); node++) {
          state[node] = nodes.step(state[node], NodeStates.CRASH).next();
        }
      }
    }
    if (scenario.patience() == BoundedScenario.Patience.TIDY) {
      // After some looks kv-1 finds the tombstone old, and begins to purge it if it believes the
      // others to be there.
      introduce(state, 0, (peer, boot) -> new Event.Received(peer, boot, new Message.Pong(0)));
      for (int looks = 0; state.length == packetsAt; looks++) {
        if (looks == 10) {
          throw new IllegalStateException("nothing is purged");
        }
        state = require(stepped(state, 0, NodeStates.RING, -1, 0));
      }
      if (scenario.start() == BoundedScenario.Start.APART) {
        introduce(state, 0, (peer, _) -> new Event.Undelivered(peer, List.of()));
      }
    }
    BoundedScenario.Budget budget = scenario.budget();
    state[budgetAt] =
        budget.alarms() << ALARMS
            | budget.crashes() << CRASHES
            | budget.duplicates() << DUPLICATES
            | budget.notices() << NOTICES
            | budget.rests() << RESTS;
    if (scenario.opening() == BoundedScenario.Opening.TOGETHER) {
      for (int op : clients.beginnable(state[clientsAt])) {
        state = require(send(state, op));
      }
    }
    return state;
  }

  private interface News {
    Event of(String peer, long boot);
  }

  private void introduce(int[] state, News news) {
    for (int node = 0; node < ids.size(); node++) {
      introduce(state, node, news);
    }
  }

  private void introduce(int[] state, int node, News news) {
    for (int peer = 0; peer < ids.size(); peer++) {
      if (peer != node) {
        Event event = news.of(ids.get(peer), nodes.boot(state[peer]));
        state[node] = nodes.step(state[node], nodes.ask(event)).next();
      }
    }
  }

  /// Carries out an operation with everything delivered and forced at once, and alarms ringing only
  /// when nothing else is left to do. Of a change of the members, what is to tell the old nodes of
  /// it stays in flight, and the node that decided it has just begun to carry it out.
  private int[] undisturbed(int[] from, int op) {
    boolean move = clients.op(op).kind() == BoundedScenario.Kind.MOVE;
    int at = clients.op(op).node();
    int[] state = require(send(from, op));
    while (true) {
      int node = pending(state);
      int place = packetsAt;
      while (move
          && place < state.length
          && nodes.packet(state[place]).message() instanceof Message.Install
          && scenario.members().before().contains(ids.get(nodes.packet(state[place]).to()))) {
        place++;
      }
      if (node >= 0) {
        state = require(stepped(state, node, NodeStates.FORCE, -1, 0));
      } else if (place < state.length) {
        int to = nodes.packet(state[place]).to();
        state = require(stepped(state, to, nodes.receive(state[place]), place, 0));
      } else if (!clients.answered(state[clientsAt], op)) {
        if (clients.closed(state[clientsAt], op)) {
          throw new IllegalStateException("operation #" + op + " is refused before the search");
        }
        state = require(stepped(state, at, NodeStates.RING, -1, 0));
      } else {
        int[] last = move ? require(stepped(state, at, NodeStates.RING, -1, 0)) : state;
        if (move && last.length == state.length) {
          throw new IllegalStateException(ids.get(at) + " does not carry out the change");
        }
        return last;
      }
    }
  }

  /// Lets time pass at one node, everything delivered and forced at once, until it has forgotten a
  /// tombstone.
  private int[] purged(int[] from, int op) {
    int[] state = from.clone();
    state[clientsAt] = clients.done(state[clientsAt], op);
    while (true) {
      int node = pending(state);
      if (node >= 0) {
        state = require(stepped(state, node, NodeStates.FORCE, -1, 0));
      } else if (state.length > packetsAt) {
        int to = nodes.packet(state[packetsAt]).to();
        state = require(stepped(state, to, nodes.receive(state[packetsAt]), packetsAt, 0));
      } else if (nodes.records(nodes.logState(state[clients.op(op).node()])).stream()
          .anyMatch(LogRecord.Purged.class::isInstance)) {
        return state;
      } else {
        state = require(stepped(state, clients.op(op).node(), NodeStates.RING, -1, 0));
      }
    }
  }

  private int pending(int[] state) {
    for (int node = 0; node < ids.size(); node++) {
      if (nodes.pending(state[node]) > 0) {
        return node;
      }
    }
    return -1;
  }

  private int[] require(int @Nullable [] state) {
    if (state == null) {
      throw new IllegalStateException(scenario.name() + ": " + wrong);
    }
    return state;
  }

  // How it goes on.

  /// Shows every successor to the visitor, until it has enough.
  private void successors(int[] state, Visitor visitor) {
    int budget = state[budgetAt];
    for (int i = packetsAt; i < state.length; i++) {
      if (i > packetsAt && state[i] == state[i - 1]) {
        continue;
      }
      int packet = state[i];
      NodeStates.Packet content = nodes.packet(packet);
      int event = nodes.receive(packet);
      if (!show(visitor, Act.DELIVER, packet, 0, stepped(state, content.to(), event, i, 0))) {
        return;
      }
      if (left(budget, DUPLICATES)
          && !show(
              visitor,
              Act.DUPLICATE,
              packet,
              0,
              stepped(state, content.to(), event, -1, 1 << DUPLICATES))) {
        return;
      }
      if (left(budget, NOTICES) && nodes.boot(state[content.from()]) == content.boot()) {
        int[] next = stepped(state, content.from(), nodes.ask(notice(content)), i, 1 << NOTICES);
        if (!show(visitor, Act.NOTICE, packet, 0, next)) {
          return;
        }
      }
    }
    for (int node = 0; node < ids.size(); node++) {
      int pending = nodes.pending(state[node]);
      if (pending > 0
          && !show(visitor, Act.FORCE, node, 0, stepped(state, node, NodeStates.FORCE, -1, 0))) {
        return;
      }
      int purse = nodes.rests(state[node]) && left(budget, RESTS) ? RESTS : ALARMS;
      if (left(budget, purse)
          && nodes.hasAlarm(state[node])
          && !show(
              visitor, Act.RING, node, 0, stepped(state, node, NodeStates.RING, -1, 1 << purse))) {
        return;
      }
      for (int kept = 0; left(budget, CRASHES) && kept <= pending; kept++) {
        int[] next = stepped(state, node, NodeStates.CRASH + kept, -1, 1 << CRASHES);
        if (!show(visitor, Act.CRASH, node, kept, next)) {
          return;
        }
      }
    }
    for (int op : clients.beginnable(state[clientsAt])) {
      if (!show(visitor, Act.SEND, op, 0, send(state, op))) {
        return;
      }
    }
    for (int op : clients.retriable(state[clientsAt])) {
      if (!show(visitor, Act.SEND, op, 1, send(state, op))) {
        return;
      }
    }
  }

  private boolean show(Visitor visitor, Act act, int what, int more, int @Nullable [] next) {
    return visitor.visit(new Move(act, what, more), next, next == null ? wrong : null);
  }

  private static boolean left(int budget, int place) {
    return (budget >>> place & 0x3f) != 0;
  }

  private int @Nullable [] send(int[] state, int op) {
    int node = clients.node(state[clientsAt], op);
    int event = nodes.ask(clients.request(state[clientsAt], op));
    int[] sent = state.clone();
    sent[clientsAt] = clients.sent(state[clientsAt], op);
    return stepped(sent, node, event, -1, 0);
  }

  /// What is wrong, after a null was returned.
  private @Nullable String wrong;

  /// The state after an event at a node, or null if that is a violation.
  ///
  /// @param used the place of the message that is no longer in flight, or -1
  private int @Nullable [] stepped(int[] state, int node, int event, int used, int cost) {
    return stepped(state, node, event, used, cost, false);
  }

  private int @Nullable [] stepped(
      int[] state, int node, int event, int used, int cost, boolean unsettled) {
    NodeStates.Step step = nodes.step(state[node], event);
    int sent = step.packets().length;
    int[] next = new int[state.length - (used < 0 ? 0 : 1) + sent];
    System.arraycopy(state, 0, next, 0, packetsAt);
    int to = packetsAt;
    for (int i = packetsAt; i < state.length; i++) {
      if (i != used) {
        next[to++] = state[i];
      }
    }
    System.arraycopy(step.packets(), 0, next, to, sent);
    next[node] = step.next();
    next[budgetAt] -= cost;
    if (NodeStates.isCrash(event)) {
      next[clientsAt] = clients.lost(next[clientsAt], node);
    }
    boolean logged = nodes.logState(state[node]) != nodes.logState(step.next());
    if (!consistent(next, step, logged)) {
      return null;
    }
    return settle(next, node, unsettled ? packetsAt : next.length - sent);
  }

  /// Whether the new state may be; if not, [#wrong] says why.
  private boolean consistent(int[] next, NodeStates.Step step, boolean logged) {
    wrong = null;
    boolean proposes = false;
    for (int packet : step.packets()) {
      proposes |= nodes.packet(packet).message() instanceof Message.Accept;
    }
    if (!logged && !proposes && step.told().isEmpty()) {
      return true;
    }
    ChosenValues.Verdict verdict = logs.of(next);
    wrong = verdict.wrong();
    if (wrong == null && (proposes || logged)) {
      wrong = twoValues(next, verdict);
    }
    for (NodeStates.Told told : step.told()) {
      if (wrong == null) {
        int op = (int) told.ticket() / 2;
        if (clients.op(op).kind() != BoundedScenario.Kind.ELSEWHERE) {
          wrong = logs.unfounded(verdict, op, nodes.answer(told.answer()));
        }
        next[clientsAt] = clients.told(next[clientsAt], told);
      }
    }
    if (wrong == null) {
      wrong = clients.violation(next[clientsAt]);
    }
    return wrong == null;
  }

  /// Whether two Accepts under way, or one and a log, have different values for one ballot.
  private @Nullable String twoValues(int[] state, ChosenValues.Verdict verdict) {
    java.util.TreeMap<Ballot, Versioned> proposed = new java.util.TreeMap<>();
    for (int i = packetsAt; i < state.length; i++) {
      if (nodes.packet(state[i]).message() instanceof Message.Accept accept
          && accept.key().equals(scenario.key())) {
        Versioned other = verdict.proposed().get(accept.ballot());
        if (other == null) {
          other = proposed.putIfAbsent(accept.ballot(), accept.value());
        }
        if (other != null && !ChosenValues.same(other, accept.value())) {
          return "ballot " + accept.ballot() + " carries two values";
        }
      }
    }
    return null;
  }

  /// Brings a state into the one form that stands for all that behave the same.
  ///
  /// @param changed the node that made a step; messages it has no part in stay as they are
  /// @param fresh the place of the first message that this step sent
  private int @Nullable [] settle(int[] next, int changed, int fresh) {
    int[] state = next;
    if (reduced && !left(state[budgetAt], CRASHES)) {
      for (int node = 0; node < ids.size(); node++) {
        if (nodes.pending(state[node]) > 0 && !nodes.waitsForItself(state[node])) {
          // What this step sent has not been looked at yet; it is, once the forcing has ended.
          return stepped(state, node, NodeStates.FORCE, -1, 0, true);
        }
      }
    }
    int kept = packetsAt;
    for (int i = packetsAt; i < state.length; i++) {
      NodeStates.Packet content = nodes.packet(state[i]);
      boolean concerned = i >= fresh || content.to() == changed || content.from() == changed;
      if (!reduced || !concerned || !finished(state, content, state[i])) {
        state[kept++] = state[i];
      }
    }
    state = kept == state.length ? state : Arrays.copyOf(state, kept);
    Arrays.sort(state, packetsAt, state.length);
    return state;
  }

  private boolean finished(int[] state, NodeStates.Packet content, int packet) {
    Message message = content.message();
    int asker = message instanceof Message.Reply ? content.to() : content.from();
    int receiver = state[content.to()];
    if (!(message instanceof Message.Reply || isRead(message) || isPast(state, message, receiver))
        || nodes.awaits(state[asker], message.call())) {
      return false;
    }
    NodeStates.Step step = nodes.step(receiver, nodes.receive(packet));
    if (step.next() != receiver || !step.told().isEmpty()) {
      return false;
    }
    for (int reply : step.packets()) {
      if (nodes.packet(reply).message().call() != message.call()) {
        return false;
      }
    }
    return !(message instanceof Message.Reply) || step.packets().length == 0;
  }

  private static boolean isRead(Message message) {
    return message instanceof Message.Read || message instanceof Message.Scan;
  }

  /// Whether the receiver is in a later epoch than the request, or than the layout that is offered
  /// to it, and cannot fall back by a crash.
  private boolean isPast(int[] state, Message message, int receiver) {
    if (left(state[budgetAt], CRASHES) && nodes.pending(receiver) > 0) {
      return false;
    }
    long epoch = nodes.epoch(receiver);
    return switch (message) {
      case Message.Install install -> install.layout().epoch() <= epoch;
      case Message.AskLayout _ -> false;
      case Message.Request request -> request.scope().epoch() < epoch;
      default -> false;
    };
  }

  // How to check it.

  private @Nullable String walk(SplittableRandom random, int walks) {
    int[] start = start();
    for (int walk = 0; walk < walks; walk++) {
      int[] state = start;
      NodeStates.Twin[] twins = new NodeStates.Twin[ids.size()];
      for (int node = 0; node < twins.length; node++) {
        twins[node] = nodes.twin(start[node]);
      }
      while (true) {
        List<Move> moves = new ArrayList<>();
        List<int[]> reached = new ArrayList<>();
        successors(
            state,
            (move, next, _) -> {
              moves.add(move);
              reached.add(next == null ? start : next);
              return next != null;
            });
        if (moves.isEmpty()) {
          break;
        }
        int choice = random.nextInt(moves.size());
        Happening happening = happening(state, moves.get(choice));
        String different =
            twins[happening.node()].follow(state[happening.node()], happening.event());
        if (different != null) {
          return different;
        }
        // Whatever was forced along with it.
        for (int node = 0; node < ids.size(); node++) {
          while (twins[node].state() != reached.get(choice)[node]) {
            if (nodes.pending(twins[node].state()) == 0) {
              return "a node ended in another state";
            }
            different = twins[node].follow(twins[node].state(), NodeStates.FORCE);
            if (different != null) {
              return different;
            }
          }
        }
        state = reached.get(choice);
      }
    }
    return null;
  }

  private record Happening(int node, int event) {}

  private Happening happening(int[] state, Move move) {
    return switch (move.act()) {
      case DELIVER, DUPLICATE ->
          new Happening(nodes.packet(move.what()).to(), nodes.receive(move.what()));
      case NOTICE -> {
        NodeStates.Packet packet = nodes.packet(move.what());
        yield new Happening(packet.from(), nodes.ask(notice(packet)));
      }
      case FORCE -> new Happening(move.what(), NodeStates.FORCE);
      case RING -> new Happening(move.what(), NodeStates.RING);
      case CRASH -> new Happening(move.what(), NodeStates.CRASH + move.survivors());
      case SEND ->
          new Happening(
              clients.node(state[clientsAt], move.what()),
              nodes.ask(clients.request(state[clientsAt], move.what())));
    };
  }

  private Event notice(NodeStates.Packet packet) {
    return new Event.Undelivered(ids.get(packet.to()), List.of(packet.message()));
  }

  // How to tell it.

  private String story(int[] start, int parent, Move last) {
    List<Integer> path = new ArrayList<>();
    for (int number = parent; number > 0; number = seen.parent(number)) {
      path.addFirst(number);
    }
    StringBuilder text = new StringBuilder();
    text.append("  in the scenario \"").append(scenario.name()).append("\"\n");
    for (int op = 0; op < scenario.before().size() + scenario.ops().size(); op++) {
      text.append("      ").append(describe(op));
      text.append(op < scenario.before().size() ? ", done before\n" : "\n");
    }
    int[] state = start;
    int count = 0;
    for (int number : path) {
      Move[] taken = new Move[1];
      int[][] reached = new int[1][];
      successors(
          state,
          (move, next, _) -> {
            if (next != null && seen.is(number, next)) {
              taken[0] = move;
              reached[0] = next;
              return false;
            }
            return true;
          });
      tell(text, ++count, state, taken[0]);
      state = reached[0];
    }
    tell(text, ++count, state, last);
    return text.toString();
  }

  private String describe(int op) {
    BoundedScenario.Op spec = clients.op(op);
    return "operation #%d: client %d, %s at %s%s"
        .formatted(
            op,
            spec.client(),
            spec.kind(),
            ids.get(spec.node()),
            spec.retryNode() < 0 ? "" : ", again at " + ids.get(spec.retryNode()));
  }

  private void tell(StringBuilder text, int count, int[] state, Move move) {
    Happening happening = happening(state, move);
    int node = happening.node();
    String what =
        switch (move.act()) {
          case DELIVER, DUPLICATE -> {
            NodeStates.Packet packet = nodes.packet(move.what());
            yield "receives from %s%s: %s"
                .formatted(
                    ids.get(packet.from()),
                    move.act() == Act.DUPLICATE ? " (and will again)" : "",
                    text(packet.message()));
          }
          case NOTICE -> {
            NodeStates.Packet packet = nodes.packet(move.what());
            yield "is told that %s was not connected for %s"
                .formatted(ids.get(packet.to()), text(packet.message()));
          }
          case FORCE -> "forces a record";
          case RING -> "hears its next alarm";
          case CRASH ->
              "crashes, " + move.survivors() + " unforced records survive, and starts again";
          case SEND ->
              (move.survivors() == 0 ? "is asked for " : "is asked again for ") + "#" + move.what();
        };
    text.append("%4d  %s %s%n".formatted(count, ids.get(node), what));
    NodeStates.Step step = nodes.step(state[node], happening.event());
    for (int packet : step.packets()) {
      NodeStates.Packet sent = nodes.packet(packet);
      text.append("          sends %s %s%n".formatted(ids.get(sent.to()), text(sent.message())));
    }
    for (NodeStates.Told told : step.told()) {
      text.append(
          "          answers #%d: %s%n"
              .formatted(told.ticket() / 2, ChosenValues.text(nodes.answer(told.answer()))));
    }
  }

  private static String text(Message message) {
    return switch (message) {
      case Message.Prepare prepare -> "Prepare %s%s".formatted(prepare.ballot(), of(prepare.key()));
      case Message.Promise promise ->
          "Promise, accepted %s %s"
              .formatted(
                  promise.accepted(),
                  promise.value() == null && !promise.accepted().equals(Ballot.ZERO)
                      ? "(known)"
                      : text(promise.value()));
      case Message.Nack nack -> "Nack, promised " + nack.promised();
      case Message.Accept accept ->
          "Accept %s %s, next %s%s"
              .formatted(
                  accept.ballot(),
                  accept.key().equals(Key.LAYOUT) ? "" : text(accept.value()),
                  accept.next(),
                  of(accept.key()));
      case Message.Accepted accepted ->
          "Accepted " + accepted.ballot() + (accepted.next() ? ", and next" : "");
      case Message.Purge purge -> "Purge " + purge.ballot();
      case Message.Read read -> "Read" + of(read.key());
      case Message.Scan scan -> "Scan of partition " + scan.partition();
      case Message.Install install -> "Install " + install.layout();
      case Message.ReadReply reply -> "ReadReply, accepted " + reply.accepted();
      case Message.Forward forward -> "Forward of #" + forward.mutation().op().low();
      default -> message.toString();
    };
  }

  private static String of(Key key) {
    return key.equals(Key.LAYOUT) ? " (of the layout)" : "";
  }

  private static String text(@Nullable Versioned value) {
    return value == null ? "nothing" : ChosenValues.text(value);
  }
}
