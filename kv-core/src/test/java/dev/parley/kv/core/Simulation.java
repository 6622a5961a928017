package dev.parley.kv.core;

import dev.parley.kv.core.wire.Batch;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Three or five nodes, their disks, the network between them and a few clients, all in one thread
/// and all from one seed: the same seed gives the same history, whatever the machine.
///
/// Each seed draws its own [FaultMix]: what the clients do, how the network loses, repeats, delays
/// and reorders, and which of the [Fault]s befall the nodes. [Monitors] watch every step. In the
/// end everything heals, every key is read from every node, all its replicas must soon hold the
/// same, and [History] judges what the clients saw.
final class Simulation {

  static final long MILLI = 1_000_000;
  private static final long TROUBLE_ENDS = 8_000 * MILLI;
  private static final long ALL_ENDS = TROUBLE_ENDS + 60_000 * MILLI;

  /// How long after the last request all replicas of all keys may still differ: two rounds of
  /// comparisons with four peers, a round every two seconds, and a bit for clocks that are slow.
  private static final long CONVERGENCE = 20_000 * MILLI;

  /// Answers that a node with nothing to do may wait for: those to what it asks when it compares
  /// what it holds with a peer.
  private static final int IDLE_CALLS = 17;

  /// What is being simulated, so that a test can break one thing.
  ///
  /// @param rules the decisions of the protocol
  /// @param honesty whether disks do what they say
  /// @param losesRecords recovery overlooks the last record of a log
  /// @param oldCopies a node may come back with an old copy of its disk, not only with a blank one
  record World(
      Supplier<Rules> rules, MemoryDisk.Honesty honesty, boolean losesRecords, boolean oldCopies) {
    static World correct() {
      return new World(Rules::new, MemoryDisk.Honesty.HONEST, false, false);
    }
  }

  /// What came of one seed.
  ///
  /// @param violation what went wrong, or null
  /// @param story what happened, to be read; empty unless it was asked for
  /// @param steps events that were carried out
  record Outcome(
      long seed,
      @Nullable String violation,
      String story,
      int operations,
      long steps,
      Map<Fault, Integer> faults) {}

  private record Happening(long at, long order, Runnable action) implements Comparable<Happening> {
    @Override
    public int compareTo(Happening other) {
      int byTime = Long.compare(at, other.at);
      return byTime == 0 ? Long.compare(order, other.order) : byTime;
    }
  }

  private record Sent(SimulatedNode from, SimulatedNode to, long boot, Message message) {}

  private final long seed;
  private final SplittableRandom random;
  private final World world;
  private final FaultMix mix;
  private final List<Key> keys;
  private final List<SimulatedNode> nodes = new ArrayList<>();
  private final Map<String, SimulatedNode> byId = new TreeMap<>();
  private final PriorityQueue<Happening> agenda = new PriorityQueue<>();
  private final Monitors monitors;
  private final History history = new History();
  private final Map<Key, Integer> operations = new TreeMap<>();
  private final EnumMap<Fault, Integer> faults = new EnumMap<>(Fault.class);
  private final List<Sent> old = new ArrayList<>();
  private final @Nullable Story story;
  private boolean[][] cut;
  private boolean[][] planned;
  private long flapUntil;
  private double dropping;
  private long delay;
  private long now;
  private long order;
  private long transmissions;
  private long steps;
  private int live;
  private int spareNodes;
  private boolean finished;
  private @Nullable String broken;
  private @Nullable Key where;

  private Simulation(long seed, World world, boolean told) {
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    this.world = world;
    this.mix = new FaultMix(random);
    this.keys = mix.keys();
    this.story = told ? new Story() : null;
    this.monitors = new Monitors(mix.layout());
    this.cut = new boolean[mix.nodes][mix.nodes];
    this.planned = cut;
    this.dropping = mix.dropping;
    this.delay = mix.delayNanos;
    this.spareNodes = mix.spareNodes();
    for (String id : mix.ids()) {
      SimulatedNode node = new SimulatedNode(this, id, nodes.size());
      nodes.add(node);
      byId.put(id, node);
    }
  }

