package dev.parley.kv.core;

import dev.parley.kv.core.log.DamagedLogException;
import dev.parley.kv.core.log.SegmentedLog;
import dev.parley.kv.core.wire.Batch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Three nodes, their disks, the network between them and a few clients, all in one thread and all
/// from one seed: the same seed gives the same history, whatever the machine.
///
/// The network drops, repeats, reorders and delays messages and is cut in one or both directions;
/// nodes lose power at any moment, together with what was not forced, and come back. At the end
/// everything heals and every key is read from every node.
final class Simulation {

  private static final List<String> IDS = List.of("kv-1", "kv-2", "kv-3");
  private static final int SEGMENT = 16 * 1024;
  private static final long MILLI = 1_000_000;
  private static final long TROUBLE_ENDS = 12_000 * MILLI;
  private static final int OPS_PER_KEY = 34;

  /// What is being simulated, the rules of the protocol included, so that a test can break one.
  record World(Supplier<Rules> rules, boolean disksLie) {
    static World correct() {
      return new World(Rules::new, false);
    }
  }

  private record Happening(long at, long order, Runnable action) implements Comparable<Happening> {
    @Override
    public int compareTo(Happening other) {
      int byTime = Long.compare(at, other.at);
      return byTime == 0 ? Long.compare(order, other.order) : byTime;
    }
  }

  private final SplittableRandom random;
  private final World world;
  private final PriorityQueue<Happening> agenda = new PriorityQueue<>();
  private final TreeMap<String, Machine> machines = new TreeMap<>();
  private final TreeMap<String, Boolean> cut = new TreeMap<>();
  private final TreeMap<Ballot, TreeMap<Key, Versioned>> ballots = new TreeMap<>();
  private final History history = new History();
  private final List<Key> keys;
  private final double dropping;
  private final double repeating;
  private final long delay;
  private final boolean crashes;
  private final boolean partitions;
  private long now;
  private long order;
  private int live;
  private @Nullable String broken;

  Simulation(long seed, World world) {
    this.random = new SplittableRandom(seed);
    this.world = world;
    this.dropping = pick(0, 0.02, 0.1);
    this.repeating = pick(0, 0.05, 0.2);
    this.delay = (long) (pick(1, 10, 60) * MILLI);
    this.crashes = random.nextInt(4) != 0;
    this.partitions = random.nextInt(3) != 0;
    this.keys = List.of(Key.of("a"), Key.of("b/{x}/1"));
    for (String id : IDS) {
      machines.put(id, new Machine(id));
    }
  }

  /// What went wrong with the seed, with the whole history, or null.
  static @Nullable String run(long seed, World world) {
    return new Simulation(seed, world).run(seed);
  }

  private @Nullable String run(long seed) {
    machines.values().forEach(Machine::start);
    for (int client = 0; client < 4; client++) {
      new Client(client).think();
    }
    in(50 * MILLI, this::trouble);
    long end = TROUBLE_ENDS + 30_000 * MILLI;
    while (broken == null && !agenda.isEmpty() && now < end) {
      Happening next = agenda.poll();
      now = Math.max(now, next.at());
      next.action().run();
      if (live == 0 && now > TROUBLE_ENDS + 5_000 * MILLI) {
        break;
      }
    }
    String wrong = broken == null ? history.violation() : broken;
    if (wrong == null) {
      return null;
    }
    StringBuilder text = new StringBuilder("seed " + seed + ": " + wrong + "\n");
    text.append("    begun     ended\n");
    for (History.Op op : history.ops()) {
      text.append(op).append('\n');
    }
    return text.toString();
  }

  private double pick(double... choices) {
    return choices[random.nextInt(choices.length)];
  }

  private void in(long nanos, Runnable action) {
    agenda.add(new Happening(now + nanos, order++, action));
  }

