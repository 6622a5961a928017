package dev.parley.frontend.edge;

import dev.parley.frontend.routing.Preference;
import dev.parley.frontend.routing.Standing;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/// The replicas of one service and what their readiness checks say.
final class Replicas {
  /// A second of stale knowledge costs at most one refused connection, which the relay survives.
  private static final long CHECK_EVERY_MS = 1_000;

  private static final long CHECK_TIMEOUT_MS = 900;

  private final List<String> urls;
  private final Map<String, Standing> standings = new ConcurrentHashMap<>();
  private final Map<String, AtomicBoolean> checking = new ConcurrentHashMap<>();
  private final AtomicInteger turn = new AtomicInteger();

  Replicas(List<URI> urls) {
    this.urls = urls.stream().map(URI::toString).toList();
  }

  /// Starts the checks; they go on until the timer whose id this gives is cancelled.
  long watch(Vertx vertx, HttpClient client) {
    Runnable round = () -> urls.forEach(url -> check(client, url));
    round.run();
    return vertx.setPeriodic(CHECK_EVERY_MS, timer -> round.run());
  }

  /// All replicas in the order to try them for this conversation.
  List<String> forKey(String key) {
    return Preference.sticky(key, urls, this::standing);
  }

  /// All replicas in the order to try them for a request that prefers none.
  List<String> forAnyone() {
    return Preference.spread(turn.getAndIncrement(), urls, this::standing);
  }

  /// Notes that the replica refused a connection just now, ahead of its next check.
  void refused(String url) {
    standings.put(url, Standing.SILENT);
  }

  Standing standing(String url) {
    return standings.getOrDefault(url, Standing.UNKNOWN);
  }

  private void check(HttpClient client, String url) {
    var busy = checking.computeIfAbsent(url, u -> new AtomicBoolean());
    if (!busy.compareAndSet(false, true)) {
      return;
    }
    var options =
        new RequestOptions()
            .setMethod(HttpMethod.GET)
            .setAbsoluteURI(url + "/q/health/ready")
            .setConnectTimeout(CHECK_TIMEOUT_MS)
            .setTimeout(CHECK_TIMEOUT_MS);
    client
        .request(options)
        .compose(Replicas::standing)
        .otherwise(Standing.SILENT)
        .onSuccess(standing -> standings.put(url, standing))
        .onComplete(done -> busy.set(false));
  }

  /// On the connection's event loop, so that it asks for the body before any of it can have come:
  /// otherwise the answer might never be complete, and the replica never be checked again.
  private static Future<Standing> standing(HttpClientRequest request) {
    return request
        .send()
        .compose(
            response ->
                response
                    .body()
                    .map(
                        body ->
                            response.statusCode() == 200 ? Standing.READY : Standing.NOT_READY));
  }
}
