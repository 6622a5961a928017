package dev.parley.registry.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.registry.fleet.BackendStatus;
import dev.parley.registry.fleet.Fleet;
import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.sse.OutboundSseEvent;
import jakarta.ws.rs.sse.Sse;
import jakarta.ws.rs.sse.SseEventSink;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/// Tells listeners how the backends are: all of them at first, then each that changes. A change of
/// state is told at once, figures every second.
@Path("/api/events")
@Singleton
@Tag(name = "backends")
final class EventsResource {

  private static final Duration FIGURES = Duration.ofSeconds(1);

  /// Rounds without news after which a comment shows that the line is alive.
  private static final int HEARTBEAT_ROUNDS = 10;

  private static final Duration SLOWEST_LISTENER = Duration.ofSeconds(10);

  private final Fleet fleet;
  private final EventHub hub;
  private final ObjectMapper json;

  @Inject
  EventsResource(Fleet fleet, EventHub hub, ObjectMapper json) {
    this.fleet = fleet;
    this.hub = hub;
    this.json = json;
  }

  @GET
  @Produces(MediaType.SERVER_SENT_EVENTS)
  @RunOnVirtualThread
  @Operation(summary = "Changes of the backends as server-sent events: backend, removed")
  public void events(@Context SseEventSink sink, @Context Sse sse) {
    Optional<Subscription> subscribed = hub.subscribe();
    if (subscribed.isEmpty()) {
      sink.close();
      return;
    }
    // The head leaves with the first event, and must have left before this method returns: the
    // framework sends one itself where it finds none.
    if (greet(sink, sse)) {
      Thread.ofVirtual().name("events").start(() -> serve(subscribed.get(), sink, sse));
    } else {
      hub.unsubscribe(subscribed.get());
      sink.close();
    }
  }

  private static boolean greet(SseEventSink sink, Sse sse) {
    try {
      send(sink, sse.newEventBuilder().comment("here is how the backends are").build());
      return true;
    } catch (ExecutionException | TimeoutException | IllegalStateException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private void serve(Subscription subscription, SseEventSink sink, Sse sse) {
    try (sink) {
      for (BackendStatus status : fleet.statuses()) {
        send(sink, backend(sse, status));
      }
      int quiet = 0;
      while (!sink.isClosed()) {
        Set<String> changed = subscription.take(FIGURES);
        for (String id : changed) {
          Optional<BackendStatus> status = fleet.status(id);
          send(
              sink,
              status.isPresent()
                  ? backend(sse, status.get())
                  : event(sse, "removed", Map.of("id", id)));
        }
        quiet = changed.isEmpty() ? quiet + 1 : 0;
        if (quiet >= HEARTBEAT_ROUNDS) {
          quiet = 0;
          send(sink, sse.newEventBuilder().comment("still here").build());
        }
      }
    } catch (ExecutionException | TimeoutException | IllegalStateException e) {
      // The listener is gone or too slow; it will come back by itself.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      hub.unsubscribe(subscription);
    }
  }

  private OutboundSseEvent backend(Sse sse, BackendStatus status) {
    return event(sse, "backend", BackendRow.of(status));
  }

  private OutboundSseEvent event(Sse sse, String name, Object data) {
    try {
      return sse.newEventBuilder().name(name).data(json.writeValueAsString(data)).build();
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void send(SseEventSink sink, OutboundSseEvent event)
      throws ExecutionException, TimeoutException, InterruptedException {
    sink.send(event).toCompletableFuture().get(SLOWEST_LISTENER.toNanos(), TimeUnit.NANOSECONDS);
  }
}
