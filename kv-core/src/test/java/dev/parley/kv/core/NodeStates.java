package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Every state that a single node, the real [NodeCore] with its log, was ever seen in, by number,
/// and every step between two of them.
///
/// Nodes share nothing but messages, which never change. So a state of the whole cluster is a tuple
/// of node states, and far fewer node states than tuples exist: a step of a node is run once, and
/// looked up ever after. This is the "collapse" compression of Holzmann's SPIN carried over to the
/// steps themselves.
///
/// A core holds closures and cannot be copied. A state is therefore reached again by replaying the
/// events since the node's last start, which is exact as the core is deterministic. Two states are
/// the same if their [CanonicalForm] is.
final class NodeStates {

  /// Steps that every node can take, as numbers; [#receive] and [#ask] give the others.
  static final int FORCE = 0;

  static final int RING = 1;

  /// Crash and restart; plus the number of unforced records that survive.
  static final int CRASH = 2;

  private static final int FIRST_EVENT = 64;
  private static final int LIVE_CORES = 2048;

  /// A message in flight.
  record Packet(int from, long boot, int to, Message message) {}

  /// An answer to a client.
  record Told(long ticket, int answer) {}

  /// What a step led to. [#packets] were sent by it.
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Step(int next, int[] packets, List<Told> told) {
    @Override
    public String toString() {
      return "state %d, sending %s, telling %s".formatted(next, Arrays.toString(packets), told);
    }
  }

  /// A log, as the list of its records.
  private record Log(int id, @Nullable Log before, long lsn, @Nullable LogRecord record) {
    List<LogRecord> records() {
      List<LogRecord> all = new ArrayList<>();
      for (Log log = this; log != null && log.record != null; log = log.before) {
        all.addFirst(log.record);
      }
      return all;
    }
  }

  /// One state of one node. It was first reached from `before` by `event`, or by a start, if
  /// `before` is null, which found `log` on disk up to `bootLsn`.
  private record Local(
      int node,
      @Nullable Local before,
      int event,
      Log bootLog,
      Log log,
      long durable,
      int logState,
      boolean alarm,
      boolean rests,
      long boot,
      boolean waitsForItself,
      long epoch,
      long[] openCalls) {}

  private record LocalName(int node, CanonicalForm.Bits core, int log, long durable) {}

  private record LogName(int before, CanonicalForm.Bits record) {}

  private record LogStateName(int log, long durable) {}

  /// Chance decides only how long a node rests after it lost a ballot, and so does the search.
  private static final class NoChance implements RandomGenerator {
    @Override
    public long nextLong() {
      return 1;
    }

    @Override
    public long nextLong(long bound) {
      return Math.min(1, bound - 1);
    }
  }

  private final BoundedScenario scenario;
  private final List<String> ids;
  private final Layout layout;
  private final Timing timing;
  private final Supplier<Rules> rules;
  private final List<Local> locals = new ArrayList<>();
  private final Map<LocalName, Integer> localIds = new HashMap<>();
  private final List<Packet> packets = new ArrayList<>();
  private final Map<CanonicalForm.Bits, Integer> packetIds = new HashMap<>();
  private final List<Event> events = new ArrayList<>();
  private final Map<CanonicalForm.Bits, Integer> eventIds = new HashMap<>();
  private final List<Integer> receives = new ArrayList<>();
  private final List<Answer> answers = new ArrayList<>();
  private final Map<CanonicalForm.Bits, Integer> answerIds = new HashMap<>();
  private final Map<LogName, Log> logs = new HashMap<>();
  private final Map<LogStateName, Integer> logStateIds = new HashMap<>();
  private final List<List<LogRecord>> logStateRecords = new ArrayList<>();
  private final List<Integer> logStateDurable = new ArrayList<>();
  private final StepTable steps = new StepTable();
  private final Log emptyLog = new Log(0, null, 0, null);
  private int logCount = 1;

  /// Cores whose last step led to a state not gone on from yet: their next step needs no replay.
  private final LinkedHashMap<Integer, NodeCore> live = new LinkedHashMap<>();

  NodeStates(BoundedScenario scenario, Supplier<Rules> rules) {
    this.scenario = scenario;
    this.ids = scenario.nodes();
    this.layout = scenario.layout();
    this.timing = scenario.patience().timing();
    this.rules = rules;
  }

