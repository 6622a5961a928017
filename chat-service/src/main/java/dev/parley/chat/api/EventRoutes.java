package dev.parley.chat.api;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.ChatConfig;
import dev.parley.chat.Draining;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.chat.conversation.Seq;
import dev.parley.chat.generation.Generations;
import dev.parley.chat.generation.Hub;
import dev.parley.chat.openai.RetryAfter;
import dev.parley.kv.client.StoreUnavailableException;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.io.IOException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// `GET /api/conversations/{id}/events`: one [Feed] on one virtual thread per client. Closing the
/// connection ends the feed and nothing else.
@ApplicationScoped
public class EventRoutes {

  private static final Logger LOG = Logger.getLogger(EventRoutes.class);
  private static final long SLOW_CLIENT_SECONDS = 30;

  private final Conversations conversations;
  private final ConversationStore store;
  private final Generations generations;
  private final Hub hub;
  private final ObjectMapper mapper;
  private final ChatConfig.Chat settings;
  private final Draining draining;
  private final AtomicInteger streams = new AtomicInteger();

  @Inject
  EventRoutes(
      Conversations conversations,
      ConversationStore store,
      Generations generations,
      Hub hub,
      ObjectMapper mapper,
      ChatConfig config,
      Draining draining,
      MeterRegistry metrics) {
    this.conversations = conversations;
    this.store = store;
    this.generations = generations;
    this.hub = hub;
    this.mapper = mapper;
    this.settings = config.chat();
    this.draining = draining;
    metrics.gauge("parley_event_streams", streams);
  }

  void install(@Observes Router routes) {
    routes.get("/api/conversations/:id/events").handler(this::open);
  }

  private void open(RoutingContext rc) {
    rc.request().resume();
    String id = rc.pathParam("id");
    Seq after = after(rc);
    if (after == null) {
      refuse(rc, new Refusal.Invalid("after", "'after' must be a sequence number."));
      return;
    }
    if (draining.isDraining()) {
      refuse(rc, new Refusal.Draining());
      return;
    }
    if (streams.incrementAndGet() > settings.maxEventStreams()) {
      streams.decrementAndGet();
      refuse(rc, new Refusal.Overloaded());
      return;
    }
    ClientSink sink = new ClientSink(rc.response());
    Hub.Watch watch = hub.watch(id);
    rc.response()
        .closeHandler(
            _ -> {
              sink.close();
              watch.ring();
            });
    rc.response()
        .exceptionHandler(
            _ -> {
              sink.close();
              watch.ring();
            });
    Thread.ofVirtual().name("events-" + id).start(() -> serve(rc, id, after, sink, watch));
  }

  private void serve(RoutingContext rc, String id, Seq after, ClientSink sink, Hub.Watch watch) {
    try (watch) {
      if (conversations.load(id).isEmpty()) {
        refuse(rc, new Refusal.NoConversation(id));
        return;
      }
      sink.begin();
      new Feed(id, after, store, generations, mapper, settings, sink, draining::isDraining)
          .run(watch);
      rc.response().end();
    } catch (StoreUnavailableException unavailable) {
      refuse(rc, new Refusal.StoreUnavailable(String.valueOf(unavailable.getMessage())));
    } catch (IOException | InterruptedException gone) {
      LOG.debugf("a client of conversation %s is gone", id);
    } catch (RuntimeException broken) {
      LOG.errorf(broken, "the event stream of conversation %s broke", id);
      if (!rc.response().closed()) {
        rc.response().reset();
      }
    } finally {
      streams.decrementAndGet();
    }
  }

  private static @Nullable Seq after(RoutingContext rc) {
    String header = rc.request().getHeader("Last-Event-ID");
    String given = header != null && !header.isBlank() ? header : rc.request().getParam("after");
    if (given == null || given.isBlank()) {
      return Seq.START;
    }
    try {
      return Seq.of(Long.parseLong(given.strip()));
    } catch (IllegalArgumentException notANumber) {
      return null;
    }
  }

  private void refuse(RoutingContext rc, Refusal refusal) {
    Problems.Problem problem = Problems.of(refusal);
    HttpServerResponse response = rc.response();
    if (response.headWritten() || response.closed()) {
      return;
    }
    Long wait = problem.retryAfterMillis();
    if (wait != null) {
      response.putHeader("retry-after", RetryAfter.header(wait));
    }
    response
        .setStatusCode(problem.status())
        .putHeader("content-type", "application/problem+json")
        .end(io.vertx.core.buffer.Buffer.buffer(problem.json(mapper)));
  }

  /// A client's connection, written to from a virtual thread that waits for it.
  private static final class ClientSink implements Feed.Sink {
    private final HttpServerResponse response;
    private final AtomicBoolean closed = new AtomicBoolean();

    ClientSink(HttpServerResponse response) {
      this.response = response;
    }

    void begin() {
      response
          .setChunked(true)
          .putHeader("content-type", "text/event-stream; charset=utf-8")
          .putHeader("cache-control", "no-cache")
          .putHeader("x-accel-buffering", "no");
    }

    @Override
    public void send(String event) throws IOException, InterruptedException {
      if (closed.get()) {
        throw new IOException("closed");
      }
      try {
        response
            .write(event)
            .toCompletionStage()
            .toCompletableFuture()
            .get(SLOW_CLIENT_SECONDS, TimeUnit.SECONDS);
      } catch (ExecutionException | TimeoutException failed) {
        close();
        response.reset();
        throw new IOException(failed);
      }
    }

    @Override
    public boolean closed() {
      return closed.get();
    }

    void close() {
      closed.set(true);
    }
  }
}
