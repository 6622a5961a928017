package dev.parley.kv.node.http;

import dev.parley.kv.client.BackupFile;
import dev.parley.kv.client.DamagedBackupException;
import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.node.Keys;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import io.quarkus.runtime.StartupEvent;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.file.AsyncFile;
import io.vertx.core.file.OpenOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// `POST /v1/restore`: brings a backup into an empty cluster.
///
/// The backup is first written to a file in the data directory and checked from its first line to
/// its last; only then is the first key written. Empty means that no key has a value. Deleted keys
/// do not count: each key is restored on condition that it is absent, and at a version above both
/// the backup's highest and whatever the key had before, so that nothing of an earlier life can be
/// mistaken for it.
@ApplicationScoped
class RestoreRoute {

  private static final Logger LOG = Logger.getLogger(RestoreRoute.class);

  private static final String SPOOL = "restore.spool";

  /// Keys being written at a time.
  private static final int MAX_ASKED = 64;

  /// A key is tried again for this long while nodes are away.
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final int RETRY_MILLIS = 250;

  private static final int TELL_MILLIS = 1000;

  private static final byte[] ALL = {};

  private static final SecureRandom RANDOM = new SecureRandom();

  private final Vertx vertx;
  private final Settings settings;
  private final NodeHost host;
  private final AtomicBoolean busy = new AtomicBoolean();

  RestoreRoute(Vertx vertx, Settings settings, NodeHost host) {
    this.vertx = vertx;
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    router.post("/v1/restore").order(-10).handler(KvRoutes.guarded(this::post));
    router.route("/v1/restore").order(-10).handler(KvRoutes.only("POST"));
  }

  /// A node that was killed in the middle of a restore left its file behind.
  void start(@Observes StartupEvent event) throws IOException {
    Files.deleteIfExists(spool());
  }

  private Path spool() {
    return settings.dataDir().resolve(SPOOL);
  }

  private void post(RoutingContext context) {
    Requests.requireToken(context, settings, "a restore, which reaches protected keyspaces,");
    Requests.parameters(context.request(), Set.of());
    if (!busy.compareAndSet(false, true)) {
      refuse(context, Problem.BUSY, "another restore is under way at this node");
      return;
    }
    Attempt attempt = new Attempt(context);
    attempt.ifEmpty(attempt::spoolBody);
  }

  /// Refuses without reading the body, which may be long.
  private static void refuse(RoutingContext context, Problem problem, String detail) {
    context.response().putHeader("Connection", "close");
    problem.answer(context, detail);
    context.request().resume();
  }

  /// One restore. Until its thread is started it runs on the request's event loop.
  private final class Attempt {
    private final RoutingContext context;
    private final HttpServerRequest request;
    private final HttpServerResponse response;
    private final Context loop = vertx.getOrCreateContext();
    private final AtomicBoolean over = new AtomicBoolean();

    Attempt(RoutingContext context) {
      this.context = context;
      this.request = context.request();
      this.response = context.response();
      // The handler only matters until the body is there: from then on the restore goes on, whether
      // or not anybody watches.
      request.exceptionHandler(_ -> finish());
    }

    /// Lets the next restore in; whatever this one left on disk is deleted.
    private void finish() {
      if (over.compareAndSet(false, true)) {
        var _ =
            vertx
                .executeBlocking(() -> Files.deleteIfExists(spool()), false)
                .onComplete(_ -> busy.set(false));
      }
    }

    private void refused(Problem problem, String detail) {
      refuse(context, problem, detail);
      finish();
    }

    /// Goes on if no key has a value.
    void ifEmpty(Runnable then) {
      host.scan(
          ALL,
          null,
          1,
          answer ->
              loop.runOnContext(
                  _ -> {
                    if (over.get()) {
                      return;
                    }
                    if (!(answer instanceof Answer.Page page)) {
                      refused(KvRoutes.problem(answer), KvRoutes.reason(answer));
                    } else if (!page.rows().isEmpty()) {
                      refused(
                          Problem.NOT_EMPTY,
                          "a backup is restored into an empty cluster only, and this one has keys");
                    } else {
                      then.run();
                    }
                  }));
    }

    void spoolBody() {
      vertx
          .executeBlocking(
              () -> {
                Files.deleteIfExists(spool());
                return Files.getFileStore(settings.dataDir()).getUsableSpace();
              },
              false)
          .onFailure(_ -> refused(Problem.NO_ROOM, "the data directory cannot be written"))
          .onSuccess(
              free ->
                  vertx
                      .fileSystem()
                      .open(
                          spool().toString(),
                          new OpenOptions().setCreateNew(true).setPerms("rw-------"))
                      .onFailure(_ -> refused(Problem.NO_ROOM, "no file can be created"))
                      .onSuccess(file -> receive(file, free - settings.minFreeBytes())));
    }

    private void receive(AsyncFile file, long room) {
      long[] received = {0};
      if ("100-continue".equalsIgnoreCase(request.getHeader("Expect"))) {
        response.writeContinue();
      }
      request.exceptionHandler(_ -> file.close().onComplete(_ -> finish()));
      file.exceptionHandler(
          e -> {
            LOG.errorf("the backup cannot be kept: %s", e.getMessage());
            var _ =
                file.close().onComplete(_ -> refused(Problem.NO_ROOM, "the backup cannot be kept"));
          });
      request.handler(
          chunk -> {
            received[0] += chunk.length();
            if (over.get()) {
              return;
            }
            if (received[0] > room) {
              request.handler(_ -> {});
              request.endHandler(_ -> {});
              var _ =
                  file.close()
                      .onComplete(
                          _ ->
                              refused(
                                  Problem.NO_ROOM,
                                  "the backup is larger than the room on the disk"));
              return;
            }
            var _ = file.write(chunk);
            if (file.writeQueueFull()) {
              request.pause();
              file.drainHandler(_ -> request.resume());
            }
          });
      request.endHandler(_ -> file.close().onComplete(_ -> verify()));
      request.resume();
    }

