package dev.parley.kv.core;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A cluster whose members change while clients write and nodes crash, in one thread and from one
/// seed. Its disks keep whole records: what a disk can do to bytes is [Simulation]'s part.
///
/// It is a kit, too: a test may drive machines, time and changes by hand.
final class MembershipSimulation {

  static final long MILLI = 1_000_000;

  private static final int OPS_PER_KEY = 30;

  private static final long TROUBLE_ENDS = 14_000 * MILLI;
  private static final long CALM_ENDS = TROUBLE_ENDS + 60_000 * MILLI;

  /// @param ping how often nodes hear of each other's epoch, if nothing else tells them
  /// @param repair how often they compare what they hold: what is lost while keys move shows only
  ///     if nothing brought it back before
  private static Timing timing(Duration ping, Duration repair) {
    return new Timing(
        Duration.ofMillis(2000),
        Duration.ofMillis(500),
        Duration.ofMillis(40),
        Duration.ofMillis(400),
        Duration.ofMillis(250),
        ping,
        ping.multipliedBy(3),
        Duration.ofMillis(700),
        repair,
        Duration.ofMillis(250));
  }

  private record Happening(long at, long order, Runnable action) implements Comparable<Happening> {
    @Override
    public int compareTo(Happening other) {
      int byTime = Long.compare(at, other.at);
      return byTime == 0 ? Long.compare(order, other.order) : byTime;
    }
  }

  final TreeMap<String, Machine> machines = new TreeMap<>();
  final History history = new History();

  /// Messages sent between two nodes, by `from>to`.
  final TreeMap<String, Integer> traffic = new TreeMap<>();

  private final SplittableRandom random;
  private final Supplier<Rules> rules;
  private final Layout initial;
  private Timing timing = timing(Duration.ofMillis(300), Duration.ofMillis(1000));
  private final PriorityQueue<Happening> agenda = new PriorityQueue<>();
  private long happened;
  /// Links that carry nothing, as `from>to`.
  final TreeSet<String> cut = new TreeSet<>();
  private final List<Key> keys =
      List.of(Key.of("a"), Key.of("b/{x}/1"), Key.of("c/17"), Key.of("d/é"));
  double dropping;
  double repeating;
  long delay = 2 * MILLI;

  /// One of 50 messages takes up to so many times as long.
  int straggling = 20;

  private long now;
  private long order;
  private int begun;
  private int settled;
  @Nullable String broken;

  MembershipSimulation(long seed, Supplier<Rules> rules, Layout initial) {
    this.random = new SplittableRandom(seed);
    this.rules = rules;
    this.initial = initial;
  }

  /// Starts the first members.
  MembershipSimulation begin() {
    initial.ids().forEach(id -> machine(id).start());
    return this;
  }

  /// What came of the seed; the story of one that went wrong is its whole history.
  static Simulation.Outcome run(long seed, Supplier<Rules> rules) {
    return new MembershipSimulation(seed, rules, Layout.of(List.of("kv-1", "kv-2", "kv-3")))
        .search(seed);
  }

  private Simulation.Outcome search(long seed) {
    timing =
        timing(
            Duration.ofMillis((long) pick(300, 1500, 5000)),
            Duration.ofMillis((long) pick(1000, 4000)));
    begin();
    dropping = pick(0, 0.02, 0.08);
    repeating = pick(0, 0.05, 0.2);
    delay = (long) (pick(1, 10, 80) * MILLI);
    boolean crashes = random.nextInt(4) != 0;
    boolean cuts = random.nextInt(3) == 0;
    for (int number = 0; number < 4; number++) {
      new Client(number).think();
    }
    new Operator().think();
    in(300 * MILLI, () -> trouble(crashes, cuts));
    until(TROUBLE_ENDS, () -> false);
    dropping = 0;
    cut.clear();
    machines.values().forEach(Machine::start);
    comeToRest();
    if (broken == null) {
      readEverything();
    }
    String wrong = broken == null ? history.violation() : broken;
    StringBuilder story = new StringBuilder();
    if (wrong != null) {
      story.append("seed %d: %s%n".formatted(seed, wrong));
      story.append("%d changes begun, in the end %s%n".formatted(begun, whatIsLeft()));
      history.ops().forEach(op -> story.append(op).append('\n'));
    }
    return new Simulation.Outcome(
        seed, wrong, story.toString(), history.ops().size(), happened, Map.of());
  }

  int changes() {
    return begun;
  }

