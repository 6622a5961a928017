package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.log.DamagedLogException;
import dev.parley.kv.core.log.SegmentedLog;
import dev.parley.kv.core.wire.Batch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Watches on three nodes with disks in memory, a network that can be cut, and time that passes as
/// told.
class WatchTest {

  private static final List<String> IDS = List.of("a", "b", "c");
  private static final long MILLI = 1_000_000;
  private static final byte[] PREFIX = bytes("k/");

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private record Happening(long at, long order, Runnable action) implements Comparable<Happening> {
    @Override
    public int compareTo(Happening other) {
      int byTime = Long.compare(at, other.at);
      return byTime == 0 ? Long.compare(order, other.order) : byTime;
    }
  }

  private static final class Cluster {
    final SplittableRandom random;
    final TreeMap<String, Node> nodes = new TreeMap<>();
    final TreeSet<String> cut = new TreeSet<>();
    final PriorityQueue<Happening> agenda = new PriorityQueue<>();
    final WatchOracle oracle = new WatchOracle(2, PREFIX);
    double dropping;
    long now;
    long order;
    long ops;

    Cluster(long seed) {
      random = new SplittableRandom(seed);
      for (String id : IDS) {
        nodes.put(id, new Node(this, id));
      }
      nodes.values().forEach(Node::start);
      until(() -> nodes.values().stream().allMatch(node -> node.core().waitsFor().isEmpty()));
    }

    Node node(String id) {
      Node node = nodes.get(id);
      assertNotNull(node);
      return node;
    }

    void in(long nanos, Runnable action) {
      agenda.add(new Happening(now + nanos, order++, action));
    }

    void until(BooleanSupplier condition) {
      long end = now + 120_000 * MILLI;
      while (!condition.getAsBoolean()) {
        Happening next = agenda.poll();
        assertNotNull(next, "nothing will ever happen");
        now = Math.max(now, next.at());
        assertTrue(now < end, "waited in vain");
        next.action().run();
      }
    }

    void pass(Duration time) {
      boolean[] over = {false};
      in(time.toNanos(), () -> over[0] = true);
      until(() -> over[0]);
    }

    void isolate(String id) {
      for (String other : IDS) {
        if (!other.equals(id)) {
          cut.add(id + ">" + other);
          cut.add(other + ">" + id);
        }
      }
    }

    Answer write(String node, String key, @Nullable String value) {
      Answer[] answer = new Answer[1];
      write(node, key, value, each -> answer[0] = each);
      until(() -> answer[0] != null);
      return answer[0];
    }

    void write(String node, String key, @Nullable String value, Consumer<Answer> done) {
      Mutation mutation =
          new Mutation(
              new OpId(3, ops++),
              new Precondition.Always(),
              value == null ? null : bytes(value),
              Mutation.NO_BASE);
      node(node).ask(ticket -> new Event.Write(ticket, Key.of(key), mutation), done);
    }
  }

  private interface Asking {
    Event event(long ticket);
  }

  private static final class Node {
    final Cluster cluster;
    final String id;
    final MemoryDisk disk = new MemoryDisk();
    final ArrayDeque<LogRecord> queue = new ArrayDeque<>();
    final TreeMap<Long, Consumer<Answer>> tickets = new TreeMap<>();
    @Nullable NodeCore core;
    @Nullable SegmentedLog log;
    int life;
    boolean busy;
    long dropBelow;
    long nextTicket = 1;
    long armed = Long.MAX_VALUE;

    Node(Cluster cluster, String id) {
      this.cluster = cluster;
      this.id = id;
    }

    NodeCore core() {
      NodeCore running = core;
      assertNotNull(running);
      return running;
    }