  int count() {
    return locals.size();
  }

  /// A node's first start in a cluster that has formed.
  Step start(int node) {
    Log log = emptyLog;
    for (LogRecord record : scenario.log(ids.get(node))) {
      log = append(log, log.lsn() + 1, record);
    }
    return start(node, log);
  }

  Step step(int state, int event) {
    Step known = steps.get(state, event);
    if (known == null) {
      known = isCrash(event) ? crash(locals.get(state), event - CRASH) : run(state, event);
      steps.put(state, event, known);
    }
    return known;
  }

  static boolean isCrash(int event) {
    return event >= CRASH && event < FIRST_EVENT;
  }

  /// The event of receiving this packet.
  int receive(int packet) {
    return receives.get(packet);
  }

  /// The event of a client's request.
  int ask(Event request) {
    return intern(request, events, eventIds) + FIRST_EVENT;
  }

  Packet packet(int id) {
    return packets.get(id);
  }

  Answer answer(int id) {
    return answers.get(id);
  }

  int pending(int state) {
    Local local = locals.get(state);
    return (int) (local.log().lsn() - local.durable());
  }

  /// Whether an alarm can ring.
  boolean hasAlarm(int state) {
    return locals.get(state).alarm();
  }

  /// Whether the next alarm is the end of a rest after a lost ballot. Here that takes a nanosecond.
  boolean rests(int state) {
    return locals.get(state).rests();
  }

  long boot(int state) {
    return locals.get(state).boot();
  }

  /// Whether the node will hear something from itself once records are forced.
  boolean waitsForItself(int state) {
    return locals.get(state).waitsForItself();
  }

  /// The latest epoch that any node was seen in.
  long latestEpoch() {
    return locals.stream().mapToLong(Local::epoch).max().orElse(0);
  }

  /// The epoch of the layout that the node goes by.
  long epoch(int state) {
    return locals.get(state).epoch();
  }

  boolean awaits(int state, long call) {
    return Arrays.binarySearch(locals.get(state).openCalls(), call) >= 0;
  }

  /// What is on the node's disk and on the way to it, by number.
  int logState(int state) {
    return locals.get(state).logState();
  }

  List<LogRecord> records(int logState) {
    return logStateRecords.get(logState);
  }

  int durable(int logState) {
    return logStateDurable.get(logState);
  }

  /// A node that is stepped for real all the way from the state it begins in, to compare with what
  /// is looked up. If two states that behave differently had one [CanonicalForm], this would show.
  Twin twin(int state) {
    return new Twin(locals.get(state), state);
  }

  final class Twin {
    private Local local;
    private NodeCore core;
    private int state;

    private Twin(Local local, int state) {
      this.local = local;
      this.core = replay(local);
      this.state = state;
    }

    int state() {
      return state;
    }

    /// Does the step too, and says what it did otherwise, or null.
    @Nullable String follow(int from, int event) {
      Step expected = step(from, event);
      Step real;
      if (isCrash(event)) {
        real = crash(local, event - CRASH);
        core = replay(locals.get(real.next()));
      } else {
        real = carryOut(local, event, core, happen(core, local, event));
      }
      state = real.next();
      local = locals.get(state);
      return expected.next() == real.next()
              && Arrays.equals(expected.packets(), real.packets())
              && expected.told().equals(real.told())
          ? null
          : "event %d in node state %d led to %s, not to %s".formatted(event, from, real, expected);
    }
  }

  // The inside.

  /// The known steps, open-addressed: this is what a search does most.
  private static final class StepTable {
    private long[] names = new long[1 << 12];
    private @Nullable Step[] steps = new @Nullable Step[1 << 12];
    private int size;

    @Nullable Step get(int state, int event) {
      return steps[slot(name(state, event))];
    }

    void put(int state, int event, Step step) {
      insert(name(state, event), step);
      size++;
      if (size > names.length / 2) {
        long[] oldNames = names;
        @Nullable Step[] old = steps;
        names = new long[2 * oldNames.length];
        steps = new @Nullable Step[2 * oldNames.length];
        for (int i = 0; i < old.length; i++) {
          Step each = old[i];
          if (each != null) {
            insert(oldNames[i], each);
          }
        }
      }
    }