  private void readEverything() {
    for (Machine machine : members()) {
      for (Key key : keys) {
        if (broken != null) {
          return;
        }
        History.Op op = history.begin(100, key, null, "end", now);
        long epoch = newest().epoch();
        op.answer = machine.ask(ticket -> new Event.Read(ticket, key));
        if (!read(op.answer) && (newest().joint() || newest().epoch() != epoch)) {
          // A change that was asked for before has begun only now: ask again when it is over.
          comeToRest();
          op.answer = machine.ask(ticket -> new Event.Read(ticket, key));
        }
        op.ended = now;
        if (newest().member(machine.id) == null) {
          op.answer = null; // The last change removed it only now.
        } else if (!read(op.answer)) {
          broken = "after everything healed, " + machine.id + " answers " + op.answer;
        }
      }
    }
  }

  private void comeToRest() {
    while (broken == null && now < CALM_ENDS && !calm()) {
      within(200, () -> false);
    }
    if (broken == null && !calm()) {
      broken = "after everything healed, the cluster did not come to rest: " + whatIsLeft();
    }
  }

  private static boolean read(@Nullable Answer answer) {
    return answer instanceof Answer.Found || answer instanceof Answer.Absent;
  }

  /// The machines that the newest layout anybody goes by names.
  List<Machine> members() {
    Layout newest = newest();
    return machines.values().stream().filter(m -> newest.member(m.id) != null).toList();
  }

  Layout newest() {
    Layout newest = initial;
    for (Machine machine : machines.values()) {
      if (machine.core != null && machine.core.layout().epoch() > newest.epoch()) {
        newest = machine.core.layout();
      }
    }
    return newest;
  }

  /// Whether all members agree on a settled layout, and any two hold the same of what they share.
  boolean calm() {
    Layout newest = newest();
    if (newest.joint()) {
      return false;
    }
    for (Machine machine : members()) {
      boolean there =
          machine.core != null
              && machine.core.epoch() == newest.epoch()
              && machine.core.waitsFor().isEmpty();
      if (!there) {
        return false;
      }
    }
    for (int i = 0; i < newest.partitions().size(); i++) {
      int partition = i % Layout.PARTITIONS;
      List<long[]> digests =
          newest.partitions().get(i).all().stream()
              .map(id -> machine(id).core().acceptor().digest(partition))
              .toList();
      if (digests.stream().anyMatch(each -> !Arrays.equals(each, digests.getFirst()))) {
        return false;
      }
    }
    return true;
  }

  private String whatIsLeft() {
    StringBuilder text = new StringBuilder();
    for (Machine machine : machines.values()) {
      text.append(machine.id).append(": ");
      text.append(
          machine.core == null
              ? "down"
              : machine.core.layout() + " " + machine.core.move() + machine.core.waitsFor());
      text.append("; ");
    }
    return text.toString();
  }

  /// Lets time pass until something holds or it is `end`, and says whether it holds.
  boolean until(long end, Supplier<Boolean> holds) {
    while (broken == null && !holds.get()) {
      Happening next = agenda.peek();
      if (next == null || next.at() > end) {
        now = Math.max(now, end);
        return holds.get();
      }
      agenda.remove();
      happened++;
      now = Math.max(now, next.at());
      next.action().run();
    }
    return broken == null;
  }

  boolean within(long millis, Supplier<Boolean> holds) {
    return until(now + millis * MILLI, holds);
  }

  void in(long nanos, Runnable action) {
    agenda.add(new Happening(now + nanos, order++, action));
  }

  private double pick(double... choices) {
    return choices[random.nextInt(choices.length)];
  }

  Machine machine(String id) {
    return machines.computeIfAbsent(id, Machine::new);
  }

  private Machine anyone() {
    List<Machine> all = List.copyOf(machines.values());
    return all.get(random.nextInt(all.size()));
  }

  private void trouble(boolean crashes, boolean cuts) {
    if (now > TROUBLE_ENDS) {
      return;
    }
    if (cuts && random.nextInt(3) == 0) {
      cut.clear();
      if (random.nextBoolean()) {
        String lonely = anyone().id;
        boolean oneWay = random.nextInt(3) == 0;
        for (String other : machines.keySet()) {
          cut.add(lonely + ">" + other);
          if (!oneWay) {
            cut.add(other + ">" + lonely);
          }
        }
      }
    }
    if (crashes && random.nextInt(3) == 0) {
      Machine victim = anyone();
      victim.crash();
      in(random.nextLong(2_500 * MILLI), victim::start);
    }
    in(random.nextLong(700 * MILLI), () -> trouble(crashes, cuts));
  }

  private void transmit(Machine from, String to, Message message) {
    traffic.merge(from.id + ">" + to, 1, Integer::sum);
    Machine target = machines.get(to);
    boolean isCut = cut.contains(from.id + ">" + to);
    long boot = from.core().boot();
    if (target == null || target.core == null || isCut) {
      if (random.nextBoolean()) {
        in(
            random.nextLong(MILLI) + 1,
            () -> {
              if (from.core != null && from.core.boot() == boot) {
                from.step(new Event.Undelivered(to, List.of(message)));
              }
            });
      }
      return;
    }
    if (random.nextDouble() < dropping) {
      return;
    }
    int copies = random.nextDouble() < repeating ? 2 : 1;
    for (int i = 0; i < copies; i++) {
      long wait = 50_000 + random.nextLong(delay) * (random.nextInt(50) == 0 ? straggling : 1);
      in(
          wait,
          () -> {
            if (target.core != null) {
              target.step(new Event.Received(from.id, boot, message));
            }
          });
    }
  }