    void start() {
      if (core != null) {
        return;
      }
      try {
        Acceptor acceptor = new Acceptor(id);
        SegmentedLog opened = SegmentedLog.open(disk, "test", id, 16 << 10, acceptor.replay());
        NodeCore fresh =
            new NodeCore(
                id,
                Layout.of(IDS),
                acceptor,
                opened.nextLsn(),
                Timing.local(),
                cluster.random.split());
        List<Effect> later = new ArrayList<>();
        List<LogRecord> records = new ArrayList<>();
        for (Effect effect : fresh.start(cluster.now)) {
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
        throw new AssertionError(e);
      }
    }

    void crash() {
      core = null;
      log = null;
      life++;
      queue.clear();
      busy = false;
      dropBelow = 0;
      armed = Long.MAX_VALUE;
      disk.crash(cluster.random);
      List<Consumer<Answer>> asking = List.copyOf(tickets.values());
      tickets.clear();
      asking.forEach(each -> each.accept(new Answer.Unavailable("crashed")));
    }

    void ask(Asking asking, Consumer<Answer> answer) {
      if (core == null) {
        answer.accept(new Answer.Unavailable("down"));
        return;
      }
      long ticket = nextTicket++;
      tickets.put(ticket, answer);
      step(asking.event(ticket));
    }

    void step(Event event) {
      carryOut(core().step(cluster.now, event));
      OptionalLong next = core().nextDeadline();
      if (next.isPresent() && next.getAsLong() < armed) {
        armed = next.getAsLong();
        later(
            Math.max(0, armed - cluster.now),
            () -> {
              armed = Long.MAX_VALUE;
              step(new Event.Tick());
            });
      }
    }

    /// Does something later, unless it crashes first.
    private void later(long nanos, Runnable action) {
      int alive = life;
      cluster.in(
          nanos,
          () -> {
            if (alive == life && core != null) {
              action.run();
            }
          });
    }

    private void carryOut(List<Effect> effects) {
      for (Effect effect : effects) {
        switch (effect) {
          case Effect.Append(_, var record) -> queue.add(record);
          case Effect.Send(var to, var message) -> transmit(to, message);
          case Effect.DropBelow(var lsn) -> dropBelow = lsn;
          case Effect.LayoutChanged _ -> {}
          case Effect.Halt(var reason) -> throw new AssertionError(reason);
          case Effect.Respond(var ticket, var answer) -> {
            Consumer<Answer> asker = tickets.remove(ticket);
            if (asker != null) {
              asker.accept(answer);
            }
          }
        }
      }
      work();
    }

    private void transmit(String to, Message message) {
      byte[] bytes = new Batch("test", id, core().boot(), List.of(message)).encode();
      if (cluster.cut.contains(id + ">" + to) || cluster.random.nextDouble() < cluster.dropping) {
        return;
      }
      Node target = cluster.node(to);
      cluster.in(
          50_000 + cluster.random.nextLong(MILLI),
          () -> {
            if (target.core != null) {
              Batch batch = Batch.decode(bytes);
              target.step(
                  new Event.Received(batch.from(), batch.boot(), batch.messages().getFirst()));
            }
          });
    }

    private void work() {
      SegmentedLog writing = log;
      if (busy || writing == null || (queue.isEmpty() && dropBelow == 0)) {
        return;
      }
      busy = true;
      later(
          50_000 + cluster.random.nextLong(2 * MILLI),
          () -> {
            busy = false;
            try {
              List<LogRecord> group = new ArrayList<>();
              int size = 0;
              while (!queue.isEmpty()
                  && (group.isEmpty()
                      || size + SegmentedLog.sizeOf(queue.peek()) <= writing.groupCapacity())) {
                size += SegmentedLog.sizeOf(queue.peek());
                group.add(queue.remove());
              }
              if (!group.isEmpty()) {
                writing.write(group);
                long durable = writing.force();
                group.forEach(cluster.oracle::durable);
                step(new Event.Durable(durable));
              }
              if (dropBelow != 0) {
                writing.dropBelow(dropBelow);
                dropBelow = 0;
              }
              shape();
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
            work();
          });
    }

    private void shape() {
      SegmentedLog now = log;
      assertNotNull(now);
      step(new Event.LogShape(now.segmentCount(), 16 << 10, now.secondFirstLsn()));
    }
  }

  /// One who watches, goes to another node when one is gone, and lists when told to.
  private static final class Watcher {
    final Cluster cluster;
    final List<Answer.Signal> signals = new ArrayList<>();
    final List<Answer.Change> changes = new ArrayList<>();
    final boolean values;
    String at;
    @Nullable WatchPosition position;
    long watch;
    boolean paused;
    boolean stopped;
    int generation;

    Watcher(Cluster cluster, String at, boolean values) {
      this.cluster = cluster;
      this.at = at;
      this.values = values;
      open();
    }

    void open() {
      cluster.oracle.begins();
      int mine = ++generation;
      cluster
          .node(at)
          .ask(
              ticket -> new Event.Watch(ticket, PREFIX, values, position),
              answer -> took(mine, answer));
    }

    void more() {
      int mine = generation;
      cluster
          .node(at)
          .ask(ticket -> new Event.WatchMore(ticket, watch), answer -> took(mine, answer));
    }

    void resume() {
      paused = false;
      more();
    }

    private void took(int from, Answer answer) {
      if (from != generation || stopped) {
        return;
      }
      if (!(answer instanceof Answer.Watched told)) {
        int next = generation;
        cluster.in(
            200 * MILLI,
            () -> {
              if (next == generation && !stopped) {
                at = IDS.get((IDS.indexOf(at) + 1) % IDS.size());
                open();
              }
            });
        return;
      }
      watch = told.watch();
      position = told.position();
      signals.add(told.signal());
      changes.addAll(told.changes());
      told.changes().forEach(cluster.oracle::told);
      if (told.signal() == Answer.Signal.RESCAN) {
        list(from, cluster.oracle.chosen(), new TreeMap<>(), null);
      } else if (!paused) {
        more();
      }
    }

    private void list(
        int from, TreeMap<Key, Long> before, TreeMap<Key, Long> rows, @Nullable Key after) {
      cluster
          .node(at)
          .ask(
              ticket -> new Event.Scan(ticket, PREFIX, after, 50),
              answer -> {
                if (from != generation) {
                  return;
                }
                if (!(answer instanceof Answer.Page page)) {
                  cluster.in(50 * MILLI, () -> list(from, before, rows, after));
                  return;
                }
                page.rows().forEach(row -> rows.put(row.key(), row.version()));
                if (page.next() != null) {
                  list(from, before, rows, page.next());
                } else {
                  cluster.oracle.listed(before, rows);
                  more();
                }
              });
    }

    boolean has(Answer.Signal signal) {
      return signals.contains(signal);
    }
  }

  private static List<Long> versions(Watcher watcher, String key) {
    return watcher.changes.stream()
        .filter(change -> change.key().equals(Key.of(key)))
        .map(Answer.Change::version)
        .toList();
  }

  @Test
  void tellsEachChangeOnceWhenNothingGoesWrongAndOfAnotherPrefixNothing() {
    Cluster cluster = new Cluster(1);
    Watcher watcher = new Watcher(cluster, "b", true);
    cluster.until(() -> watcher.has(Answer.Signal.READY));
    List<Long> written = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      String value = i % 5 == 4 ? null : "v" + i;
      int seen = i + 1;
      Answer answer = cluster.write(IDS.get(i % 3), "k/x", value);
      written.add(assertInstanceOf(Answer.Applied.class, answer).version());
      cluster.write("a", "other", "v" + i);
      cluster.until(() -> watcher.changes.size() == seen);
      Answer.Change last = watcher.changes.getLast();
      assertEquals(value == null, last.deleted());
      byte[] body = last.body();
      assertEquals(value, body == null ? null : new String(body, StandardCharsets.UTF_8));
    }
    cluster.pass(Duration.ofSeconds(1));
    assertEquals(written, versions(watcher, "k/x"));
    assertEquals(20, watcher.changes.size());
    assertNull(cluster.oracle.violation());
  }

