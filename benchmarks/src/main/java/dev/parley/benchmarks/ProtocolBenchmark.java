package dev.parley.benchmarks;

import dev.parley.kv.core.Acceptor;
import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Effect;
import dev.parley.kv.core.Event;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Layout;
import dev.parley.kv.core.Message;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.NodeCore;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.core.Timing;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/// The processor time of one write and one read on three nodes together, with a network and disks
/// that cost nothing: what the protocol itself costs.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class ProtocolBenchmark {

  private static final List<String> IDS = List.of("kv-1", "kv-2", "kv-3");

  private record Delivery(String from, String to, Message message) {}

  /// How many keys the nodes hold.
  @Param({"10000", "1000000"})
  int keys;

  private final Map<String, NodeCore> nodes = new TreeMap<>();
  private final ArrayDeque<Delivery> network = new ArrayDeque<>();
  private final SplittableRandom random = new SplittableRandom(1);
  private final byte[] body = new byte[100];
  private long operation;
  private @Nullable Answer answer;

  @Setup
  public void fill() {
    for (String id : IDS) {
      NodeCore node =
          new NodeCore(id, Layout.of(IDS), new Acceptor(id), 1, Timing.local(), random.split());
      nodes.put(id, node);
      carryOut(id, node.start(System.nanoTime()));
    }
    run();
    for (int i = 0; i < keys; i++) {
      write(i);
    }
  }

  @Benchmark
  public Answer write() {
    return write(random.nextInt(keys));
  }

  @Benchmark
  public Answer read() {
    return ask("kv-1", new Event.Read(0, key(random.nextInt(keys))));
  }

  private Answer write(int key) {
    OpId op = new OpId(0, ++operation);
    Mutation mutation = new Mutation(op, new Precondition.Always(), body, Mutation.NO_BASE);
    return ask("kv-1", new Event.Write(0, key(key), mutation));
  }

  private static Key key(int number) {
    return Key.of("benchmark/" + number);
  }

  private Answer ask(String node, Event event) {
    answer = null;
    step(node, event);
    run();
    Answer got = answer;
    if (got == null || got instanceof Answer.Unavailable || got instanceof Answer.NotApplied) {
      throw new IllegalStateException("no proper answer: " + got);
    }
    return got;
  }

  private void run() {
    for (Delivery next = network.poll(); next != null; next = network.poll()) {
      long boot = node(next.from).boot();
      step(next.to, new Event.Received(next.from, boot, next.message));
    }
  }

  private NodeCore node(String id) {
    NodeCore node = nodes.get(id);
    if (node == null) {
      throw new IllegalStateException("no node " + id);
    }
    return node;
  }

  private void step(String id, Event event) {
    carryOut(id, node(id).step(System.nanoTime(), event));
  }

  private void carryOut(String id, List<Effect> effects) {
    long durable = 0;
    for (Effect effect : effects) {
      switch (effect) {
        case Effect.Send(var to, var message) -> network.add(new Delivery(id, to, message));
        case Effect.Append(var lsn, var _) -> durable = lsn;
        case Effect.Respond(var _, var given) -> answer = given;
        case Effect.DropBelow _, Effect.LayoutChanged _ -> {}
        case Effect.Halt(var reason) -> throw new IllegalStateException(reason);
      }
    }
    if (durable > 0) {
      step(id, new Event.Durable(durable));
    }
  }
}