  /// One node and its disk.
  final class Machine {
    final String id;
    List<LogRecord> disk = new ArrayList<>();
    private final List<LogRecord> unforced = new ArrayList<>();
    private final TreeMap<Long, Consumer<@Nullable Answer>> tickets = new TreeMap<>();
    @Nullable NodeCore core;
    @Nullable String halted;
    private @Nullable Layout told;
    private boolean forcing;
    private long nextTicket;
    private long armed = Long.MAX_VALUE;

    Machine(String id) {
      this.id = id;
    }

    NodeCore core() {
      NodeCore running = core;
      if (running == null) {
        throw new IllegalStateException(id + " is down");
      }
      return running;
    }

    /// The first start tells the node who the members are.
    void start() {
      if (core != null || halted != null) {
        return;
      }
      Layout configured = told == null ? newest() : told;
      told = configured;
      Rules mine = rules.get();
      Acceptor acceptor = new Acceptor(id, mine);
      Records.replay(disk, 1, acceptor.replay());
      NodeCore fresh =
          new NodeCore(id, configured, acceptor, disk.size() + 1, timing, random.split(), mine);
      List<Effect> effects = fresh.start(now);
      core = fresh;
      carryOut(effects);
      force();
    }

    void crash() {
      core = null;
      forcing = false;
      unforced.clear();
      armed = Long.MAX_VALUE;
      List<Consumer<@Nullable Answer>> waiting = List.copyOf(tickets.values());
      tickets.clear();
      waiting.forEach(each -> each.accept(null));
    }

    void step(Event event) {
      carryOut(core().step(now, event));
      OptionalLong next = core == null ? OptionalLong.empty() : core.nextDeadline();
      if (next.isPresent() && next.getAsLong() < armed) {
        armed = next.getAsLong();
        NodeCore running = core;
        in(
            Math.max(0, armed - now),
            () -> {
              if (core == running && core != null) {
                armed = Long.MAX_VALUE;
                step(new Event.Tick());
              }
            });
      }
    }

    private void carryOut(List<Effect> effects) {
      for (Effect effect : effects) {
        switch (effect) {
          case Effect.Append(_, var record) -> unforced.add(record);
          case Effect.Send(var to, var message) -> {
            if (core != null) {
              transmit(this, to, message);
            }
          }
          case Effect.Halt(var reason) -> {
            crash();
            halted = reason;
          }
          case Effect.Respond(var ticket, var answer) -> {
            Consumer<@Nullable Answer> asker = tickets.remove(ticket);
            if (asker != null) {
              asker.accept(answer);
            }
          }
          default -> {}
        }
      }
      if (!unforced.isEmpty() && !forcing && core != null) {
        forcing = true;
        NodeCore running = core;
        in(
            random.nextLong(6 * MILLI) + 1,
            () -> {
              if (core == running) {
                force();
              }
            });
      }
    }

    private void force() {
      forcing = false;
      disk.addAll(unforced);
      unforced.clear();
      step(new Event.Durable(disk.size()));
    }

    interface Asking {
      Event event(long ticket);
    }

    /// Asks; null is the answer if the node crashes first.
    void ask(Asking asking, Consumer<@Nullable Answer> then) {
      long ticket = nextTicket++;
      tickets.put(ticket, then);
      step(asking.event(ticket));
    }

    /// Asks, and lets time pass until there is an answer.
    @Nullable Answer ask(Asking asking) {
      List<@Nullable Answer> answers = new ArrayList<>();
      ask(asking, answers::add);
      within(10_000, () -> !answers.isEmpty());
      return answers.isEmpty() ? null : answers.getFirst();
    }
  }

  /// Adds, removes and replaces nodes at random, through whichever node answers.
  private final class Operator {
    private int used = 3;

    void think() {
      in(random.nextLong(2_500 * MILLI), this::begin);
    }

    private void begin() {
      if (now > TROUBLE_ENDS) {
        return;
      }
      Layout layout = newest();
      List<String> ids = layout.ids();
      String some = ids.get(random.nextInt(ids.size()));
      boolean grow = ids.size() < 3 || ids.size() < 6 && random.nextBoolean();
      if (grow && used < 9) {
        String fresh = "kv-" + (used + 1);
        machine(fresh).start();
        String replacing = random.nextInt(3) == 0 ? some : null;
        ask(new MemberChange.Add(fresh, "http://" + fresh, 100, "default", replacing, true));
      } else {
        ask(new MemberChange.Remove(some, random.nextInt(4) == 0 && ids.size() > 2));
      }
      think();
    }