  @Test
  void whatIsKnownFromTheNodesThemselvesIsNotRead() {
    Cluster cluster = new Cluster(2);
    Watcher watcher = new Watcher(cluster, "a", false);
    cluster.until(() -> watcher.has(Answer.Signal.READY));
    Counters counters = cluster.node("a").core().counters();
    long rounds = counters.rounds();
    for (int i = 0; i < 10; i++) {
      cluster.write("b", "k/" + i, "v");
    }
    cluster.until(() -> watcher.changes.size() == 10);
    cluster.pass(Duration.ofSeconds(1));
    assertEquals(10, watcher.changes.size());
    assertNull(watcher.changes.getFirst().body());
    assertEquals(0, counters.identities());
    assertEquals(0, counters.replays());
    assertTrue(counters.rounds() - rounds <= 10);
  }

  @Test
  void goesOnExactlyWhereItStoppedOnAnotherNode() {
    Cluster cluster = new Cluster(3);
    Watcher watcher = new Watcher(cluster, "a", false);
    cluster.until(() -> watcher.has(Answer.Signal.READY));
    cluster.write("b", "k/1", "v");
    cluster.until(() -> watcher.changes.size() == 1);
    cluster.pass(Duration.ofSeconds(3));
    watcher.generation++;
    for (int i = 2; i <= 9; i++) {
      cluster.write("c", "k/" + i, "v");
    }
    cluster.write("c", "k/2", null);
    watcher.at = "c";
    watcher.changes.clear();
    watcher.open();
    cluster.until(() -> watcher.changes.size() >= 8);
    cluster.pass(Duration.ofSeconds(1));
    assertEquals(8, watcher.changes.size());
    assertEquals(0, versions(watcher, "k/1").size());
    assertTrue(
        watcher.changes.stream()
            .anyMatch(each -> each.key().equals(Key.of("k/2")) && each.deleted()));
    assertTrue(!watcher.has(Answer.Signal.RESCAN));
    assertNull(cluster.oracle.violation());
  }

