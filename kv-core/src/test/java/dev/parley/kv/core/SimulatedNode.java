package dev.parley.kv.core;

import dev.parley.kv.core.log.DamagedLogException;
import dev.parley.kv.core.log.SegmentedLog;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// One process with its disk and its clock: the host of a real [NodeCore] over a real
/// [SegmentedLog], as the node's event loop and log thread are in production.
///
/// Whatever happens to it goes through it: events wait while the process is stopped, time is told
/// by its own clock, and every reply that leaves is compared with what is on its disk.
final class SimulatedNode {

  /// A request of a client that this process has not answered yet.
  ///
  /// @param told what the cluster had told of the key before the operation was first sent
  private record Ticket(
      SimulatedClient client,
      long attempt,
      @Nullable Key key,
      @Nullable Mutation mutation,
      long told) {}

  final String id;
  final int index;
  private final Simulation sim;
  private final ArrayDeque<LogRecord> queue = new ArrayDeque<>();
  private final ArrayDeque<Runnable> stopped = new ArrayDeque<>();
  private final TreeMap<Long, Ticket> tickets = new TreeMap<>();
  private final Map<Long, Message.Request> asked = new HashMap<>();
  private final Map<Key, Ballot> latest = new HashMap<>();
  private final Map<Key, Ballot> forced = new HashMap<>();
  private MemoryDisk disk;
  private @Nullable MemoryDisk oldCopy;
  private long forcedCeiling;
  private long forcedBoot;
  private final Map<Integer, Long> forcedFloors = new HashMap<>();
  private long copiedBoot;
  private long partBoot;
  private boolean lost;
  private boolean formed;
  private @Nullable NodeCore core;
  private @Nullable Acceptor acceptor;
  private @Nullable SegmentedLog log;
  private int life;
  private boolean diskBusy;
  private long dropBelow;
  private long nextTicket;
  private boolean flipped;
  private boolean refused;
  private boolean paused;
  private long lastPause = Long.MIN_VALUE;
  private int slowness = 1;
  private int effectsLeft = -1;
  private long armed = Long.MAX_VALUE;
  private long armings;

  private long clockBase;
  private long clockSince;
  private double clockRate = 1;

  SimulatedNode(Simulation sim, String id, int index) {
    this.sim = sim;
    this.id = id;
    this.index = index;
    this.disk = new MemoryDisk(sim.world().honesty());
  }

  boolean isUp() {
    return core != null;
  }

  /// It knows durably that its cluster is formed.
  boolean isFormed() {
    return formed;
  }

  /// It found its log damaged, or is not who it was, and takes no part any more.
  boolean isOut() {
    return refused || lost;
  }

  /// Which boot runs, 0 if none does.
  long boot() {
    NodeCore running = core;
    return running == null ? 0 : running.boot();
  }

  // The process.