  /// Runs one seed. A failing one is run a second time to tell its story.
  static Outcome run(long seed, World world) {
    Outcome outcome = new Simulation(seed, world, false).run();
    return outcome.violation() == null ? outcome : new Simulation(seed, world, true).run();
  }

  /// Runs one seed as fast as it goes, without its story.
  static Outcome glance(long seed, World world) {
    return new Simulation(seed, world, false).run();
  }

  private Outcome run() {
    nodes.forEach(SimulatedNode::start);
    for (int client = 0; client < mix.clients(); client++) {
      new SimulatedClient(this, client).think();
    }
    in(50 * MILLI, this::trouble);
    in(TROUBLE_ENDS, this::heal);
    while (broken == null && !finished) {
      Happening next = agenda.poll();
      if (next == null || next.at() > ALL_ENDS) {
        fail(null, "it did not come to rest");
        break;
      }
      now = Math.max(now, next.at());
      steps++;
      next.action().run();
      if (broken == null && monitors.violation() != null) {
        broken = monitors.violation();
        where = monitors.where();
      }
    }
    history.ops().forEach(this::settle);
    if (broken == null) {
      broken = history.violation();
      String wrong = broken;
      if (wrong != null) {
        where = keys.stream().filter(key -> wrong.startsWith(key + ":")).findFirst().orElse(null);
      }
    }
    String text =
        story == null || broken == null
            ? ""
            : story.tell(seed, mix, broken, now, where, history.ops());
    return new Outcome(seed, broken, text, history.ops().size(), steps, faults);
  }

  /// A write whose client heard nothing and that never was chosen had no effect. The search for an
  /// order of the operations need not try it everywhere.
  private void settle(History.Op op) {
    Mutation mutation = op.mutation;
    if (op.answer == null && mutation != null && !monitors.tookEffect(op.key, mutation.op())) {
      op.certainlyNothing = true;
    }
  }

  // What nodes and clients use.

  SplittableRandom random() {
    return random;
  }

  World world() {
    return world;
  }

  FaultMix mix() {
    return mix;
  }

  Monitors monitors() {
    return monitors;
  }

  History history() {
    return history;
  }

  List<Key> keys() {
    return keys;
  }

  long now() {
    return now;
  }

  SimulatedNode node(String id) {
    SimulatedNode node = byId.get(id);
    if (node == null) {
      throw new IllegalStateException("no node " + id);
    }
    return node;
  }

  SimulatedNode anyNode() {
    return nodes.get(random.nextInt(nodes.size()));
  }

  boolean troubleIsOver() {
    return now > TROUBLE_ENDS;
  }

  void in(long nanos, Runnable action) {
    agenda.add(new Happening(now + nanos, order++, action));
  }

  /// The first of these ends the run.
  void fail(@Nullable Key key, String what) {
    if (broken == null) {
      broken = key == null ? what : key + ": " + what;
      where = key;
    }
  }

  void happened(Fault fault) {
    faults.merge(fault, 1, Integer::sum);
  }

  /// Adds a line to the story, if it is told.
  ///
  /// @param key the key it concerns, or null for all
  void note(@Nullable Key key, Supplier<String> line) {
    if (story != null) {
      story.add(now, key, line.get());
    }
  }

  /// A key with fewer operations than it should get, or null.
  @Nullable Key keyWithRoom() {
    for (int tries = 0; tries < 4; tries++) {
      Key key = keys.get(random.nextInt(keys.size()));
      if (operations.getOrDefault(key, 0) < mix.operationsPerKey()) {
        return key;
      }
    }
    return keys.stream()
        .filter(key -> operations.getOrDefault(key, 0) < mix.operationsPerKey())
        .findFirst()
        .orElse(null);
  }

