package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// A cluster of one node with a perfect disk must do what a sorted map does.
class NodeCoreTest {

  private static final class Lone {
    final NodeCore core =
        new NodeCore(
            "n",
            Layout.of(List.of("n")),
            new Acceptor("n"),
            1,
            Timing.local(),
            new SplittableRandom(1));
    private final List<Answer> answers = new ArrayList<>();
    private long now;
    private long ops;

    Lone() {
      carryOut(core.start(0));
    }

    private void carryOut(List<Effect> first) {
      ArrayDeque<Effect> effects = new ArrayDeque<>(first);
      while (!effects.isEmpty()) {
        switch (effects.remove()) {
          case Effect.Append(var lsn, _) -> effects.addAll(core.step(now, new Event.Durable(lsn)));
          case Effect.Respond(_, var answer) -> answers.add(answer);
          case Effect.Send _, Effect.DropBelow _, Effect.LayoutChanged _ -> {}
          case Effect.Halt(var reason) -> throw new AssertionError(reason);
        }
      }
    }

    Answer ask(Event event) {
      answers.clear();
      now += 1_000_000;
      carryOut(core.step(now, event));
      for (int tick = 0; answers.isEmpty() && tick < 5000; tick++) {
        now += 1_000_000;
        carryOut(core.step(now, new Event.Tick()));
      }
      assertEquals(1, answers.size());
      return answers.getFirst();
    }

    Answer write(String key, byte @Nullable [] body, Precondition condition) {
      return write(key, new Mutation(new OpId(7, ops++), condition, body, Mutation.NO_BASE));
    }

    Answer write(String key, Mutation mutation) {
      return ask(new Event.Write(1, Key.of(key), mutation));
    }
  }

  private record Row(long version, String value) {}

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void doesWhatASortedMapDoes() {
    SplittableRandom random = new SplittableRandom(42);
    Lone node = new Lone();
    TreeMap<Key, Row> twin = new TreeMap<>();
    String[] keys = {"a", "a/1", "a/2", "a/é", "a/汉", "b", "b/{x}/1", "c"};
    TreeMap<Key, Long> lastVersions = new TreeMap<>();
    for (int i = 0; i < 4000; i++) {
      String name = keys[random.nextInt(keys.length)];
      Key key = Key.of(name);
      Row row = twin.get(key);
      Precondition condition =
          switch (random.nextInt(4)) {
            case 0 -> new Precondition.Absent();
            case 1 -> new Precondition.Present();
            case 2 ->
                new Precondition.At(row == null || random.nextInt(4) == 0 ? 3 : row.version());
            default -> new Precondition.Always();
          };
      boolean holds =
          switch (condition) {
            case Precondition.Always() -> true;
            case Precondition.Absent() -> row == null;
            case Precondition.Present() -> row != null;
            case Precondition.At(var version) -> row != null && row.version() == version;
            case Precondition.Expiring _ -> throw new IllegalStateException("not drawn here");
          };
      switch (random.nextInt(4)) {
        case 0 -> {
          Answer answer = node.ask(new Event.Read(1, key));
          if (row == null) {
            assertEquals(new Answer.Absent(), answer);
          } else {
            Answer.Found found = assertInstanceOf(Answer.Found.class, answer);
            assertEquals(row.version(), found.version());
            assertArrayEquals(bytes(row.value()), found.body());
          }
        }
        case 1 -> {
          String prefix = name.substring(0, random.nextInt(name.length()));
          int limit = 1 + random.nextInt(4);
          Key after = random.nextBoolean() ? null : Key.of(keys[random.nextInt(keys.length)]);
          checkPage(node, twin, prefix, after, limit);
        }
        case 2 -> {
          Answer answer = node.write(name, null, condition);
          if (!holds) {
            assertEquals(new Answer.Conflict(row == null ? 0 : row.version()), answer);
          } else if (row == null) {
            assertEquals(new Answer.Missing(), answer);
          } else {
            assertInstanceOf(Answer.Applied.class, answer);
            twin.remove(key);
          }
        }
        default -> {
          Answer answer = node.write(name, bytes("v" + i), condition);
          if (holds) {
            Answer.Applied applied = assertInstanceOf(Answer.Applied.class, answer);
            assertEquals(row != null, applied.existed());
            long last = lastVersions.getOrDefault(key, 0L);
            assertTrue(applied.version() > last, "versions of a key rise, also across deletes");
            lastVersions.put(key, applied.version());
            twin.put(key, new Row(applied.version(), "v" + i));
          } else {
            assertEquals(new Answer.Conflict(row == null ? 0 : row.version()), answer);
          }
        }
      }
      assertEquals(twin.size(), node.core.keys());
    }
  }

  private static void checkPage(
      Lone node, TreeMap<Key, Row> twin, String prefix, @Nullable Key after, int limit) {
    List<Key> expected = new ArrayList<>();
    for (Key key : twin.keySet()) {
      if (key.toString().startsWith(prefix) && (after == null || key.compareTo(after) > 0)) {
        expected.add(key);
      }
    }
    Answer.Page page =
        assertInstanceOf(
            Answer.Page.class, node.ask(new Event.Scan(1, bytes(prefix), after, limit)));
    List<Key> shown = page.rows().stream().map(Answer.Row::key).toList();
    assertEquals(expected.subList(0, Math.min(limit, expected.size())), shown);
    assertEquals(expected.size() > limit ? shown.getLast() : null, page.next());
  }