  @Test
  void aConsumerThatIsSlowGetsTheLastVersionOfEachKey() {
    Cluster cluster = new Cluster(4);
    Watcher watcher = new Watcher(cluster, "a", true);
    watcher.paused = true;
    cluster.until(() -> watcher.has(Answer.Signal.READY));
    for (int i = 0; i < 200; i++) {
      cluster.write("b", "k/" + i % 4, "v" + i);
    }
    watcher.resume();
    cluster.pass(Duration.ofSeconds(2));
    assertTrue(watcher.changes.size() < 20, "told " + watcher.changes.size());
    for (int i = 196; i < 200; i++) {
      Key key = Key.of("k/" + i % 4);
      Answer.Change last =
          watcher.changes.stream().filter(each -> each.key().equals(key)).toList().getLast();
      assertArrayEquals(bytes("v" + i), last.body());
    }
    assertNull(cluster.oracle.violation());
  }

  @Test
  void goesOnWithTheOthersWhenANodeDiesAndRescansOnlyIfItHadNotBeenHeard() {
    Cluster cluster = new Cluster(5);
    cluster.node("c").crash();
    cluster.pass(Duration.ofSeconds(2));
    Watcher watcher = new Watcher(cluster, "a", false);
    cluster.until(() -> watcher.has(Answer.Signal.READY));
    cluster.write("b", "k/1", "v");
    cluster.until(() -> watcher.changes.size() == 1);
    assertTrue(!watcher.has(Answer.Signal.RESCAN));
    // It comes back: what it accepted before nobody told.
    cluster.node("c").start();
    cluster.until(() -> watcher.has(Answer.Signal.RESCAN));
    watcher.signals.clear();
    // It goes and comes again: it goes on where it was.
    cluster.node("c").crash();
    cluster.write("b", "k/2", "v");
    cluster.node("c").start();
    cluster.write("b", "k/3", "v");
    cluster.pass(Duration.ofSeconds(6));
    assertEquals(3, watcher.changes.stream().map(Answer.Change::key).distinct().count());
    assertTrue(!watcher.has(Answer.Signal.RESCAN));
    assertNull(cluster.oracle.violation());
  }

  @Test
  void saysThatItIsStalledWithoutAMajorityAndGoesOnWithoutAGap() {
    Cluster cluster = new Cluster(6);
    Watcher watcher = new Watcher(cluster, "a", false);
    cluster.until(() -> watcher.has(Answer.Signal.READY));
    cluster.pass(Duration.ofSeconds(4));
    cluster.isolate("a");
    cluster.write("b", "k/1", "v");
    cluster.until(() -> watcher.has(Answer.Signal.STALLED));
    assertEquals(0, watcher.changes.size());
    cluster.cut.clear();
    cluster.until(() -> watcher.has(Answer.Signal.RESUMED) && watcher.changes.size() == 1);
    assertTrue(!watcher.has(Answer.Signal.RESCAN));
    assertNull(cluster.oracle.violation());
  }

  @Test
  void aPositionThatNoNodeRemembersOrOfAnotherLayoutMeansRescan() {
    Cluster cluster = new Cluster(7);
    cluster.write("b", "k/1", "v");
    for (WatchPosition old :
        List.of(
            new WatchPosition(1, new TreeMap<>(java.util.Map.of("a", 1L << 40))),
            new WatchPosition(7, new TreeMap<>(java.util.Map.of("a", 1L, "b", 1L, "c", 1L))))) {
      Watcher watcher = new Watcher(cluster, "a", false);
      watcher.generation++;
      watcher.position = old;
      watcher.signals.clear();
      watcher.open();
      cluster.until(() -> watcher.has(Answer.Signal.RESCAN));
      watcher.stopped = true;
    }
  }