  /// Cuts, heals, crashes and restarts, until the trouble ends and everything heals.
  private void trouble() {
    if (now > TROUBLE_ENDS) {
      cut.clear();
      machines.values().forEach(Machine::start);
      in(
          4_000 * MILLI,
          () -> {
            for (Machine machine : machines.values()) {
              for (Key key : keys) {
                new Client(100).readAtTheEnd(machine, key);
              }
            }
          });
      return;
    }
    if (partitions && random.nextInt(3) == 0) {
      cut.clear();
      if (random.nextBoolean()) {
        String lonely = IDS.get(random.nextInt(3));
        boolean oneWay = random.nextInt(3) == 0;
        for (String other : IDS) {
          if (!other.equals(lonely)) {
            cut.put(lonely + ">" + other, true);
            if (!oneWay) {
              cut.put(other + ">" + lonely, true);
            }
          }
        }
      }
    }
    if (crashes && random.nextInt(3) == 0) {
      boolean blackout = random.nextInt(8) == 0;
      String victim = IDS.get(random.nextInt(3));
      for (Machine machine : machines.values()) {
        if (blackout || machine.id.equals(victim)) {
          machine.crash();
          in(random.nextLong(1_500 * MILLI), machine::start);
        }
      }
    }
    in(random.nextLong(600 * MILLI), this::trouble);
  }

  private void transmit(Machine from, String to, Message message) {
    byte[] bytes = new Batch("sim", from.id, from.core().boot(), List.of(message)).encode();
    Machine target = machines.get(to);
    if (target == null) {
      throw new IllegalStateException("no machine " + to);
    }
    boolean isCut = cut.containsKey(from.id + ">" + to);
    if ((target.core == null || isCut) && random.nextBoolean()) {
      long boot = from.core().boot();
      in(
          random.nextLong(MILLI) + 1,
          () -> {
            if (from.core != null && from.core.boot() == boot) {
              from.step(new Event.Undelivered(to, List.of(message)));
            }
          });
      return;
    }
    if (isCut || (now < TROUBLE_ENDS && random.nextDouble() < dropping)) {
      return;
    }
    int copies = random.nextDouble() < repeating ? 2 : 1;
    for (int i = 0; i < copies; i++) {
      long wait = 50_000 + random.nextLong(delay);
      if (random.nextInt(50) == 0) {
        wait *= 20;
      }
      in(
          wait,
          () -> {
            if (target.core != null) {
              Batch batch = Batch.decode(bytes);
              target.step(
                  new Event.Received(batch.from(), batch.boot(), batch.messages().getFirst()));
            }
          });
    }
  }

  /// A ballot carries at most one value, on whatever node it is accepted.
  private void watch(LogRecord record) {
    if (record instanceof LogRecord.Entry(var key, var ballot, var value)) {
      Versioned other =
          ballots.computeIfAbsent(ballot, _ -> new TreeMap<>()).putIfAbsent(key, value);
      if (other != null
          && (other.version() != value.version()
              || !java.util.Arrays.equals(other.body(), value.body()))) {
        broken = "ballot " + ballot + " carries two values for " + key;
      }
    }
  }

  private final class Machine {
    final String id;
    final MemoryDisk disk = new MemoryDisk(world.disksLie());
    final ArrayDeque<LogRecord> queue = new ArrayDeque<>();
    final TreeMap<Long, Client> tickets = new TreeMap<>();
    @Nullable NodeCore core;
    @Nullable SegmentedLog log;
    boolean diskBusy;
    long dropBelow;
    long nextTicket;
    long armed = Long.MAX_VALUE;

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