  void start() {
    if (core != null || refused) {
      return;
    }
    try {
      Rules rules = sim.world().rules().get();
      Acceptor recovered = new Acceptor(id, rules);
      Records read = new Records();
      SegmentedLog opened = SegmentedLog.open(disk, "sim", id, sim.mix().segmentBytes(), read);
      List<LogRecord> records = new ArrayList<>(read.all());
      if (sim.world().losesRecords()) {
        dropLastEntry(records);
      }
      Records.replay(records, opened.nextLsn() - records.size(), recovered.replay());
      latest.clear();
      long ceiling = 0;
      long boot = 0;
      Map<Integer, Long> floors = new HashMap<>();
      for (LogRecord record : records) {
        switch (record) {
          case LogRecord.Entry(var key, var ballot, var value) -> {
            latest.put(key, ballot);
            if (sim.monitors().durable(index, key, ballot, value)) {
              sim.note(key, () -> "chosen: " + ballot + " version " + value.version());
            }
          }
          case LogRecord.Purged(var key, var floor) -> {
            latest.remove(key);
            floors.merge(key.partition(), floor, Math::max);
          }
          case LogRecord.Meta meta -> {
            ceiling = meta.ceiling();
            boot = meta.boot();
            meta.floors().forEach((partition, floor) -> floors.merge(partition, floor, Math::max));
          }
          case LogRecord.Installed _, LogRecord.Mark() -> {}
        }
      }
      if (!lost) {
        checkNothingIsLost(ceiling, boot, floors);
      }
      // A process's clock begins anywhere, also below zero.
      setClock(sim.random().nextLong(-1_000_000_000_000L, 1_000_000_000_000_000L), 1);
      NodeCore fresh =
          new NodeCore(
              id,
              sim.mix().layout(),
              recovered,
              opened.nextLsn(),
              sim.mix().timing(),
              sim.random().split(),
              rules);
      List<Effect> later = new ArrayList<>();
      List<LogRecord> first = new ArrayList<>();
      for (Effect effect : fresh.start(clock())) {
        if (effect instanceof Effect.Append(_, var record)) {
          first.add(record);
        } else {
          later.add(effect);
        }
      }
      opened.write(first);
      long durable = opened.force();
      forced.clear();
      forced.putAll(latest);
      first.forEach(this::becameDurable);
      core = fresh;
      acceptor = recovered;
      log = opened;
      sim.note(null, () -> id + " is up, boot " + fresh.boot());
      carryOut(later);
      step(new Event.Durable(durable));
      tellShape();
    } catch (IOException e) {
      sim.note(null, () -> id + " cannot start: " + e.getMessage());
      disk.crash(sim.random());
      sim.in(sim.random().nextLong(500 * Simulation.MILLI), this::start);
    } catch (DamagedLogException e) {
      refused = true;
      sim.note(null, () -> id + " refuses to start: " + e.getMessage());
      if (!flipped) {
        sim.fail(null, id + " refuses a log of which nothing durable is lost: " + e.getMessage());
      }
    }
  }

  private static void dropLastEntry(List<LogRecord> records) {
    for (int i = records.size() - 1; i >= 0; i--) {
      if (records.get(i) instanceof LogRecord.Entry) {
        records.set(i, new LogRecord.Mark());
        return;
      }
    }
  }

  /// What recovery found is at least what was forced.
  private void checkNothingIsLost(long ceiling, long boot, Map<Integer, Long> floors) {
    if (ceiling < forcedCeiling || boot < forcedBoot) {
      sim.fail(
          null,
          "%s had forced boot %d and ceiling %d, and recovers boot %d and ceiling %d"
              .formatted(id, forcedBoot, forcedCeiling, boot, ceiling));
    }
    forcedFloors.forEach(
        (partition, floor) -> {
          if (floors.getOrDefault(partition, 0L) < floor) {
            sim.fail(
                null,
                "%s had forced floor %d of partition %d and recovers %s"
                    .formatted(id, floor, partition, floors.get(partition)));
          }
        });
    for (var entry : forced.entrySet()) {
      Ballot found = latest.getOrDefault(entry.getKey(), Ballot.ZERO);
      // A purge need not have been forced to be found.
      boolean purged =
          found.equals(Ballot.ZERO)
              && floors.getOrDefault(entry.getKey().partition(), 0L) >= entry.getValue().counter();
      if (found.compareTo(entry.getValue()) < 0 && !purged) {
        sim.fail(
            entry.getKey(),
            "%s had forced %s and recovers %s".formatted(id, entry.getValue(), found));
      }
    }
  }

  /// The power goes, or the process is killed.
  void crash() {
    if (core == null) {
      return;
    }
    core = null;
    acceptor = null;
    log = null;
    life++;
    queue.clear();
    stopped.clear();
    paused = false;
    diskBusy = false;
    dropBelow = 0;
    effectsLeft = -1;
    armed = Long.MAX_VALUE;
    armings++;
    asked.clear();
    disk.crash(sim.random());
    sim.note(null, () -> id + " crashes");
    List<Ticket> waiting = List.copyOf(tickets.values());
    tickets.clear();
    waiting.forEach(ticket -> ticket.client.connectionLost(ticket.attempt));
  }

  /// Dies after carrying out this many more effects.
  void crashAfter(int effects) {
    effectsLeft = effects;
  }

  /// The process is stopped: what happens to it waits.
  void pause() {
    if (core != null && !paused) {
      paused = true;
      lastPause = sim.now();
      sim.note(null, () -> id + " is stopped");
    }
  }