    private void insert(long name, Step step) {
      int slot = slot(name);
      names[slot] = name;
      steps[slot] = step;
    }

    private int slot(long name) {
      long mixed = name * 0x9e3779b97f4a7c15L;
      int slot = (int) (mixed >>> 40) & names.length - 1;
      while (steps[slot] != null && names[slot] != name) {
        slot = slot + 1 & names.length - 1;
      }
      return slot;
    }

    private static long name(int state, int event) {
      return (long) state << 32 | event;
    }
  }

  private <T> int intern(T value, List<T> values, Map<CanonicalForm.Bits, Integer> ids) {
    Integer id = ids.putIfAbsent(CanonicalForm.of(value), values.size());
    if (id != null) {
      return id;
    }
    values.add(value);
    return values.size() - 1;
  }

  private Step run(int state, int event) {
    Local local = locals.get(state);
    NodeCore core = live.remove(state);
    if (core == null) {
      core = replay(local);
    }
    return carryOut(local, event, core, happen(core, local, event));
  }

  /// Lets one event happen to a core that is in the state `local`.
  private List<Effect> happen(NodeCore core, Local local, int event) {
    long now = core.now();
    return switch (event) {
      case FORCE -> core.step(now, new Event.Durable(local.durable() + 1));
      case RING -> core.step(core.nextDeadline().orElseThrow(), new Event.Tick());
      default -> core.step(now, events.get(event - FIRST_EVENT));
    };
  }

  private NodeCore replay(Local state) {
    List<Local> path = new ArrayList<>();
    Local root = state;
    for (Local before = root.before(); before != null; before = root.before()) {
      path.addFirst(root);
      root = before;
    }
    NodeCore core = create(root.node(), root.bootLog());
    core.start(0);
    for (Local next : path) {
      Local before = next.before();
      if (before != null) {
        happen(core, before, next.event());
      }
    }
    return core;
  }

  private NodeCore create(int node, Log log) {
    Rules mine = rules.get();
    Acceptor acceptor = new Acceptor(ids.get(node), mine);
    long next = Records.replay(log.records(), 1, acceptor.replay());
    return new NodeCore(ids.get(node), layout, acceptor, next, timing, new NoChance(), mine);
  }

  /// As every host must: what the start appends is durable before anything else happens.
  private Step start(int node, Log found) {
    NodeCore core = create(node, found);
    List<Effect> effects = new ArrayList<>(core.start(0));
    Log log = found;
    for (Effect effect : effects) {
      if (effect instanceof Effect.Append(var lsn, var record)) {
        log = append(log, lsn, record);
      }
    }
    effects.removeIf(effect -> effect instanceof Effect.Append);
    Local begun =
        new Local(
            node,
            null,
            0,
            found,
            log,
            found.lsn(),
            0,
            false,
            false,
            core.boot(),
            false,
            0,
            new long[0]);
    // The first event after a start is that its records are durable, one by one.
    Local at = begun;
    List<Integer> sent = new ArrayList<>();
    List<Told> told = new ArrayList<>();
    collect(effects, node, core.boot(), sent, told);
    while (at.durable() < log.lsn()) {
      collect(happen(core, at, FORCE), node, core.boot(), sent, told);
      at = begun(at, FORCE, at.durable() + 1, core);
    }
    // The others confirm that they know of no later start, which takes no more than time, and then
    // nothing is heard of them for a while.
    List<Event> events = new ArrayList<>();
    for (String peer : ids) {
      if (!peer.equals(ids.get(node))) {
        events.add(new Event.Received(peer, 0, Formed.pong(core)));
        events.add(new Event.Undelivered(peer, List.of()));
      }
    }
    for (Event event : events) {
      collect(happen(core, at, ask(event)), node, core.boot(), sent, told);
      at = begun(at, ask(event), at.durable(), core);
    }
    return new Step(register(at, core), ints(sent), told);
  }

  private static Local begun(Local before, int event, long durable, NodeCore core) {
    return new Local(
        before.node(),
        before,
        event,
        before.bootLog(),
        before.log(),
        durable,
        0,
        false,
        false,
        core.boot(),
        false,
        0,
        new long[0]);
  }

  private Step crash(Local local, int survivors) {
    Log log = local.log();
    while (log.lsn() > local.durable() + survivors) {
      Log before = log.before();
      if (before == null) {
        throw new IllegalStateException("the log is shorter than what is durable");
      }
      log = before;
    }
    return start(local.node(), log);
  }

