package dev.parley.frontend.edge;

import dev.parley.frontend.NamedUrl;
import dev.parley.frontend.Settings;
import dev.parley.frontend.routing.Destination.AnyChat;
import dev.parley.frontend.routing.Destination.ChatFor;
import dev.parley.frontend.routing.Destination.Nowhere;
import dev.parley.frontend.routing.Destination.Registry;
import dev.parley.frontend.routing.RouteTable;
import io.quarkus.runtime.ShutdownEvent;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.PoolOptions;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/// Sends the public API paths to the services behind.
///
/// This is bare Vert.x rather than vertx-http-proxy, because the proxy picks its origin before a
/// request is sent and cannot send a buffered one again when a reused connection dies under it,
/// which is what a replica killed in the middle looks like.
@Singleton
final class Relay {
  /// After the frontend's own `/api` routes, before the framework's default route.
  private static final int ORDER = 5_000;

  private static final Set<String> METHODS =
      Set.of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");

  /// Every open event stream holds one connection; a browser tab holds one stream.
  private static final int CONNECTIONS_PER_REPLICA = 2_048;

  /// Streams carry a heartbeat every 10 s; a model may think for minutes before a plain answer.
  private static final int IDLE_SECONDS = 600;

  private final HttpClient client;
  private final HttpClient checks;
  private final Replicas chat;
  private final Replicas registry;
  private final Vertx vertx;
  private final List<Long> timers = new CopyOnWriteArrayList<>();

  Relay(Settings settings, Vertx vertx) {
    this.vertx = vertx;
    chat = new Replicas(settings.chat().stream().map(NamedUrl::url).toList());
    registry = new Replicas(List.of(settings.registry().url()));
    client =
        vertx.createHttpClient(
            new HttpClientOptions()
                .setConnectTimeout(1_000)
                .setIdleTimeout(IDLE_SECONDS)
                // Shorter than any service's own keep-alive, so that a reused connection is alive.
                .setKeepAliveTimeout(20)
                .setTcpNoDelay(true)
                .setDecompressionSupported(false)
                .setMaxWaitQueueSize(1_024),
            new PoolOptions().setHttp1MaxSize(CONNECTIONS_PER_REPLICA));
    checks = vertx.createHttpClient(new HttpClientOptions().setConnectTimeout(900));
  }

  void routes(@Observes Router router) {
    timers.add(chat.watch(vertx, checks));
    timers.add(registry.watch(vertx, checks));
    router.route("/api/*").order(ORDER).handler(this::relay);
    router.route("/v1/*").order(ORDER).handler(this::relay);
    router.route("/chat").order(ORDER).handler(this::relay);
  }

  /// The clients close before the timers would stop by themselves.
  void stop(@Observes ShutdownEvent ending) {
    timers.forEach(vertx::cancelTimer);
  }

  private void relay(RoutingContext context) {
    var request = context.request();
    if (!METHODS.contains(request.method().name())) {
      new Problem(405, "method", "Method not allowed", "This method is not relayed.", null)
          .answer(request);
      return;
    }
    var path = context.normalizedPath();
    switch (RouteTable.destination(path)) {
      case Nowhere() -> Problem.NOT_FOUND.answer(request);
      case Registry() -> exchange(context, path, registry, registry.forAnyone());
      case AnyChat() -> exchange(context, path, chat, chat.forAnyone());
      case ChatFor(var id) -> exchange(context, path, chat, chat.forKey(id));
    }
  }

  private void exchange(
      RoutingContext context, String path, Replicas replicas, List<String> inOrder) {
    new Exchange(vertx, client, context.request(), path, replicas, inOrder).begin();
  }
}