  /// A listing told of the key, which counts as a read of it.
  void listed(Key key) {
    operations.merge(key, 1, Integer::sum);
  }

  void begun(Key key) {
    operations.merge(key, 1, Integer::sum);
    live++;
  }

  void begunListing() {
    live++;
  }

  void ended() {
    live--;
  }

  // The network.

  void transmit(SimulatedNode from, SimulatedNode to, Message message) {
    long boot = from.boot();
    boolean isCut = cut[from.index][to.index];
    if ((!to.isUp() || isCut) && random.nextBoolean()) {
      in(
          random.nextLong(MILLI) + 1,
          () -> {
            if (from.boot() == boot) {
              from.step(new Event.Undelivered(to.id, List.of(message)));
            }
          });
      return;
    }
    transmissions++;
    if (transmissions % 8 == 0) {
      remember(new Sent(from, to, boot, message));
    }
    if (isCut || random.nextDouble() < dropping) {
      return;
    }
    int copies = random.nextDouble() < mix.repeating ? 2 : 1;
    for (int i = 0; i < copies; i++) {
      long wait = 50_000 + random.nextLong(delay);
      if (!troubleIsOver() && random.nextInt(50) == 0) {
        wait *= 20;
      }
      deliver(new Sent(from, to, boot, message), wait);
    }
  }

  /// Some messages go through their encoding, so that nothing is carried by reference alone; all
  /// would take most of the time.
  private void deliver(Sent sent, long wait) {
    Message message = sent.message();
    if (transmissions % 16 == 0) {
      Batch batch = new Batch("sim", sent.from().id, sent.boot(), List.of(message));
      message = Batch.decode(batch.encode()).messages().getFirst();
    }
    Message delivered = message;
    in(wait, () -> sent.to().receive(sent.from().id, sent.boot(), delivered));
  }

  private void remember(Sent sent) {
    if (old.size() < 256) {
      old.add(sent);
    } else {
      old.set(random.nextInt(old.size()), sent);
    }
  }

  private void cutLinks() {
    planned = new boolean[mix.nodes][mix.nodes];
    int[] side = new int[mix.nodes];
    int kind = random.nextInt(6);
    int lonely = random.nextInt(mix.nodes);
    for (int i = 0; i < mix.nodes; i++) {
      side[i] = random.nextInt(2);
    }
    for (int a = 0; a < mix.nodes; a++) {
      for (int b = 0; b < mix.nodes; b++) {
        planned[a][b] =
            a != b
                && switch (kind) {
                  case 0 -> a == lonely || b == lonely;
                  case 1 -> a == lonely; // It hears, and is not heard.
                  case 2 -> b == lonely;
                  case 3 -> side[a] != side[b];
                  case 4 -> side[a] != side[b] && a != lonely && b != lonely; // A bridge.
                  default -> random.nextInt(3) == 0;
                };
      }
    }
    cut = planned;
    note(null, () -> "the network is cut: " + links());
  }

  private String links() {
    StringBuilder text = new StringBuilder();
    for (int a = 0; a < mix.nodes; a++) {
      for (int b = 0; b < mix.nodes; b++) {
        if (cut[a][b]) {
          text.append(a + 1).append('>').append(b + 1).append(' ');
        }
      }
    }
    return text.isEmpty() ? "nowhere" : text.toString().strip();
  }

  private void joinLinks() {
    cut = new boolean[mix.nodes][mix.nodes];
    note(null, () -> "the network is whole");
  }

  private void flap() {
    if (now > flapUntil || troubleIsOver()) {
      joinLinks();
      return;
    }
    if (cut == planned) {
      joinLinks();
    } else {
      cut = planned;
      note(null, () -> "the network is cut: " + links());
    }
    in(random.nextLong(200 * MILLI) + 5 * MILLI, this::flap);
  }

