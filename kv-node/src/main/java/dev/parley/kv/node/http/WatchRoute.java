package dev.parley.kv.node.http;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.WatchPosition;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// `GET /v1/watch`: what changes under a prefix, as server-sent events.
///
/// The next changes are asked of the core when the client has taken the last ones, so one that is
/// slow gets fewer, later versions rather than a long queue.
@ApplicationScoped
class WatchRoute {

  /// Watches at once on this node; as many as the core takes.
  static final int MAX_WATCHES = 256;

  /// Silence after which a comment shows that the line is alive.
  private static final long HEARTBEAT_MILLIS = 5_000;

  /// A client that has taken nothing for this long is let go. It comes back where it stopped.
  private static final long SLOWEST_MILLIS = 30_000;

  private static final long LOOK_MILLIS = 1_000;

  private final Settings settings;
  private final NodeHost host;
  private final Vertx vertx;
  private final Set<Stream> streams = ConcurrentHashMap.newKeySet();

  WatchRoute(Settings settings, NodeHost host, Vertx vertx, MeterRegistry meters) {
    this.settings = settings;
    this.host = host;
    this.vertx = vertx;
    meters.gauge("parley.kv.watches", streams, Set::size);
    // The framework waits for requests under way before it tells anybody that it stops; these would
    // keep it waiting for all the time it has.
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .name("watches-end")
                .unstarted(() -> streams.forEach(Stream::endSoon)));
  }

  void routes(@Observes Router router) {
    router.get("/v1/watch").order(-10).handler(KvRoutes.guarded(this::open));
    router.route("/v1/watch").order(-10).handler(KvRoutes.only("GET"));
  }

  private void open(RoutingContext context) {
    Map<String, String> parameters =
        Requests.parameters(context.request(), Set.of("prefix", "since", "values"));
    String prefixText = parameters.getOrDefault("prefix", "");
    byte[] prefix = prefixText.getBytes(StandardCharsets.UTF_8);
    if (prefix.length > Key.MAX_BYTES) {
      throw new Requests.BadRequestException(Problem.BAD_KEY, "the prefix is too long");
    }
    if (prefix.length > 0 && prefix[0] == 0) {
      throw new Requests.BadRequestException(Problem.BAD_KEY, "the prefix begins with NUL");
    }
    if (settings.reachesProtected(prefixText)) {
      Requests.requireToken(context, settings, "a watch that can reach protected keyspaces");
    }
    boolean values =
        switch (parameters.getOrDefault("values", "true")) {
          case "true" -> true;
          case "false" -> false;
          default -> throw bad("values must be true or false");
        };
    // A browser that reconnects repeats the address and adds the header: the header is newer.
    String header = context.request().getHeader("Last-Event-ID");
    String since = header != null && !header.isBlank() ? header : parameters.get("since");
    WatchPosition position =
        since == null || since.isBlank()
            ? null
            : WatchToken.parse(settings.cluster(), prefix, since.strip());
    context.request().resume();
    Stream stream = new Stream(context, prefix);
    if (streams.size() >= MAX_WATCHES) {
      Problem.BUSY.answer(context, "this node serves " + MAX_WATCHES + " watches already");
      return;
    }
    streams.add(stream);
    context.response().closeHandler(_ -> stream.gone());
    context.response().exceptionHandler(_ -> stream.gone());
    host.watch(prefix, values, position, stream::answered);
  }

  private static Requests.BadRequestException bad(String detail) {
    return new Requests.BadRequestException(Problem.BAD_REQUEST, detail);
  }

  /// One client. Lives on the event loop of its connection.
  private final class Stream {
    private final RoutingContext context;
    private final HttpServerResponse response;
    private final Context loop = Vertx.currentContext();
    private final byte[] prefix;
    private long watch;
    private boolean gone;
    private boolean blocked;
    private long wroteAt = System.nanoTime();
    private @Nullable Long timer;

    Stream(RoutingContext context, byte[] prefix) {
      this.context = context;
      this.response = context.response();
      this.prefix = prefix;
    }

    /// From the core's event loop.
    void answered(Answer answer) {
      loop.runOnContext(_ -> take(answer));
    }

    private void take(Answer answer) {
      if (answer instanceof Answer.Watched told) {
        watch = told.watch();
        if (gone) {
          host.unwatch(watch);
          return;
        }
        if (!response.headWritten()) {
          begin();
        }
        write(encode(told));
        ask();
      } else if (!gone) {
        if (response.headWritten()) {
          end();
        } else {
          KvRoutes.failed(context, answer);
          gone();
        }
      }
    }

    private void begin() {
      response
          .setChunked(true)
          .putHeader("Content-Type", "text/event-stream; charset=utf-8")
          .putHeader("Cache-Control", "no-store")
          .putHeader("X-Content-Type-Options", "nosniff")
          .putHeader("X-Accel-Buffering", "no");
      response.drainHandler(
          _ -> {
            if (blocked) {
              blocked = false;
              wroteAt = System.nanoTime();
              ask();
            }
          });
      timer = vertx.setPeriodic(LOOK_MILLIS, _ -> loop.runOnContext(_ -> look()));
    }

    /// Asks for more as soon as the client has taken what there is.
    private void ask() {
      if (response.writeQueueFull()) {
        blocked = true;
      } else if (!gone) {
        host.watchMore(watch, this::answered);
      }
    }

    private void look() {
      long silent = (System.nanoTime() - wroteAt) / 1_000_000;
      if (gone) {
        return;
      }
      if (blocked) {
        if (silent > SLOWEST_MILLIS) {
          gone();
          response.reset();
        }
      } else if (silent >= HEARTBEAT_MILLIS) {
        write(Buffer.buffer(":\n\n"));
      }
    }

    private void write(Buffer text) {
      wroteAt = System.nanoTime();
      response.write(text);
    }

    void endSoon() {
      loop.runOnContext(_ -> end());
    }

    private void end() {
      if (!gone) {
        gone();
        response.end();
      }
    }

    void gone() {
      if (!gone) {
        gone = true;
        streams.remove(this);
        if (timer != null) {
          vertx.cancelTimer(timer);
        }
        if (watch != 0) {
          host.unwatch(watch);
        }
      }
    }

    /// The place to go on from stands at the last change of several that were taken together.
    private Buffer encode(Answer.Watched told) {
      String token = WatchToken.of(settings.cluster(), prefix, told.position());
      Buffer out = Buffer.buffer();
      if (told.signal() != Answer.Signal.CHANGES) {
        String name = told.signal().name().toLowerCase(Locale.ROOT);
        return out.appendString(
            "event: " + name + "\nid: " + token + "\ndata: {\"since\":\"" + token + "\"}\n\n");
      }
      if (told.changes().isEmpty()) {
        return out.appendString(":\nid: " + token + "\n\n");
      }
      for (Iterator<Answer.Change> each = told.changes().iterator(); each.hasNext(); ) {
        Answer.Change change = each.next();
        out.appendString("event: change\n");
        if (!each.hasNext()) {
          out.appendString("id: " + token + "\n");
        }
        out.appendString("data: ").appendBytes(json(change)).appendString("\n\n");
      }
      return out;
    }
  }

  private static byte[] json(Answer.Change change) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JsonText.JSON.createGenerator(out)) {
      json.writeStartObject();
      json.writeStringField("key", change.key().toString());
      if (change.version() == 0) {
        json.writeNullField("version");
      } else {
        json.writeStringField("version", Long.toString(change.version()));
      }
      json.writeBooleanField("deleted", change.deleted());
      byte[] body = change.body();
      if (body != null) {
        JsonText.value(json, body);
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }
}