    private void verify() {
      if (over.get()) {
        return;
      }
      request.exceptionHandler(_ -> {});
      vertx
          .executeBlocking(() -> read(_ -> {}), false)
          .onFailure(
              e -> {
                if (e instanceof DamagedBackupException) {
                  refused(Problem.BAD_BACKUP, String.valueOf(e.getMessage()));
                } else {
                  LOG.error("the backup cannot be read back", e);
                  refused(Problem.NO_ROOM, "the backup cannot be read back");
                }
              })
          .onSuccess(summary -> ifEmpty(() -> begin(summary)));
    }

    private BackupFile.Summary read(BackupFile.RowHandler each)
        throws IOException, InterruptedException, DamagedBackupException {
      try (InputStream in = Files.newInputStream(spool())) {
        return BackupFile.read(in, each);
      }
    }

    private void begin(BackupFile.Summary summary) {
      LOG.infof(
          "restoring %d keys of cluster %s, backed up at %s",
          summary.count(), summary.header().clusterId(), summary.header().createdAt());
      response
          .setChunked(true)
          .putHeader("Content-Type", "application/x-ndjson")
          .putHeader("Cache-Control", "no-store");
      Copy copy = new Copy(summary);
      tell("verified", 0, summary.count(), null, false);
      long ticking =
          vertx.setPeriodic(
              TELL_MILLIS,
              _ -> tell("progress", copy.restored.get(), summary.count(), null, false));
      Thread.ofVirtual()
          .name("kv-restore")
          .start(
              () -> {
                String failure = copy.run();
                loop.runOnContext(
                    _ -> {
                      vertx.cancelTimer(ticking);
                      long restored = copy.restored.get();
                      if (failure == null) {
                        LOG.infof("restored %d keys", restored);
                        tell("done", restored, summary.count(), null, true);
                      } else {
                        LOG.errorf(
                            "the restore failed after %d of %d keys: %s",
                            restored, summary.count(), failure);
                        tell("failed", restored, summary.count(), failure, true);
                      }
                      finish();
                    });
              });
    }

    private void tell(String event, long restored, long of, @Nullable String detail, boolean last) {
      if (response.ended() || response.closed()) {
        return;
      }
      JsonObject line =
          new JsonObject().put("event", event).put("restored", restored).put("of", of);
      if (detail != null) {
        line.put("detail", detail);
      }
      if (last) {
        response.end(line.encode() + "\n");
      } else {
        var _ = response.write(line.encode() + "\n");
      }
    }

    /// The second reading, which writes. On a thread of its own, since it waits.
    private final class Copy {
      private final BackupFile.Summary summary;
      private final AtomicLong restored = new AtomicLong();
      private final AtomicReference<String> failure = new AtomicReference<>();
      private final Semaphore slots = new Semaphore(MAX_ASKED);

      Copy(BackupFile.Summary summary) {
        this.summary = summary;
      }

      /// Why it failed, or null.
      @Nullable String run() {
        try {
          read(
              row -> {
                slots.acquire();
                if (failure.get() != null) {
                  throw new IOException("given up");
                }
                write(
                    Keys.of(row.key()),
                    row,
                    operation(),
                    summary.highestVersion(),
                    System.nanoTime() + PATIENCE.toNanos());
              });
          slots.acquire(MAX_ASKED);
        } catch (IOException | DamagedBackupException | RuntimeException e) {
          failure.compareAndSet(null, "the backup cannot be read back: " + e.getMessage());
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          failure.compareAndSet(null, "the node is stopping");
        }
        return failure.get();
      }

      private OpId operation() {
        return new OpId(RANDOM.nextLong(), RANDOM.nextLong());
      }

      /// Retries are under the same operation id. A base above the history that the key remembers
      /// is refused as forgotten, never applied; then the key's own versions lie above the backup's
      /// already, and the write is made again, as a new one, above those.
      private void write(Key key, BackupFile.Row row, OpId op, long base, long deadlineNanos) {
        Mutation mutation =
            new Mutation(op, new Precondition.Absent(), row.value(), base, row.expiresAtMillis());
        host.write(
            key,
            mutation,
            answer -> {
              switch (answer) {
                case Answer.Applied _ -> {
                  restored.incrementAndGet();
                  slots.release();
                }
                case Answer.NotApplied _ when System.nanoTime() - deadlineNanos < 0 ->
                    vertx.setTimer(RETRY_MILLIS, _ -> write(key, row, op, base, deadlineNanos));
                case Answer.Unknown _ when System.nanoTime() - deadlineNanos < 0 ->
                    // From now on it must not be given a base that is newer than its first try.
                    vertx.setTimer(
                        RETRY_MILLIS, _ -> write(key, row, op, Math.max(0, base), deadlineNanos));
                case Answer.Forgotten _ when base != Mutation.NO_BASE ->
                    write(key, row, operation(), Mutation.NO_BASE, deadlineNanos);
                case Answer.Conflict _ ->
                    fail("somebody else wrote the key " + key + " during the restore");
                default -> fail("the key " + key + ": " + KvRoutes.reason(answer));
              }
            });
      }

      private void fail(String why) {
        failure.compareAndSet(null, why);
        slots.release();
      }
    }
  }
}