    private void ask(MemberChange change) {
      Machine machine = anyone();
      if (machine.core == null) {
        return;
      }
      machine.ask(
          ticket -> new Event.ChangeMembers(ticket, change),
          answer -> {
            if (answer instanceof Answer.Begun) {
              begun++;
              used = Math.max(used, machines.size());
            } else if (answer instanceof Answer.Rejected(var reason, _)
                && reason == Answer.Reason.ID_IN_USE) {
              used++;
            }
          });
    }
  }

  /// One client: one operation at a time, on any node. Half of its writes carry a base, and are
  /// retried under the same id elsewhere.
  private final class Client {
    private final int number;
    private final TreeMap<Key, Long> lastSeen = new TreeMap<>();
    private final TreeMap<Key, Long> lastVersion = new TreeMap<>();

    Client(int number) {
      this.number = number;
    }

    void think() {
      in(random.nextLong(500 * MILLI), this::begin);
    }

    private void begin() {
      if (now > TROUBLE_ENDS) {
        return;
      }
      Key key = keys.get(random.nextInt(keys.size()));
      if (history.ops().stream().filter(op -> op.key.equals(key)).count() >= OPS_PER_KEY) {
        think();
        return;
      }
      int count = history.ops().size();
      String value = "v" + count;
      boolean retried = lastVersion.containsKey(key) && random.nextBoolean();
      long base = retried ? lastVersion.getOrDefault(key, 0L) : Mutation.NO_BASE;
      Precondition condition =
          switch (random.nextInt(4)) {
            case 0 -> new Precondition.Absent();
            case 1 ->
                lastSeen.containsKey(key)
                    ? new Precondition.At(lastSeen.getOrDefault(key, 0L))
                    : new Precondition.Always();
            default -> new Precondition.Always();
          };
      OpId id = new OpId(number, count);
      Mutation mutation =
          switch (random.nextInt(10)) {
            case 0, 1, 2 -> null;
            case 3, 4 -> new Mutation(id, condition, null, base);
            default -> new Mutation(id, condition, value.getBytes(StandardCharsets.UTF_8), base);
          };
      History.Op op = history.begin(number, key, mutation, value, now);
      send(op, mutation == null || retried ? 3 : 1, false);
    }

    private void send(History.Op op, int attempts, boolean doubtful) {
      Machine machine = anyone();
      Mutation mutation = op.mutation;
      if (machine.core == null) {
        retry(op, attempts, doubtful);
        return;
      }
      machine.ask(
          ticket ->
              mutation == null
                  ? new Event.Read(ticket, op.key)
                  : new Event.Write(ticket, op.key, mutation),
          answer -> answered(op, attempts, doubtful, answer));
    }

    private void retry(History.Op op, int attempts, boolean doubtful) {
      if (attempts > 1) {
        in(random.nextLong(200 * MILLI), () -> send(op, attempts - 1, doubtful));
      } else {
        close(op, null, doubtful);
      }
    }

    private void answered(History.Op op, int attempts, boolean doubtful, @Nullable Answer answer) {
      switch (answer) {
        case null -> retry(op, attempts, true);
        case Answer.Applied(var version, _) -> {
          lastVersion.put(op.key, version);
          close(op, answer, doubtful);
        }
        case Answer.Found(var version, _, _) -> {
          lastSeen.put(op.key, version);
          lastVersion.put(op.key, version);
          close(op, answer, doubtful);
        }
        case Answer.Absent _ -> close(op, answer, doubtful);
        case Answer.Unavailable _, Answer.NotApplied _ -> retry(op, attempts, doubtful);
        case Answer.Unknown _ -> retry(op, attempts, true);
        case Answer.Forgotten _ -> {
          if (op.mutation != null && op.mutation.base() == Mutation.NO_BASE) {
            broken = "a write was forgotten that nobody can have sent before: " + op;
          }
          close(op, null, true);
        }
        case Answer.Conflict _ -> {
          boolean lasting =
              op.mutation != null && op.mutation.condition() instanceof Precondition.At;
          close(op, doubtful && !lasting ? null : answer, doubtful);
        }
        case Answer.Missing _ -> close(op, doubtful ? null : answer, doubtful);
        default -> throw new IllegalStateException("unexpected: " + answer);
      }
    }

    private void close(History.Op op, @Nullable Answer answer, boolean doubtful) {
      op.answer = answer;
      if (answer != null) {
        op.ended = now;
      } else if (!doubtful) {
        op.certainlyNothing = true;
      }
      think();
    }
  }
}