  // The trouble.

  private void trouble() {
    if (troubleIsOver()) {
      return;
    }
    if (!mix.faults.isEmpty()) {
      inflict(mix.faults.get(random.nextInt(mix.faults.size())), anyNode());
    }
    in(random.nextLong(350 * MILLI), this::trouble);
  }

  private void inflict(Fault fault, SimulatedNode victim) {
    boolean done =
        switch (fault) {
          case CRASH -> crash(victim);
          case BLACKOUT -> {
            if (random.nextInt(3) != 0) {
              yield false;
            }
            nodes.forEach(this::crash);
            yield true;
          }
          case CRASH_BETWEEN_EFFECTS -> {
            victim.crashAfter(random.nextInt(12));
            yield false; // It counts when it comes to it.
          }
          case PAUSE -> {
            victim.pause();
            in(random.nextLong(3_000 * MILLI), victim::resume);
            yield victim.isUp();
          }
          case CLOCK_LEAP -> {
            long days = random.nextInt(3) == 0 ? 1 + random.nextInt(1_000) : 0;
            victim.leap(days * 86_400_000 * MILLI + random.nextLong(4_000 * MILLI));
            yield victim.isUp();
          }
          case CLOCK_RATE -> {
            victim.runClockAt(random.nextBoolean() ? 0.5 : 2);
            yield victim.isUp();
          }
          case PARTITION -> {
            boolean cuts = random.nextInt(3) != 0;
            if (cuts) {
              cutLinks();
            } else {
              joinLinks();
            }
            yield cuts;
          }
          case FLAPPING -> {
            if (now < flapUntil) {
              yield false;
            }
            cutLinks();
            flapUntil = now + random.nextLong(2_500 * MILLI);
            in(20 * MILLI, this::flap);
            yield true;
          }
          case STALE_MESSAGE -> {
            int count = old.isEmpty() ? 0 : 1 + random.nextInt(12);
            for (int i = 0; i < count; i++) {
              deliver(old.get(random.nextInt(old.size())), random.nextLong(5 * MILLI));
            }
            yield count > 0;
          }
          case IO_ERROR -> {
            victim.failDiskSoon(1 + random.nextInt(6));
            yield false; // It counts when it comes to it.
          }
          case BIT_FLIP -> {
            if (spareNodes == 0 || !allFormed() || random.nextInt(4) != 0) {
              yield false;
            }
            crash(victim);
            boolean flipped = victim.flipBit();
            spareNodes -= flipped ? 1 : 0;
            yield flipped;
          }
          case DISK_FULL -> {
            victim.full(true);
            in(random.nextLong(1_500 * MILLI), () -> victim.full(false));
            yield victim.isUp();
          }
          case SLOW_DISK -> {
            victim.slowDisk(10 + random.nextInt(90));
            in(random.nextLong(2_000 * MILLI), () -> victim.slowDisk(1));
            yield true;
          }
          case LOST_DISK -> {
            if (spareNodes == 0 || !allFormed() || random.nextInt(3) != 0) {
              victim.copyDisk();
              yield false;
            }
            crash(victim);
            boolean lost = victim.loseDisk();
            spareNodes -= lost ? 1 : 0;
            yield lost;
          }
        };
    if (done) {
      happened(fault);
    }
  }

  /// Only then is a node that is lost no hindrance to the others.
  private boolean allFormed() {
    return nodes.stream().allMatch(SimulatedNode::isFormed);
  }

  private boolean crash(SimulatedNode victim) {
    boolean wasUp = victim.isUp();
    victim.crash();
    if (wasUp) {
      in(random.nextLong(1_500 * MILLI), victim::start);
    }
    return wasUp;
  }

  // The end.