  void resume() {
    if (!paused) {
      return;
    }
    paused = false;
    lastPause = sim.now();
    sim.note(null, () -> id + " goes on");
    if (sim.random().nextBoolean()) {
      step(new Event.Tick());
    }
    while (!stopped.isEmpty() && !paused) {
      stopped.remove().run();
    }
    if (core != null && !paused) {
      step(new Event.Tick());
    }
  }

  // The clock.

  private long clock() {
    return clockBase + (long) ((sim.now() - clockSince) * clockRate);
  }

  private void setClock(long reading, double rate) {
    clockBase = reading;
    clockSince = sim.now();
    clockRate = rate;
  }

  /// The clock leaps ahead; it never goes back.
  void leap(long nanos) {
    sim.note(null, () -> "%s: its clock leaps ahead by %.1f s".formatted(id, nanos / 1e9));
    setClock(clock() + nanos, clockRate);
    step(new Event.Tick());
  }

  void runClockAt(double rate) {
    sim.note(null, () -> id + ": its clock runs at " + rate);
    setClock(clock(), rate);
    armed = Long.MAX_VALUE;
    step(new Event.Tick());
  }

  private void arm() {
    NodeCore running = core;
    if (running == null) {
      return;
    }
    OptionalLong next = running.nextDeadline();
    if (next.isEmpty() || next.getAsLong() >= armed) {
      return;
    }
    armed = next.getAsLong();
    long arming = ++armings;
    long wait = (long) Math.ceil(Math.max(0, armed - clock()) / clockRate);
    sim.in(
        wait,
        () -> {
          if (arming == armings) {
            armed = Long.MAX_VALUE;
            step(new Event.Tick());
          }
        });
  }

  // The event loop.

  void step(Event event) {
    NodeCore running = core;
    if (running == null) {
      return;
    }
    if (paused) {
      stopped.add(() -> step(event));
      return;
    }
    carryOut(running.step(clock(), event));
    if (core == running) {
      arm();
    }
  }

  void receive(String from, long boot, Message message) {
    step(new Event.Received(from, boot, message));
  }

  private void carryOut(List<Effect> effects) {
    int mine = life;
    for (Effect effect : effects) {
      if (effectsLeft >= 0 && effectsLeft-- == 0) {
        sim.happened(Fault.CRASH_BETWEEN_EFFECTS);
        crash();
        sim.in(sim.random().nextLong(1_500 * Simulation.MILLI), this::start);
        return;
      }
      switch (effect) {
        case Effect.Append(_, var record) -> {
          if (record instanceof LogRecord.Entry(var key, var ballot, var value)) {
            Ballot before = latest.put(key, ballot);
            boolean again = ballot.equals(before);
            sim.monitors().accepted(index, key, ballot, value, again);
            if (!again) {
              sim.note(key, () -> id + " accepts " + ballot + " version " + value.version());
            }
          }
          if (record instanceof LogRecord.Purged(var key, var floor)) {
            sim.monitors().purged(index, key, latest.remove(key), floor);
            sim.note(key, () -> id + " purges, floor " + floor);
          }
          queue.add(record);
        }
        case Effect.LayoutChanged _ -> {}
        case Effect.Halt(var reason) -> {
          if (!lost) {
            sim.fail(null, id + " halts: " + reason);
          }
          crash();
          refused = true;
          sim.note(null, () -> id + " halts: " + reason);
        }
        case Effect.Send(var to, var message) -> send(to, message);
        case Effect.DropBelow(var lsn) -> dropBelow = lsn;
        case Effect.Respond(var ticket, var answer) -> {
          Ticket asking = tickets.remove(ticket);
          if (asking != null) {
            respond(asking, answer);
          }
        }
      }
      if (life != mine) {
        return;
      }
    }
    work();
  }

  private void send(String to, Message message) {
    SimulatedNode target = sim.node(to);
    if (message instanceof Message.Request request) {
      if (!(message instanceof Message.Ping || message instanceof Message.Install)) {
        asked.put(request.call(), request);
      }
      if (message instanceof Message.Accept(_, _, var key, var ballot, var value, _)) {
        sim.monitors().proposed(key, ballot, value);
      }
    } else if (message instanceof Message.Reply reply) {
      Message.Request question = target.asked.get(reply.call());
      if (question != null) {
        checkReply(question, reply);
      }
    }
    sim.transmit(this, target, message);
  }