    void start() {
      if (core != null) {
        return;
      }
      try {
        Rules rules = world.rules().get();
        Acceptor acceptor = new Acceptor(id, rules);
        SegmentedLog opened = SegmentedLog.open(disk, "sim", id, SEGMENT, acceptor::restore);
        NodeCore fresh =
            new NodeCore(
                id,
                Layout.of(IDS),
                acceptor,
                opened.nextLsn(),
                Timing.local(),
                random.split(),
                rules);
        List<Effect> later = new ArrayList<>();
        List<LogRecord> records = new ArrayList<>();
        for (Effect effect : fresh.start(now)) {
          if (effect instanceof Effect.Append(_, var record)) {
            records.add(record);
          } else {
            later.add(effect);
          }
        }
        opened.write(records);
        long durable = opened.force();
        core = fresh;
        log = opened;
        carryOut(later);
        step(new Event.Durable(durable));
        shape();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (DamagedLogException e) {
        broken = id + " refuses to start: " + e.getMessage();
      }
    }

    void crash() {
      if (core == null) {
        return;
      }
      core = null;
      log = null;
      queue.clear();
      diskBusy = false;
      dropBelow = 0;
      armed = Long.MAX_VALUE;
      disk.crash(random);
      List<Client> waiting = List.copyOf(tickets.values());
      tickets.clear();
      waiting.forEach(Client::connectionLost);
    }

    void step(Event event) {
      carryOut(core().step(now, event));
      rearm();
    }

    private void carryOut(List<Effect> effects) {
      for (Effect effect : effects) {
        switch (effect) {
          case Effect.Append(_, var record) -> {
            watch(record);
            queue.add(record);
          }
          case Effect.Send(var to, var message) -> transmit(this, to, message);
          case Effect.DropBelow(var lsn) -> dropBelow = lsn;
          case Effect.LayoutChanged _ -> {}
          case Effect.Halt(var reason) -> broken = id + " halts: " + reason;
          case Effect.Respond(var ticket, var answer) -> {
            Client client = tickets.remove(ticket);
            if (client != null) {
              client.answered(answer);
            }
          }
        }
      }
      work();
    }

    private void rearm() {
      OptionalLong next = core().nextDeadline();
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

    /// One group at a time: written a little later, forced a little later still.
    private void work() {
      if (diskBusy || (queue.isEmpty() && dropBelow == 0)) {
        return;
      }
      diskBusy = true;
      SegmentedLog mine = log;
      in(
          random.nextLong(MILLI) + 1,
          () -> {
            if (log != mine || mine == null) {
              return;
            }
            try {
              if (queue.isEmpty()) {
                mine.dropBelow(dropBelow);
                dropBelow = 0;
                diskBusy = false;
                shape();
                work();
                return;
              }
              List<LogRecord> group = new ArrayList<>();
              int size = 0;
              while (!queue.isEmpty()
                  && (group.isEmpty()
                      || size + SegmentedLog.sizeOf(queue.peek()) <= mine.groupCapacity())) {
                size += SegmentedLog.sizeOf(queue.peek());
                group.add(queue.remove());
              }
              mine.write(group);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
            in(random.nextLong(8 * MILLI) + 1, () -> force(mine));
          });
    }

    private void force(SegmentedLog mine) {
      if (log != mine) {
        return;
      }
      try {
        long durable = mine.force();
        diskBusy = false;
        step(new Event.Durable(durable));
        if (random.nextInt(10) == 0) {
          step(new Event.Idle());
        }
        shape();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private void shape() {
      SegmentedLog mine = log;
      if (mine != null && core != null) {
        step(new Event.LogShape(mine.segmentCount(), SEGMENT, mine.secondFirstLsn()));
      }
    }
  }

  /// One client: one operation at a time, on any node, retried under the same id elsewhere.
  private final class Client {
    private final int number;
    private final TreeMap<Key, Long> lastSeen = new TreeMap<>();
    private final TreeMap<Key, Long> lastVersion = new TreeMap<>();
    private History.@Nullable Op op;
    private int attempts;
    private boolean doubtful;
    private long attempt;
    private long scanBegun = -1;

    Client(int number) {
      this.number = number;
    }

    void think() {
      in(random.nextLong(700 * MILLI), this::begin);
    }

    private void begin() {
      if (now > TROUBLE_ENDS) {
        return;
      }
      Key key = keys.get(random.nextInt(keys.size()));
      if (history.ops().stream().filter(each -> each.key.equals(key)).count() >= OPS_PER_KEY) {
        return;
      }
      int count = history.ops().size();
      if (random.nextInt(8) == 0) {
        scan(machines.get(IDS.get(random.nextInt(3))));
        return;
      }
      String value = "v" + count;
      long base = lastVersion.getOrDefault(key, 0L);
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
      byte[] body = value.getBytes(StandardCharsets.UTF_8);
      Mutation mutation =
          switch (random.nextInt(10)) {
            case 0, 1, 2, 3 -> null;
            case 4 -> new Mutation(id, condition, null, base);
            default -> new Mutation(id, condition, body, base);
          };
      op = history.begin(number, key, mutation, value, now);
      attempts = 0;
      doubtful = false;
      live++;
      send(machines.get(IDS.get(random.nextInt(3))));
    }

    /// Lists everything: each key's row, or its lack of one, counts as a read of that key.
    private void scan(@Nullable Machine machine) {
      if (machine == null || machine.core == null) {
        think();
        return;
      }
      long ticket = machine.nextTicket++;
      machine.tickets.put(ticket, this);
      scanBegun = now;
      live++;
      machine.step(new Event.Scan(ticket, new byte[0], null, 1 + random.nextInt(3)));
    }

    private void listed(@Nullable Answer answer) {
      long begun = scanBegun;
      scanBegun = -1;
      live--;
      if (answer instanceof Answer.Page page) {
        TreeMap<Key, Answer> rows = new TreeMap<>();
        page.rows()
            .forEach(row -> rows.put(row.key(), new Answer.Found(row.version(), row.body(), 0)));
        Key next = page.next();
        for (Key key : keys) {
          if (next == null || key.compareTo(next) <= 0) {
            History.Op read = history.begin(number, key, null, "scan", begun);
            read.answer = rows.getOrDefault(key, new Answer.Absent());
            read.ended = now;
          }
        }
      }
      think();
    }

    void readAtTheEnd(Machine machine, Key key) {
      op = history.begin(number, key, null, "end", now);
      attempts = 9;
      live++;
      send(machine);
    }

    private void send(@Nullable Machine machine) {
      History.Op mine = op;
      if (mine == null || machine == null) {
        return;
      }
      attempts++;
      long current = ++attempt;
      if (machine.core == null) {
        retry();
        return;
      }
      long ticket = machine.nextTicket++;
      machine.tickets.put(ticket, this);
      in(
          5_000 * MILLI,
          () -> {
            if (attempt == current && op == mine && machine.tickets.remove(ticket) != null) {
              broken = "a request was not answered within five seconds: " + mine;
            }
          });
      Mutation mutation = mine.mutation;
      machine.step(
          mutation == null
              ? new Event.Read(ticket, mine.key)
              : new Event.Write(ticket, mine.key, mutation));
    }

    void connectionLost() {
      if (scanBegun >= 0) {
        listed(null);
        return;
      }
      doubtful = true;
      retry();
    }

    private void retry() {
      if (attempts < 4 && random.nextInt(4) != 0) {
        in(random.nextLong(200 * MILLI), () -> send(machines.get(IDS.get(random.nextInt(3)))));
      } else {
        close(null);
      }
    }

    void answered(Answer answer) {
      if (scanBegun >= 0) {
        listed(answer);
        return;
      }
      History.Op mine = op;
      if (mine == null) {
        return;
      }
      switch (answer) {
        case Answer.Applied applied -> {
          lastVersion.put(mine.key, applied.version());
          close(applied);
        }
        case Answer.Found found -> {
          lastSeen.put(mine.key, found.version());
          lastVersion.put(mine.key, found.version());
          close(found);
        }
        case Answer.Absent absent -> close(absent);
        case Answer.Unavailable _, Answer.NotApplied _ -> {
          if (attempts > 9) {
            broken = "after everything healed, a read failed: " + answer + " to " + mine;
          }
          retry();
        }
        case Answer.Unknown _ -> {
          doubtful = true;
          retry();
        }
        case Answer.Forgotten _ -> {
          doubtful = true;
          close(null);
        }
        case Answer.Conflict conflict -> {
          boolean lasting =
              mine.mutation != null && mine.mutation.condition() instanceof Precondition.At;
          // While an earlier attempt may still be under way, only a lasting conflict is final.
          close(doubtful && !lasting ? null : conflict);
        }
        case Answer.Missing missing -> close(doubtful ? null : missing);
        default -> throw new IllegalStateException("unexpected: " + answer);
      }
    }

    private void close(@Nullable Answer answer) {
      History.Op mine = op;
      if (mine == null) {
        return;
      }
      op = null;
      live--;
      mine.answer = answer;
      if (answer != null) {
        mine.ended = now;
      } else if (!doubtful) {
        mine.certainlyNothing = true;
      }
      if (number < 100) {
        think();
      }
    }
  }
}
