package dev.parley.kv.node.http;

import dev.parley.kv.client.BackupFile;
import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Key;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// `GET /v1/backup`: every key with its value, streamed as fast as the client reads, in the format
/// of [BackupFile]. Each row is linearizable by itself and all that was written before the backup
/// began is in it; it is no snapshot across keys.
@ApplicationScoped
class BackupRoute {

  private static final int PAGE = 500;

  /// Each holds a page of a few mebibytes.
  private static final int MAX_AT_ONCE = 2;

  /// A node that restarts is waited for; a backup that never ends helps nobody.
  private static final int MAX_RETRIES = 20;

  private static final int RETRY_MILLIS = 500;

  private static final byte[] ALL = {};

  private final Vertx vertx;
  private final Settings settings;
  private final NodeHost host;
  private final AtomicInteger running = new AtomicInteger();

  BackupRoute(Vertx vertx, Settings settings, NodeHost host) {
    this.vertx = vertx;
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    router.get("/v1/backup").order(-10).handler(KvRoutes.guarded(this::get));
    router.route("/v1/backup").order(-10).handler(KvRoutes.only("GET"));
  }

  private void get(RoutingContext context) {
    Requests.requireToken(context, settings, "a backup, which reaches protected keyspaces,");
    Requests.parameters(context.request(), Set.of());
    context.request().resume();
    if (running.incrementAndGet() > MAX_AT_ONCE) {
      running.decrementAndGet();
      Problem.BUSY.answer(context, "at most " + MAX_AT_ONCE + " backups at once");
      return;
    }
    context.addEndHandler(_ -> running.decrementAndGet());
    new Download(context).next(null);
  }

  /// One backup on its way to its client.
  private final class Download {
    private final RoutingContext context;
    private final HttpServerResponse response;
    private final BackupFile.Writer writer = new BackupFile.Writer();
    private int retries;
    private boolean begun;

    Download(RoutingContext context) {
      this.context = context;
      this.response = context.response();
    }

    void next(@Nullable Key after) {
      host.scan(ALL, after, PAGE, KvRoutes.back(context, answer -> page(after, answer)));
    }

    private void page(@Nullable Key after, Answer answer) {
      if (!(answer instanceof Answer.Page page)) {
        if (!begun) {
          KvRoutes.failed(context, answer);
        } else if (retries++ < MAX_RETRIES) {
          vertx.setTimer(RETRY_MILLIS, _ -> next(after));
        } else {
          abort(KvRoutes.reason(answer));
        }
        return;
      }
      retries = 0;
      Buffer lines = Buffer.buffer();
      if (!begun) {
        begun = true;
        response
            .setChunked(true)
            .putHeader("Content-Type", "application/x-ndjson")
            .putHeader("Cache-Control", "no-store");
        String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
        lines.appendBytes(writer.header(new BackupFile.Header(settings.cluster(), now)));
      }
      for (Answer.Row row : page.rows()) {
        lines.appendBytes(
            writer.row(
                new BackupFile.Row(
                    row.key().toString(), row.version(), row.body(), row.expiresAtMillis())));
      }
      Key following = page.next();
      if (following == null) {
        response.end(lines.appendBytes(writer.trailer()));
        return;
      }
      var _ = response.write(lines);
      if (response.writeQueueFull()) {
        response.drainHandler(
            _ -> {
              response.drainHandler(null);
              next(following);
            });
      } else {
        vertx.runOnContext(_ -> next(following)); // Not deeper and deeper with every page.
      }
    }

    /// Says why there is no last line, and ends the connection so that no client takes the response
    /// for complete.
    private void abort(String why) {
      var _ =
          response
              .write(Buffer.buffer(new JsonObject().put("error", why).encode() + "\n"))
              .onComplete(_ -> context.request().connection().close());
    }
  }
}