  /// What a reply speaks of is on the disk.
  private void checkReply(Message.Request question, Message.Reply reply) {
    boolean takesPart =
        reply instanceof Message.Promise
            || reply instanceof Message.Accepted
            || reply instanceof Message.ReadReply
            || reply instanceof Message.ScanReply;
    if (lost && takesPart) {
      sim.fail(null, id + " lost its disk and takes part all the same");
    }
    partBoot = takesPart ? forcedBoot : partBoot;
    switch (question) {
      case Message.Prepare prepare when reply instanceof Message.Promise promise -> {
        promised(prepare.key(), prepare.ballot());
        mustBeForced(prepare.key(), promise.accepted());
      }
      case Message.Accept accept when reply instanceof Message.Accepted answer -> {
        mustBeForced(accept.key(), accept.ballot());
        if (answer.next()) {
          promised(accept.key(), accept.next());
        }
      }
      case Message.Read read when reply instanceof Message.ReadReply told ->
          mustBeForced(read.key(), told.accepted());
      case Message.Scan _ when reply instanceof Message.ScanReply told ->
          told.rows().forEach(row -> mustBeForced(row.key(), row.accepted()));
      default -> {}
    }
  }

  private void promised(Key key, Ballot ballot) {
    sim.monitors().promised(index, key, ballot);
    sim.note(key, () -> id + " promises " + ballot);
    if (ballot.counter() > forcedCeiling) {
      sim.fail(
          key, "%s promises %s above its durable ceiling %d".formatted(id, ballot, forcedCeiling));
    }
  }

  private void mustBeForced(Key key, Ballot ballot) {
    Ballot there = forced.getOrDefault(key, Ballot.ZERO);
    boolean purged = forcedFloors.getOrDefault(key.partition(), 0L) >= ballot.counter();
    if (there.compareTo(ballot) < 0 && !purged) {
      sim.fail(key, "%s speaks of %s, but has forced only %s".formatted(id, ballot, there));
    }
  }

  // Clients.

  void ask(
      SimulatedClient client, long attempt, Key key, @Nullable Mutation mutation, long toldBefore) {
    long ticket = open(new Ticket(client, attempt, key, mutation, toldBefore));
    step(mutation == null ? new Event.Read(ticket, key) : new Event.Write(ticket, key, mutation));
  }

  void list(SimulatedClient client, long attempt, byte[] prefix, @Nullable Key after, int limit) {
    long ticket = open(new Ticket(client, attempt, null, null, 0));
    step(new Event.Scan(ticket, prefix, after, limit));
  }

  private long open(Ticket ticket) {
    long number = nextTicket++;
    tickets.put(number, ticket);
    long asked = sim.now();
    sim.in(
        5_000 * Simulation.MILLI,
        () -> {
          boolean ran = !paused && lastPause < asked;
          if (ran && tickets.containsKey(number)) {
            sim.fail(ticket.key, id + " has not answered a request for five seconds");
          }
        });
    return number;
  }

  private void respond(Ticket ticket, Answer answer) {
    Key key = ticket.key;
    if (key != null) {
      sim.monitors().answered(key, ticket.mutation, answer, ticket.told);
    }
    ticket.client.answered(ticket.attempt, answer);
  }

  // The disk.

