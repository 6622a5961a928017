package dev.parley.kv.core;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// Nodes on a network and disks without faults, in virtual time: for tests of what happens when
/// nothing goes wrong, or when one certain thing does.
final class QuietCluster {

  private static final long MILLI = 1_000_000;

  private record Delivery(String from, long boot, String to, Message message) {}

  /// A node and its disk.
  static final class Node {
    final String id;
    List<LogRecord> disk = new ArrayList<>();
    @Nullable NodeCore core;
    @Nullable String halted;

    Node(String id) {
      this.id = id;
    }

    NodeCore core() {
      NodeCore running = core;
      if (running == null) {
        throw new IllegalStateException(id + " is down");
      }
      return running;
    }
  }

  final TreeMap<String, Node> nodes = new TreeMap<>();
  final List<Message> carried = new ArrayList<>();
  final List<Answer> answers = new ArrayList<>();
  private final ArrayDeque<Delivery> network = new ArrayDeque<>();
  private final TreeSet<String> unreachable = new TreeSet<>();
  private final ArrayDeque<Delivery> kept = new ArrayDeque<>();
  private Predicate<Message> delayed = _ -> false;
  private final SplittableRandom random = new SplittableRandom(1);
  private final Layout layout;
  private long now;
  private long ops;

  QuietCluster(Layout layout) {
    this.layout = layout;
    layout.ids().forEach(id -> nodes.put(id, new Node(id)));
  }

  Node node(String id) {
    Node node = nodes.get(id);
    if (node == null) {
      throw new IllegalArgumentException("no node " + id);
    }
    return node;
  }

  void startAll() {
    nodes.keySet().forEach(this::start);
    pass(1000);
  }

  void start(String id) {
    start(id, layout);
  }

  /// Starts a node that is told of these members.
  void start(String id, Layout configured) {
    Node node = node(id);
    Acceptor acceptor = new Acceptor(id);
    long next = Records.replay(node.disk, 1, acceptor.replay());
    NodeCore core = new NodeCore(id, configured, acceptor, next, Timing.local(), random.split());
    node.core = core;
    carryOut(node, core.start(now));
  }

  /// Ends a node; all it appended is on its disk.
  void stop(String id) {
    node(id).core = null;
  }

  /// Lets no message to or from the node through.
  void isolate(String id) {
    unreachable.add(id);
  }

  void heal() {
    unreachable.clear();
  }

  /// Keeps such messages on the way until [#release].
  void delay(Predicate<Message> which) {
    delayed = which;
  }

  /// Delivers what was kept, and keeps nothing more.
  void release() {
    delayed = _ -> false;
    network.addAll(kept);
    kept.clear();
    deliver();
  }

  /// Nanoseconds of virtual time.
  long now() {
    return now;
  }

  /// Lets so many milliseconds pass.
  void pass(long millis) {
    for (long i = 0; i < millis; i++) {
      deliver();
      now += MILLI;
      for (Node node : nodes.values()) {
        if (node.core != null) {
          carryOut(node, node.core().step(now, new Event.Tick()));
        }
      }
    }
    deliver();
  }

  /// Asks a node and waits for its answer.
  Answer ask(String id, Event event) {
    answers.clear();
    Node node = node(id);
    carryOut(node, node.core().step(now, event));
    deliver();
    for (int i = 0; answers.isEmpty() && i < 5000; i++) {
      pass(1);
    }
    return answers.getFirst();
  }

  Answer put(String id, String key, String value) {
    return write(id, key, new Precondition.Always(), value, 0);
  }

  Answer write(
      String id, String key, Precondition condition, @Nullable String value, long expiresAtMillis) {
    byte[] body = value == null ? null : value.getBytes(StandardCharsets.UTF_8);
    Mutation mutation =
        new Mutation(new OpId(8, ops++), condition, body, Mutation.NO_BASE, expiresAtMillis);
    return ask(id, new Event.Write(1, Key.of(key), mutation));
  }

  /// The value of a key as text, null if it has none.
  @Nullable String get(String id, String key) {
    return switch (ask(id, new Event.Read(1, Key.of(key)))) {
      case Answer.Found found -> new String(found.body(), StandardCharsets.UTF_8);
      case Answer.Absent() -> null;
      case Answer other -> throw new AssertionError(other.toString());
    };
  }

  void tell(String id, Event event) {
    Node node = node(id);
    carryOut(node, node.core().step(now, event));
    deliver();
  }

  private void deliver() {
    for (Delivery next = network.poll(); next != null; next = network.poll()) {
      Node to = nodes.get(next.to());
      if (to == null
          || to.core == null
          || unreachable.contains(next.from())
          || unreachable.contains(next.to())) {
        continue;
      }
      if (delayed.test(next.message())) {
        kept.add(next);
        continue;
      }
      carried.add(next.message());
      carryOut(
          to, to.core().step(now, new Event.Received(next.from(), next.boot(), next.message())));
    }
  }

  private void carryOut(Node node, List<Effect> first) {
    ArrayDeque<Effect> effects = new ArrayDeque<>(first);
    while (!effects.isEmpty()) {
      switch (effects.remove()) {
        case Effect.Append(var lsn, var record) -> {
          node.disk.add(record);
          effects.addAll(node.core().step(now, new Event.Durable(lsn)));
        }
        case Effect.Send(var to, var message) ->
            network.add(new Delivery(node.id, node.core().boot(), to, message));
        case Effect.Respond(_, var answer) -> answers.add(answer);
        case Effect.DropBelow _, Effect.LayoutChanged _ -> {}
        case Effect.Halt(var reason) -> {
          node.halted = reason;
          node.core = null;
          return;
        }
      }
    }
  }
}
