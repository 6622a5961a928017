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
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
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
  private void start(int patienceMillis) throws Exception {
    Settings settings =
        SettingsTest.settings(
            "parley.data-dir", directory.toString(), "parley.peers", "kv-1=http://127.0.0.1:1");
    host =
        new NodeHost(
            vertx,
            settings,
            new SimpleMeterRegistry(),
            patienceMillis,
            files -> disk = new TestDisk((FileSegments) files));
    host().start(new StartupEvent());
    while (!(get(write(1)) instanceof Answer.Applied)) {
      Thread.onSpinWait();
    }
  }

  private CompletableFuture<Answer> write(int bytes) {
    CompletableFuture<Answer> answer = new CompletableFuture<>();
    operations++;
    host()
        .write(
            Key.of("demo/" + operations),
            new Mutation(
                new OpId(operations, 1),
                new Precondition.Always(),
                new byte[bytes],
                Mutation.ON_RECEIPT),
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
}
