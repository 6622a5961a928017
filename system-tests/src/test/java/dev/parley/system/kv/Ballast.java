package dev.parley.system.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.parley.kv.history.Operation.Condition;
import dev.parley.kv.history.Operation.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// Many keys that are written once, before anything befalls the cluster: they give every change of
/// its members something to move, and all must be where they were at the end.
final class Ballast {

  /// So many that moving them takes a second or more, so that it can be disturbed.
  private static final int KEYS = 2000;

  private static final String PREFIX = "ballast/";
  private static final int WRITERS = 32;

  private final KvCluster cluster;
  private final Map<String, String> values = new TreeMap<>();

  private Ballast(KvCluster cluster) {
    this.cluster = cluster;
    for (int i = 0; i < KEYS; i++) {
      values.put(PREFIX + i, "value of " + i);
    }
  }

  /// Writes all of it.
  static Ballast load(KvCluster cluster) {
    Ballast ballast = new Ballast(cluster);
    try (ExecutorService writers = Executors.newFixedThreadPool(WRITERS)) {
      List<Future<?>> writes = new ArrayList<>();
      ballast.values.forEach(
          (key, value) -> writes.add(writers.submit(() -> ballast.put(key, value))));
      for (Future<?> write : writes) {
        write.get();
      }
      return ballast;
    } catch (ExecutionException e) {
      throw new AssertionError("the ballast cannot be written", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  private void put(String key, String value) {
    int node = Nemesis.oneOf(cluster.nodes(), new java.util.SplittableRandom(key.hashCode()));
    KvClient client = new KvClient(cluster, new History(), 0, () -> node);
    KvCluster.await(
        key + " is written",
        () -> client.put(key, value, new Condition.Always(), 1) instanceof Outcome.Applied);
  }

  /// Lists it at every member.
  void assertComplete() {
    for (int node : cluster.nodes()) {
      KvClient reader = new KvClient(cluster, new History(), 0, () -> node);
      Map<String, String> found = new TreeMap<>();
      KvCluster.await(
          "kv-" + node + " lists the ballast",
          () -> {
            Map<String, Outcome> rows = reader.list(node, PREFIX, List.of());
            if (rows == null) {
              return false;
            }
            rows.forEach((key, row) -> found.put(key, ((Outcome.Found) row).value()));
            return true;
          });
      assertEquals(values, found, "at kv-" + node);
    }
  }
}
