package dev.parley.system.kv;

import dev.parley.kv.history.Linearizability;
import dev.parley.kv.history.Operation;
import dev.parley.kv.history.Operation.Condition;
import dev.parley.kv.history.Operation.Outcome;
import dev.parley.kv.history.Verdict;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Clients that read, put, compare-and-set, delete and list a few fought-over keys at any node,
/// those that come, leave and have just left included, and write many keys once each, while
/// somebody else breaks the cluster; and the judgement of what they were told.
final class Workload implements AutoCloseable {

  private static final int CLIENTS = 8;
  private static final int HOT_KEYS = 4;
  private static final int ATTEMPTS = 4;

  /// Writes that every connected node must acknowledge before progress is believed.
  private static final int PROGRESS = 3;

  /// Between two operations of a client, so that the machine is not the bottleneck.
  private static final long MAX_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private static final Condition ALWAYS = new Condition.Always();

  private final KvCluster cluster;
  private final String prefix;
  private final History history = new History();
  private final List<String> hotKeys = new ArrayList<>();
  private final Set<String> onceKeys = java.util.Collections.synchronizedSet(new TreeSet<>());
  private final List<Thread> threads = new ArrayList<>();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
  private volatile boolean stopping;

  private Workload(KvCluster cluster, String name, long seed) {
    this.cluster = cluster;
    this.prefix = "chaos/" + name + "/";
    for (int i = 0; i < HOT_KEYS; i++) {
      hotKeys.add(prefix + "hot/" + i);
    }
    SplittableRandom random = new SplittableRandom(seed);
    for (int number = 1; number <= CLIENTS; number++) {
      int client = number;
      SplittableRandom own = random.split();
      threads.add(Thread.ofVirtual().name("client-" + client).unstarted(() -> run(client, own)));
    }
  }

  /// Begins the work.
  ///
  /// @param name of the part of the keyspace that is used, and used by no other workload
  static Workload start(KvCluster cluster, String name, long seed) {
    Workload workload = new Workload(cluster, name, seed);
    workload.threads.forEach(Thread::start);
    return workload;
  }

  /// Waits until each of these nodes has acknowledged writes that began after this call: what
  /// nodes that are connected with a majority owe.
  void awaitProgress(Collection<Integer> connected) {
    history.countFromNow();
    KvCluster.await(
        "writes are acknowledged by each of the nodes " + connected,
        () -> {
          rethrow();
          return connected.stream().allMatch(node -> history.acknowledgedBy(node) >= PROGRESS);
        });
  }

  /// Lets time pass, for a fault to do its worst.
  void go(long millis) {
    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis));
    rethrow();
  }

  /// Writes a value at a node, once, without a retry.
  Outcome putAt(int node, String key, String value) {
    return new KvClient(cluster, history, 1000 + node, () -> node)
        .put(prefix + key, value, ALWAYS, 1);
  }

  Outcome readAt(int node, String key) {
    return new KvClient(cluster, history, 1000 + node, () -> node).read(prefix + key, 1);
  }

  Outcome deleteAt(int node, String key) {
    return new KvClient(cluster, history, 1000 + node, () -> node).delete(prefix + key, ALWAYS, 1);
  }

  /// Ends the work, reads every key at every node, and judges the whole history.
  ///
  /// @throws AssertionError if it is not linearizable, which includes every acknowledged write that
  ///     is not there at the end
  Verdict.Linearizable judge() {
    stopClients();
    rethrow();
    List<String> keys = new ArrayList<>(onceKeys);
    for (int node : cluster.nodes()) {
      KvClient reader = new KvClient(cluster, history, 2000 + node, () -> node);
      for (String key : hotKeys) {
        KvCluster.await(
            "kv-" + node + " reads " + key,
            () -> !(reader.read(key, 1) instanceof Outcome.Unknown));
      }
      KvCluster.await(
          "kv-" + node + " lists all keys",
          () -> reader.list(node, prefix + "once/", keys) != null);
    }
    List<Operation> operations = history.operations();
    Verdict verdict = Linearizability.check(operations);
    System.out.println(summary(operations, verdict));
    if (verdict instanceof Verdict.Linearizable linearizable) {
      return linearizable;
    }
    throw new AssertionError(verdict.toString());
  }

  @Override
  public void close() {
    stopClients();
  }

  private void stopClients() {
    stopping = true;
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  private void rethrow() {
    Throwable failed = failure.get();
    if (failed != null) {
      throw new AssertionError("a client failed", failed);
    }
  }

  private String summary(List<Operation> operations, Verdict verdict) {
    long applied = 0;
    long unknown = 0;
    long refused = 0;
    for (Operation operation : operations) {
      applied += operation.outcome() instanceof Outcome.Applied ? 1 : 0;
      unknown += operation.outcome() instanceof Outcome.Unknown ? 1 : 0;
      refused += operation.outcome() instanceof Outcome.NotApplied ? 1 : 0;
    }
    return "%s %d operations, %d of them writes that were applied, %d of unknown outcome, %d not applied: %s"
        .formatted(
            prefix,
            operations.size(),
            applied,
            unknown,
            refused,
            verdict instanceof Verdict.Linearizable ? "linearizable" : "NOT LINEARIZABLE");
  }

  // A client.

  /// One of the nodes that clients know of now.
  private int any(SplittableRandom random) {
    List<Integer> nodes = cluster.asked();
    return nodes.get(random.nextInt(nodes.size()));
  }

  private void run(int number, SplittableRandom random) {
    KvClient client = new KvClient(cluster, history, number, () -> any(random));
    Map<String, Long> seen = new HashMap<>();
    try {
      for (int count = 0; !stopping; count++) {
        String key = hotKeys.get(random.nextInt(hotKeys.size()));
        String value = number + "." + count;
        Condition atSeen = new Condition.At(seen.getOrDefault(key, 1L));
        Outcome outcome =
            switch ((Integer) random.nextInt(100)) {
              case Integer dice when dice < 35 -> client.read(key, ATTEMPTS);
              case Integer dice when dice < 58 -> client.put(key, value, ALWAYS, ATTEMPTS);
              case Integer dice when dice < 70 -> client.put(key, value, atSeen, ATTEMPTS);
              case Integer dice when dice < 76 ->
                  client.put(key, value, new Condition.Absent(), ATTEMPTS);
              case Integer dice when dice < 80 ->
                  client.put(key, value, new Condition.Present(), ATTEMPTS);
              case Integer dice when dice < 84 -> client.delete(key, ALWAYS, ATTEMPTS);
              case Integer dice when dice < 87 -> client.delete(key, atSeen, ATTEMPTS);
              case Integer dice when dice < 91 -> {
                client.list(any(random), prefix + "hot/", hotKeys);
                yield new Outcome.Unknown();
              }
              default -> {
                String once = prefix + "once/" + number + "-" + count;
                onceKeys.add(once);
                client.put(once, value, new Condition.Absent(), ATTEMPTS);
                yield new Outcome.Unknown();
              }
            };
        switch (outcome) {
          case Outcome.Found(var version, _) -> seen.put(key, version);
          case Outcome.Applied(var version, _) -> seen.put(key, version);
          case Outcome.Conflict(var version) when version > 0 -> seen.put(key, version);
          default -> {}
        }
        LockSupport.parkNanos(random.nextLong(MAX_PAUSE_NANOS));
      }
    } catch (RuntimeException | Error e) {
      failure.compareAndSet(null, e);
    }
  }
}