  @Test
  void aChangeOfTheMembersMeansRescanAndTheWatchGoesOnAmongThoseThatAreLeft() {
    Cluster cluster = new Cluster(8);
    Watcher stays = new Watcher(cluster, "a", false);
    Watcher leaves = new Watcher(cluster, "c", false);
    cluster.until(() -> stays.has(Answer.Signal.READY) && leaves.has(Answer.Signal.READY));
    cluster.write("b", "k/1", "v");
    Answer[] begun = new Answer[1];
    cluster
        .node("b")
        .ask(
            ticket -> new Event.ChangeMembers(ticket, new MemberChange.Remove("c", true)),
            answer -> begun[0] = answer);
    cluster.until(() -> begun[0] != null);
    assertInstanceOf(Answer.Begun.class, begun[0]);
    for (int i = 2; i <= 6; i++) {
      cluster.write("b", "k/" + i, "v");
    }
    cluster.until(() -> !cluster.node("a").core().layout().ids().contains("c"));
    cluster.until(() -> stays.has(Answer.Signal.RESCAN) && leaves.has(Answer.Signal.RESCAN));
    cluster.pass(Duration.ofSeconds(5));
    assertTrue(!leaves.at.equals("c"));
    cluster.write("a", "k/7", null);
    cluster.write("a", "k/8", "v");
    cluster.until(() -> !versions(stays, "k/8").isEmpty() && !versions(leaves, "k/8").isEmpty());
  }

  @Test
  void aRingForgetsTheOldestKeyAndSaysSo() {
    ChangeRing ring = new ChangeRing(3);
    Ballot ballot = new Ballot(1, "a", 1);
    for (int i = 1; i <= 4; i++) {
      ring.accepted(i, Key.of("k/" + i % 3), ballot, 1, true);
    }
    assertEquals(3, ring.durable(3).size());
    assertEquals(3, ring.after(0, PREFIX, 10).size());
    ring.durable(4);
    // The key of record 1 was accepted again in record 4, and so nothing is missing.
    assertTrue(ring.reaches(0));
    assertEquals(
        List.of(2L, 3L, 4L),
        ring.after(0, PREFIX, 10).stream().map(ChangeRing.Change::seq).toList());
    ring.accepted(5, Key.of("k/9"), ballot, 1, true);
    ring.durable(5);
    assertTrue(!ring.reaches(1));
    assertTrue(ring.reaches(2));
    assertTrue(!ring.reaches(6));
  }

  @Test
  void everyChosenVersionIsToldWhateverCrashesAndIsCut() {
    for (long seed = 100; seed < 100 + Long.getLong("parley.watch.seeds", 30); seed++) {
      torment(seed);
    }
  }

  private static void torment(long seed) {
    Cluster cluster = new Cluster(seed);
    SplittableRandom random = cluster.random.split();
    Watcher watcher = new Watcher(cluster, IDS.get(random.nextInt(3)), random.nextBoolean());
    cluster.until(() -> watcher.has(Answer.Signal.READY));
    cluster.dropping = random.nextInt(3) * 0.03;
    int keys = 1 + random.nextInt(40);
    for (int round = 0; round < 60; round++) {
      for (int i = random.nextInt(12); i > 0; i--) {
        String key = (random.nextInt(4) == 0 ? "other/" : "k/") + random.nextInt(keys);
        String value = random.nextInt(3) == 0 ? null : "v" + random.nextInt(1000);
        cluster.write(IDS.get(random.nextInt(3)), key, value, _ -> {});
      }
      Node victim = cluster.node(IDS.get(random.nextInt(3)));
      switch (random.nextInt(12)) {
        case 0 -> victim.crash();
        case 1, 2 -> cluster.nodes.values().forEach(Node::start);
        case 3 -> cluster.isolate(victim.id);
        case 4 -> cluster.cut.add(victim.id + ">" + IDS.get(random.nextInt(3)));
        case 5, 6 -> cluster.cut.clear();
        case 7 -> {
          // Drops the connection, and goes on somewhere from what it was told last.
          watcher.at = victim.id;
          watcher.open();
        }
        default -> {}
      }
      cluster.pass(Duration.ofMillis(random.nextInt(random.nextInt(5) == 0 ? 3000 : 200) + 1));
    }
    cluster.dropping = 0;
    cluster.cut.clear();
    cluster.nodes.values().forEach(Node::start);
    cluster.pass(Duration.ofSeconds(40));
    assertNull(cluster.oracle.violation(), "seed " + seed);
    assertTrue(cluster.oracle.keysSeen() > 0);
  }
}