  @Test
  void aRetryGetsTheVersionItsOperationCreatedAsLongAsTheKeyRemembers() {
    Lone node = new Lone();
    Mutation first = new Mutation(new OpId(1, 1), new Precondition.Always(), bytes("x"), 0);
    Answer applied = node.write("k", first);
    for (int i = 1; i < Versioned.WINDOW; i++) {
      node.write("k", bytes("y" + i), new Precondition.Always());
      assertEquals(applied, node.write("k", first));
    }
    node.write("k", bytes("z"), new Precondition.Always());
    assertInstanceOf(Answer.Forgotten.class, node.write("k", first));
    Answer.Found found =
        assertInstanceOf(Answer.Found.class, node.ask(new Event.Read(1, Key.of("k"))));
    assertArrayEquals(bytes("z"), found.body());
  }

  @Test
  void refusesNewValuesButNotDeletesWithoutRoom() {
    Lone node = new Lone();
    node.write("k", bytes("x"), new Precondition.Always());
    node.carryOut(node.core.step(node.now, new Event.Room(true)));
    assertEquals(new Answer.NoRoom(), node.write("k", bytes("y"), new Precondition.Always()));
    assertInstanceOf(Answer.Applied.class, node.write("k", null, new Precondition.Always()));
  }

  @Test
  void saysNotAppliedInTimeWhenTheOthersNeverAnswer() {
    List<String> ids = List.of("a", "b", "c");
    Acceptor acceptor = new Acceptor("a");
    long next = Records.replay(Formed.log(ids, "a"), 1, acceptor.replay());
    NodeCore core =
        new NodeCore("a", Layout.of(ids), acceptor, next, Timing.local(), new SplittableRandom(1));
    core.start(0);
    core.step(0, new Event.Received("b", 1, Formed.pong(core)));
    Key own = Formed.keyOf("a", ids);
    Mutation put = new Mutation(new OpId(1, 1), new Precondition.Always(), bytes("x"), -1);
    core.step(0, new Event.Write(5, own, put));
    List<Effect> effects = new ArrayList<>();
    for (long now = 0; now <= 2_000_000_000L; now += 10_000_000) {
      effects.addAll(core.step(now, new Event.Tick()));
    }
    List<Answer> answers = new ArrayList<>();
    for (Effect effect : effects) {
      if (effect instanceof Effect.Respond(_, var answer)) {
        answers.add(answer);
      }
    }
    assertEquals(1, answers.size());
    assertInstanceOf(Answer.NotApplied.class, answers.getFirst());
  }

  @Test
  void keysOfOneConversationAreCoordinatedInTheSameOrder() {
    Layout layout = Layout.of(List.of("kv-1", "kv-2", "kv-3"));
    int[] first = new int[3];
    for (int i = 0; i < 3000; i++) {
      List<String> order = layout.placement(Key.of("conversations/{c" + i + "}"));
      assertEquals(order, layout.placement(Key.of("conversations/{c" + i + "}/m/0000000001")));
      assertEquals(3, order.stream().distinct().count());
      first[layout.ids().indexOf(order.getFirst())]++;
    }
    for (int share : first) {
      assertTrue(share > 850 && share < 1150, "uneven: " + share);
    }
  }

  private record Sent(String from, String to, Message message) {}

  /// Two new nodes that reach each other, after they have met.
  private static Map<String, NodeCore> met(Layout ofA, Layout ofB) {
    Map<String, NodeCore> cores = new TreeMap<>();
    ArrayDeque<Sent> network = new ArrayDeque<>();
    Map<String, Layout> layouts = Map.of("a", ofA, "b", ofB);
    for (String id : List.of("a", "b")) {
      NodeCore core =
          new NodeCore(
              id,
              layouts.getOrDefault(id, ofA),
              new Acceptor(id),
              1,
              Timing.local(),
              new SplittableRandom(id.hashCode()));
      cores.put(id, core);
      carryOut(core, id, core.start(0), network);
    }
    for (long millis = 1; millis < 3000; millis++) {
      for (var node : cores.entrySet()) {
        List<Effect> effects = node.getValue().step(millis * 1_000_000, new Event.Tick());
        carryOut(node.getValue(), node.getKey(), effects, network);
      }
      for (Sent sent = network.poll(); sent != null; sent = network.poll()) {
        NodeCore to = cores.get(sent.to());
        if (to != null) {
          Event received = new Event.Received(sent.from(), 1, sent.message());
          carryOut(to, sent.to(), to.step(millis * 1_000_000, received), network);
        }
      }
    }
    return cores;
  }

  private static void carryOut(
      NodeCore core, String id, List<Effect> first, ArrayDeque<Sent> network) {
    ArrayDeque<Effect> effects = new ArrayDeque<>(first);
    while (!effects.isEmpty()) {
      switch (effects.remove()) {
        case Effect.Append(var lsn, _) -> effects.addAll(core.step(0, new Event.Durable(lsn)));
        case Effect.Send(var to, var message) -> network.add(new Sent(id, to, message));
        default -> {}
      }
    }
  }

  private static Layout layout(Layout.Group... groups) {
    return Layout.initial(
        List.of(
            new Layout.Member("a", "http://a", 100, null, "default"),
            new Layout.Member("b", "http://b", 100, null, "default")),
        List.of(groups));
  }

  @Test
  void aNewClusterSaysWhichNodeWasConfiguredOtherwise() {
    Layout.Group all = new Layout.Group("default", List.of());
    Layout.Group others = new Layout.Group("default", List.of("x"));
    for (NodeCore core : met(layout(all), layout(all)).values()) {
      assertEquals(Optional.empty(), core.waitsFor());
    }
    Map<String, NodeCore> unlike = met(layout(all), layout(others));
    String problem = "configured with other members or groups than this node: ";
    assertEquals(Optional.of(problem + "[b]"), Objects.requireNonNull(unlike.get("a")).waitsFor());
    assertEquals(Optional.of(problem + "[a]"), Objects.requireNonNull(unlike.get("b")).waitsFor());
  }
}