  /// One group at a time: written a little later, forced a little later still.
  private void work() {
    if (diskBusy || core == null || (queue.isEmpty() && dropBelow == 0)) {
      return;
    }
    diskBusy = true;
    SegmentedLog mine = log;
    onDisk(
        Simulation.MILLI,
        () -> {
          if (mine == null) {
            return;
          }
          if (queue.isEmpty()) {
            mine.dropBelow(dropBelow);
            dropBelow = 0;
            diskBusy = false;
            tellShape();
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
          onDisk(8 * Simulation.MILLI, () -> force(mine, group));
        });
  }

  private void force(SegmentedLog mine, List<LogRecord> group) throws IOException {
    long durable = mine.force();
    diskBusy = false;
    group.forEach(this::becameDurable);
    step(new Event.Durable(durable));
    if (sim.random().nextInt(10) == 0) {
      step(new Event.Idle());
    }
    tellShape();
  }

  private void becameDurable(LogRecord record) {
    switch (record) {
      case LogRecord.Entry(var key, var ballot, var value) -> {
        forced.put(key, ballot);
        if (sim.monitors().durable(index, key, ballot, value)) {
          sim.note(key, () -> "chosen: " + ballot + " version " + value.version());
        }
      }
      case LogRecord.Purged(var key, var floor) -> {
        forced.remove(key);
        forcedFloors.merge(key.partition(), floor, Math::max);
      }
      case LogRecord.Meta meta -> {
        forcedCeiling = meta.ceiling();
        forcedBoot = meta.boot();
        meta.floors()
            .forEach((partition, floor) -> forcedFloors.merge(partition, floor, Math::max));
      }
      case LogRecord.Installed(_, var nowFormed, _) -> formed |= nowFormed;
      case LogRecord.Mark() -> {}
    }
  }

  private interface DiskCall {
    void run() throws IOException;
  }

  /// Calls the disk a while later. If it fails, the process halts: nothing is tried twice.
  private void onDisk(long most, DiskCall call) {
    int mine = life;
    sim.in(
        (sim.random().nextLong(most) + 1) * slowness,
        () -> {
          if (life == mine) {
            whenRunning(
                () -> {
                  try {
                    call.run();
                  } catch (IOException e) {
                    sim.happened(Fault.IO_ERROR);
                    sim.note(null, () -> id + " halts: " + e.getMessage());
                    crash();
                    sim.in(sim.random().nextLong(1_500 * Simulation.MILLI), this::start);
                  }
                });
          }
        });
  }

  private void whenRunning(Runnable action) {
    if (paused) {
      stopped.add(action);
    } else {
      action.run();
    }
  }

  private void tellShape() {
    SegmentedLog mine = log;
    if (mine != null) {
      step(
          new Event.LogShape(mine.segmentCount(), sim.mix().segmentBytes(), mine.secondFirstLsn()));
    }
  }

  void failDiskSoon(int calls) {
    if (core != null) {
      disk.failSoon(calls);
    }
  }

  void slowDisk(int factor) {
    slowness = factor;
    sim.note(null, () -> id + ": disk is slower by " + factor);
  }

  void full(boolean full) {
    sim.note(null, () -> id + (full ? " has no room" : " has room again"));
    step(new Event.Room(full));
  }

  /// While it is down, a bit flips in what its log proves durable.
  boolean flipBit() {
    try {
      if (core != null || !disk.flipProven(sim.random())) {
        return false;
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    flipped = true;
    sim.note(null, () -> id + ": a bit flips on its disk");
    return true;
  }

  /// Takes the copy that [#loseDisk] may bring back.
  void copyDisk() {
    if (core != null) {
      oldCopy = disk.copy();
      copiedBoot = forcedBoot;
    }
  }

  /// While it is down, its disk is replaced by a blank one, or by a copy from before the last start
  /// in which it took part. A copy from during that start cannot be told from the disk itself, and
  /// an older one only by a node that has heard of the last start.
  boolean loseDisk() {
    if (core != null) {
      return false;
    }
    MemoryDisk old = oldCopy;
    boolean blank =
        old == null
            || !sim.world().oldCopies()
            || copiedBoot >= partBoot
            || sim.random().nextBoolean();
    disk = blank || old == null ? new MemoryDisk(sim.world().honesty()) : old.copy();
    lost = true;
    sim.note(null, () -> id + (blank ? " has a blank disk" : " has an old copy of its disk"));
    return true;
  }

  /// The version of the value or tombstone it holds, 0 if it holds none.
  long versionOf(Key key) {
    Versioned value = acceptor == null ? null : acceptor.value(key);
    return value == null ? 0 : value.version();
  }

  /// The ballot it accepted last for the key.
  Ballot ballotOf(Key key) {
    return acceptor == null ? Ballot.ZERO : acceptor.accepted(key);
  }

  /// How many answers it waits for.
  int openCalls() {
    return core == null ? 0 : core.openCalls();
  }
}