  private void heal() {
    joinLinks();
    flapUntil = 0;
    dropping = 0;
    delay = Math.min(delay, 10 * MILLI);
    for (SimulatedNode node : nodes) {
      node.resume();
      node.crashAfter(-1);
      node.failDiskSoon(-1);
      node.slowDisk(1);
      node.start();
      node.full(false);
    }
    in(2_500 * MILLI, this::rest);
  }

  /// Waits until all clients are done.
  private void rest() {
    if (live > 0) {
      in(200 * MILLI, this::rest);
    } else if (random.nextBoolean()) {
      readEverything(0, () -> compareReplicas(now, () -> finished = true));
    } else {
      compareReplicas(now, () -> readEverything(0, () -> finished = true));
    }
  }

  private static boolean tells(Answer answer, @Nullable Versioned chosen) {
    return switch (answer) {
      case Answer.Found(var version, _, _) -> chosen != null && version == chosen.version();
      case Answer.Absent() -> chosen == null || !chosen.exists();
      default -> false;
    };
  }

  private void readEverything(int next, Runnable then) {
    if (next == keys.size() * nodes.size()) {
      then.run();
      return;
    }
    Key key = keys.get(next / nodes.size());
    SimulatedNode node = nodes.get(next % nodes.size());
    if (node.isOut()) {
      readEverything(next + 1, then);
      return;
    }
    Versioned before = monitors.lastChosen(key);
    new SimulatedClient(this, 100)
        .read(
            node,
            key,
            answer -> {
              // A write that nobody waits for any more may become chosen while the read is under
              // way.
              if (!tells(answer, before) && !tells(answer, monitors.lastChosen(key))) {
                fail(key, "after everything healed, a read from " + node.id + " gave " + answer);
              }
              // Not at once: the depth of the stack must not grow with the number of keys.
              in(1, () -> readEverything(next + 1, then));
            });
  }

  /// Waits until all replicas agree, as they must before long, whether anybody reads or not.
  private void compareReplicas(long since, Runnable then) {
    Disagreement found = disagreement();
    if (found == null) {
      checkNothingWaits();
      then.run();
    } else if (now - since > CONVERGENCE) {
      fail(found.key(), found.what());
    } else {
      in(100 * MILLI, () -> compareReplicas(since, then));
    }
  }

  private record Disagreement(Key key, String what) {}

  /// A key that not all its replicas hold at one ballot, or not as it was chosen last; or null. Of
  /// a key that was deleted nothing is left, unless a replica is gone for good: then its tombstone
  /// may have to stay.
  private @Nullable Disagreement disagreement() {
    for (Key key : keys) {
      Versioned chosen = monitors.lastChosen(key);
      boolean everybody = true;
      TreeMap<String, Ballot> held = new TreeMap<>();
      TreeMap<String, Long> versions = new TreeMap<>();
      for (String id : mix.layout().replicas(key).all()) {
        SimulatedNode node = node(id);
        if (node.isOut()) {
          everybody = false;
          continue;
        }
        if (!node.isUp()) {
          fail(null, id + " is down although everything healed");
        }
        held.put(id, node.ballotOf(key));
        versions.put(id, node.versionOf(key));
      }
      boolean agree = held.values().stream().distinct().count() == 1;
      boolean gone = chosen == null || !chosen.exists();
      boolean purged = held.containsValue(Ballot.ZERO);
      long wanted = chosen == null || gone && (everybody || purged) ? 0 : chosen.version();
      if (!agree || versions.values().stream().anyMatch(version -> version != wanted)) {
        return new Disagreement(
            key,
            "%d s after everything healed, its replicas hold %s, versions %s, and not all %d"
                .formatted(CONVERGENCE / 1_000 / MILLI, held, versions, wanted));
      }
    }
    return null;
  }

  /// No node waits for more than its comparison with a peer.
  private void checkNothingWaits() {
    for (SimulatedNode node : nodes) {
      if (node.openCalls() > IDLE_CALLS) {
        fail(null, node.id + " waits for " + node.openCalls() + " answers in the end");
      }
    }
  }
}
