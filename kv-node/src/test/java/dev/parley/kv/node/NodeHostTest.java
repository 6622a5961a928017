package dev.parley.kv.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.node.disk.FileSegments;
import dev.parley.kv.node.disk.TestDisk;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class NodeHostTest {

  private static final int MEBIBYTE = 1 << 20;
  private static final int AN_HOUR_MILLIS = 3_600_000;

  @TempDir private Path directory;

  private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
  private final MeterRegistry meters = new SimpleMeterRegistry();
  private @Nullable TestDisk disk;
  private @Nullable NodeHost host;
  private long operations;

  @AfterEach
  void stop() throws Exception {
    disk().forces().release(1_000_000);
    host().stop(new ShutdownEvent());
    vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  private TestDisk disk() {
    return Objects.requireNonNull(disk);
  }

  private NodeHost host() {
    return Objects.requireNonNull(host);
  }

  /// A node that is a cluster of its own, and has written once.
  private void start(int patienceMillis, String... more) throws Exception {
    List<String> values = new ArrayList<>(List.of(more));
    values.addAll(
        List.of(
            "parley.data-dir", directory.toString(), "parley.peers", "kv-1=http://127.0.0.1:1"));
    Settings settings = SettingsTest.settings(values.toArray(String[]::new));
    host =
        new NodeHost(
            vertx,
            settings,
            meters,
            patienceMillis,
            files -> disk = new TestDisk((FileSegments) files));
    host().start(new StartupEvent());
    while (!(get(write(1)) instanceof Answer.Applied)) {
      Thread.onSpinWait();
    }
  }

  private CompletableFuture<Answer> write(int bytes) {
    return write("demo/" + operations, new byte[bytes], 0);
  }

  private CompletableFuture<Answer> write(String key, byte @Nullable [] body, long expiresAt) {
    CompletableFuture<Answer> answer = new CompletableFuture<>();
    operations++;
    host()
        .write(
            Key.of(key),
            new Mutation(
                new OpId(operations, 1),
                new Precondition.Always(),
                body,
                Mutation.ON_RECEIPT,
                expiresAt),
            answer::complete);
    return answer;
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(30, TimeUnit.SECONDS);
  }

  private <T> T onLoop(Callable<T> action) throws Exception {
    CompletableFuture<T> done = new CompletableFuture<>();
    vertx.runOnContext(
        _ -> {
          try {
            done.complete(action.call());
          } catch (Throwable e) {
            done.completeExceptionally(e);
          }
        });
    return get(done);
  }

  /// From now on nothing reaches the disk, and as much waits for it as may.
  private void stall() throws Exception {
    disk().forces().drainPermits();
    var _ = write(1);
    while (!disk().forces().hasQueuedThreads()) {
      Thread.onSpinWait();
    }
    onLoop(
        () -> {
          while (!host().logBehind()) {
            var _ = write(MEBIBYTE);
          }
          return null;
        });
  }

  private static List<CompletableFuture<Answer>> those(
      List<CompletableFuture<Answer>> answers, Predicate<CompletableFuture<Answer>> which) {
    return answers.stream().filter(which).toList();
  }

  @Test
  void whatLostItsPatienceWithTheDiskTakesNoRoomAnyMore() throws Exception {
    start(1);
    stall();
    for (int round = 0; round < 40; round++) {
      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      onLoop(
          () -> {
            for (int i = 0; i < 40; i++) {
              answers.add(write(1000));
            }
            assertEquals(40, host().waiting());
            return null;
          });
      for (CompletableFuture<Answer> answer : answers) {
        assertEquals(new Answer.NotApplied("the disk is behind"), get(answer));
      }
      assertEquals(0, onLoop(() -> host().waiting()));
    }
  }

  @Test
  void noMoreThanItHasRoomForWaitsForTheDisk() throws Exception {
    start(AN_HOUR_MILLIS);
    stall();
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    onLoop(
        () -> {
          for (int i = 0; i < 30; i++) {
            answers.add(write(MEBIBYTE));
          }
          return null;
        });
    List<CompletableFuture<Answer>> refused = those(answers, CompletableFuture::isDone);
    assertEquals(6, refused.size());
    for (CompletableFuture<Answer> answer : refused) {
      assertEquals(new Answer.NotApplied("the disk is behind"), get(answer));
    }
    disk().forces().release(1_000_000);
    for (CompletableFuture<Answer> answer : those(answers, each -> !refused.contains(each))) {
      assertInstanceOf(Answer.Applied.class, get(answer));
    }
    assertTrue(get(write(MEBIBYTE)) instanceof Answer.Applied, "the room is free again");
  }

  private Map<String, Double> values() {
    Map<String, Double> values = new TreeMap<>();
    for (Meter meter : meters.getMeters()) {
      String name = meter.getId().getName().replace("parley.kv.", "");
      if (meter instanceof FunctionCounter counter) {
        values.put(name, counter.count());
      } else if (meter instanceof Gauge gauge) {
        values.put(name, gauge.value());
      }
    }
    return values;
  }

  private double value(String name) {
    return values().getOrDefault(name, Double.NaN);
  }

  private void await(String name, double value) {
    while (value(name) != value) {
      Thread.onSpinWait();
    }
  }

  @Test
  void eachMetricShowsWhatItsNameSays() throws Exception {
    start(AN_HOUR_MILLIS);
    new Checks(host(), meters).register(new StartupEvent());
    await("keys", 1);
    await("log.backlog.bytes", 0);
    Map<String, Double> quiet = values();
    assertEquals(0, quiet.get("tombstones"));
    assertEquals(0, quiet.get("full"));
    assertEquals(-1, quiet.get("partitions.behind"));
    assertEquals(1, quiet.get("members.reachable"));
    assertEquals(16 << 20, quiet.get("log.bytes"));
    assertTrue(value("disk.free.bytes") > 16 << 20);

    get(write("demo/k", new byte[100_000], 0));
    await("keys", 2);
    Map<String, Double> written = values();
    assertEquals(Set.of("rounds", "keys", "live.bytes"), changed(quiet, written));
    assertTrue(value("live.bytes") > 100_000 && value("live.bytes") < 200_000);

    get(write("demo/k", new byte[100_000], 0));
    await("rounds.warm", 1);
    Map<String, Double> again = values();
    assertEquals(Set.of("rounds", "rounds.warm", "live.bytes"), changed(written, again));

    get(write("demo/k", null, 0));
    await("tombstones", 1);
    Map<String, Double> deleted = values();
    assertEquals(
        Set.of("rounds", "rounds.warm", "keys", "live.bytes", "tombstones"),
        changed(again, deleted));

    get(write("demo/k", new byte[1], 1));
    await("expirations", 1);
    await("tombstones", 1);
    Map<String, Double> expired = values();
    assertEquals(
        Set.of("rounds", "rounds.warm", "live.bytes", "expirations"), changed(deleted, expired));

    await("purges", 1);
    await("tombstones", 0);
    assertEquals(
        Set.of("rounds", "rounds.warm", "purges", "tombstones", "live.bytes"),
        changed(expired, values()));

    stall();
    while (value("log.backlog.bytes") < 4 << 20) {
      Thread.onSpinWait();
    }
    assertEquals(0, value("full"));
  }

  /// What is not the same any more, but for what moves by itself.
  private static Set<String> changed(Map<String, Double> before, Map<String, Double> after) {
    Set<String> changed = new TreeSet<>(after.keySet());
    changed.removeIf(name -> Objects.equals(after.get(name), before.get(name)));
    changed.removeAll(Set.of("disk.free.bytes", "log.backlog.bytes"));
    return changed;
  }

  @Test
  void aNodeWithMoreThanItMayHoldIsFull() throws Exception {
    start(AN_HOUR_MILLIS, "parley.max-live-bytes", "1000");
    new Checks(host(), meters).register(new StartupEvent());
    get(write(2000));
    await("full", 1);
    assertEquals(new Answer.NoRoom(), get(write(1)));
  }
}