  private Step carryOut(Local local, int event, NodeCore core, List<Effect> effects) {
    Log log = local.log();
    for (Effect effect : effects) {
      if (effect instanceof Effect.Append(var lsn, var record)) {
        log = append(log, lsn, record);
      }
    }
    List<Integer> sent = new ArrayList<>();
    List<Told> told = new ArrayList<>();
    collect(effects, local.node(), core.boot(), sent, told);
    long durable = local.durable() + (event == FORCE ? 1 : 0);
    Local next =
        new Local(
            local.node(),
            local,
            event,
            local.bootLog(),
            log,
            durable,
            0,
            false,
            false,
            core.boot(),
            false,
            0,
            new long[0]);
    return new Step(register(next, core), ints(sent), told);
  }

  private void collect(
      List<Effect> effects, int node, long boot, List<Integer> sent, List<Told> told) {
    for (Effect effect : effects) {
      switch (effect) {
        case Effect.Send(var to, var message) -> {
          // Pings are all lost: they only tell of a peer that it is there, as every message does.
          if (!(message instanceof Message.Ping || message instanceof Message.Pong)) {
            sent.add(packetId(new Packet(node, boot, ids.indexOf(to), message)));
          }
        }
        case Effect.Respond(var ticket, var answer) ->
            told.add(new Told(ticket, intern(answer, answers, answerIds)));
        case Effect.Append _, Effect.LayoutChanged _ -> {}
        case Effect.Halt(var reason) -> throw new IllegalStateException("a node halts: " + reason);
        case Effect.DropBelow _ -> throw new IllegalStateException("the log never grows that long");
      }
    }
  }

  private int packetId(Packet packet) {
    int id = intern(packet, packets, packetIds);
    if (id == receives.size()) {
      receives.add(
          ask(new Event.Received(ids.get(packet.from()), packet.boot(), packet.message())));
    }
    return id;
  }

  private Log append(Log log, long lsn, LogRecord record) {
    if (lsn != log.lsn() + 1) {
      throw new IllegalStateException("record " + lsn + " follows record " + log.lsn());
    }
    return logs.computeIfAbsent(
        new LogName(log.id(), CanonicalForm.of(record)),
        _ -> new Log(logCount++, log, lsn, record));
  }

  private int register(Local local, NodeCore core) {
    LocalName name =
        new LocalName(local.node(), CanonicalForm.of(core), local.log().id(), local.durable());
    Integer known = localIds.putIfAbsent(name, locals.size());
    if (known != null) {
      return known;
    }
    Map<?, ?> calls = (Map<?, ?>) CanonicalForm.read(core, "calls");
    OptionalLong alarm = core.nextDeadline();
    locals.add(
        new Local(
            local.node(),
            local.before(),
            local.event(),
            local.bootLog(),
            local.log(),
            local.durable(),
            logState(local.log(), local.durable()),
            alarm.isPresent() && alarm.getAsLong() < BoundedScenario.NEVER.toNanos(),
            alarm.isPresent() && alarm.getAsLong() <= core.now() + 1,
            local.boot(),
            waitsForItself(core, ids.get(local.node())),
            core.epoch(),
            calls.keySet().stream().mapToLong(call -> (Long) call).sorted().toArray()));
    live.put(locals.size() - 1, core);
    if (live.size() > LIVE_CORES) {
      live.pollFirstEntry();
    }
    return locals.size() - 1;
  }

  private static boolean waitsForItself(NodeCore core, String self) {
    for (Object replies : ((Map<?, ?>) CanonicalForm.read(core, "held")).values()) {
      for (Object reply : (List<?>) replies) {
        if (CanonicalForm.read(reply, "to").equals(self)) {
          return true;
        }
      }
    }
    return false;
  }

  private int logState(Log log, long durable) {
    Integer known =
        logStateIds.putIfAbsent(new LogStateName(log.id(), durable), logStateRecords.size());
    if (known != null) {
      return known;
    }
    logStateRecords.add(log.records());
    logStateDurable.add((int) durable);
    return logStateRecords.size() - 1;
  }

  private static int[] ints(List<Integer> values) {
    return values.stream().mapToInt(Integer::intValue).toArray();
  }
}
