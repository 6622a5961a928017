package dev.parley.frontend.edge;

import dev.parley.frontend.NamedUrl;
import dev.parley.frontend.Settings;
import dev.parley.frontend.cluster.LossVerdict;
import dev.parley.frontend.cluster.NodeReport;
import io.quarkus.runtime.ShutdownEvent;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// `GET /api/cluster` and its event stream: what every storage node and service says of itself,
/// collected at most once a second however many look.
@Singleton
final class ClusterOverview {
  private static final int ORDER = 100;
  private static final long ASK_TIMEOUT_MS = 900;
  private static final long EVERY_MS = 1_000;
  private static final int WATCHERS = 512;

  /// A collection and when it began.
  private record Collection(long startedNanos, Future<JsonObject> result) {}

  /// What asking one address gave: its status and body, or null when nothing came.
  private record Reply(@Nullable Integer status, @Nullable Buffer body, long latencyMs) {}

  private final List<NamedUrl> kvNodes;
  private final List<NamedUrl> services;
  private final String serviceToken;
  private final HttpClient client;
  private final Vertx vertx;
  private final AtomicReference<@Nullable Collection> latest = new AtomicReference<>();
  private final AtomicLong timer = new AtomicLong(-1);
  private final Set<HttpServerResponse> watchers = ConcurrentHashMap.newKeySet();

  ClusterOverview(Settings settings, Vertx vertx) {
    this.vertx = vertx;
    kvNodes = settings.kvNodes();
    services = settings.services();
    serviceToken = settings.serviceToken();
    client =
        vertx.createHttpClient(
            new HttpClientOptions().setConnectTimeout((int) ASK_TIMEOUT_MS).setTcpNoDelay(true));
  }

  void routes(@Observes Router router) {
    router.get("/api/cluster").order(ORDER).handler(this::once);
    router.get("/api/cluster/events").order(ORDER).handler(this::watch);
    timer.set(vertx.setPeriodic(EVERY_MS, tick -> tellWatchers()));
  }

  void stop(@Observes ShutdownEvent ending) {
    vertx.cancelTimer(timer.get());
  }

  private void once(RoutingContext context) {
    collected()
        .onSuccess(
            overview ->
                context
                    .response()
                    .putHeader("Content-Type", "application/json")
                    .putHeader("Cache-Control", "no-store")
                    .end(overview.toBuffer()))
        .onFailure(context::fail);
  }

  private void watch(RoutingContext context) {
    if (watchers.size() >= WATCHERS) {
      new Problem(429, "too-many-streams", "Too many streams", "Try again soon.", 10)
          .answer(context.request());
      return;
    }
    var response = context.response();
    response
        .setChunked(true)
        .putHeader("Content-Type", "text/event-stream")
        .putHeader("Cache-Control", "no-cache")
        .putHeader("X-Accel-Buffering", "no");
    response.closeHandler(gone -> watchers.remove(response));
    response.exceptionHandler(broken -> watchers.remove(response));
    collected()
        .onSuccess(
            overview -> {
              response.write(event(overview));
              watchers.add(response);
              if (response.closed()) {
                watchers.remove(response);
              }
            })
        .onFailure(context::fail);
  }

  private void tellWatchers() {
    if (watchers.isEmpty()) {
      return;
    }
    collected()
        .onSuccess(
            overview -> {
              var event = event(overview);
              for (var watcher : watchers) {
                // A reader that lags skips a state; the next one says everything again.
                if (watcher.closed()) {
                  watchers.remove(watcher);
                } else if (!watcher.writeQueueFull()) {
                  watcher.write(event);
                }
              }
            });
  }

  private static Buffer event(JsonObject overview) {
    return Buffer.buffer("event: cluster\ndata: " + overview.encode() + "\n\n");
  }

  private synchronized Future<JsonObject> collected() {
    var now = System.nanoTime();
    var last = latest.get();
    // A little under the period, so that the periodic telling always finds news.
    if (last != null
        && (!last.result().isComplete()
            || now - last.startedNanos() < TimeUnit.MILLISECONDS.toNanos(EVERY_MS - 100))) {
      return last.result();
    }
    var fresh = new Collection(now, collect());
    latest.set(fresh);
    return fresh.result();
  }

  private Future<JsonObject> collect() {
    var nodes = kvNodes.stream().map(node -> ask(node.url() + "/v1/cluster", true)).toList();
    var ready = services.stream().map(one -> ask(one.url() + "/q/health/ready", false)).toList();
    var all = new ArrayList<Future<Reply>>(nodes);
    all.addAll(ready);
    return Future.join(all).map(done -> overview(nodes, ready));
  }

  private JsonObject overview(List<Future<Reply>> nodes, List<Future<Reply>> ready) {
    var reports = new ArrayList<NodeReport>();
    var members = new JsonArray();
    for (int i = 0; i < nodes.size(); i++) {
      var reply = nodes.get(i).result();
      var said = json(reply);
      var known = kvNodes.get(i);
      members.add(member(known, reply, said));
      reports.add(report(known, said));
    }
    var rows = new JsonArray();
    for (int i = 0; i < ready.size(); i++) {
      var reply = ready.get(i).result();
      var state = reply.status() == null ? "down" : reply.status() == 200 ? "ready" : "not-ready";
      rows.add(
          new JsonObject()
              .put("name", services.get(i).name())
              .put("url", services.get(i).url().toString())
              .put("state", state)
              .put("latency_ms", reply.status() == null ? null : reply.latencyMs())
              .put("reasons", failing(json(reply))));
    }
    var verdict = LossVerdict.of(reports);
    return new JsonObject()
        .put("at", Instant.now().toString())
        .put(
            "answer",
            new JsonObject()
                .put("safe", verdict.safe())
                .put("level", verdict.level().word())
                .put("reason", verdict.reason())
                .put("sentence", verdict.sentence()))
        .put("kv", members)
        .put("services", rows);
  }

  private static JsonObject member(NamedUrl known, Reply reply, @Nullable JsonObject said) {
    var row = new JsonObject().put("url", known.url().toString());
    if (said == null) {
      return row.put("node_id", known.name()).put("reachable", false).put("latency_ms", null);
    }
    return row.put("node_id", said.getString("node_id", known.name()))
        .put("reachable", true)
        .put("latency_ms", reply.latencyMs())
        .put("quorum", said.getValue("quorum"))
        .put("members", said.getValue("members"))
        .put("keys", said.getValue("keys"))
        .put("at_risk", said.getValue("at_risk"))
        .put("disk_free_bytes", said.getValue("disk_free_bytes"))
        .put("log_bytes", said.getValue("log_bytes"));
  }

  private static NodeReport report(NamedUrl known, @Nullable JsonObject said) {
    if (said == null) {
      return new NodeReport.Silent(known.name());
    }
    var quorum = said.getValue("quorum") instanceof JsonObject q ? q : new JsonObject();
    var risks = new ArrayList<String>();
    if (said.getValue("at_risk") instanceof JsonArray sentences) {
      sentences.stream().filter(Objects::nonNull).forEach(s -> risks.add(s.toString()));
    }
    return new NodeReport.Answered(
        said.getString("node_id", known.name()),
        said.getString("cluster_id", ""),
        quorum.getInteger("reachable", 0),
        quorum.getInteger("needed", 1),
        List.copyOf(risks));
  }

  /// The names of the failing checks in a readiness answer.
  private static JsonArray failing(@Nullable JsonObject health) {
    var names = new JsonArray();
    if (health != null && health.getValue("checks") instanceof JsonArray checks) {
      for (var check : checks) {
        if (check instanceof JsonObject one && !"UP".equals(one.getString("status"))) {
          names.add(one.getString("name"));
        }
      }
    }
    return names;
  }

  private static @Nullable JsonObject json(Reply reply) {
    if (reply.body() == null) {
      return null;
    }
    try {
      return new JsonObject(reply.body());
    } catch (RuntimeException notJson) {
      return null;
    }
  }

  /// Only storage nodes are shown the token; readiness is open, and a listed service may be
  /// anyone's.
  private Future<Reply> ask(String url, boolean withToken) {
    var started = System.nanoTime();
    var options =
        new RequestOptions()
            .setMethod(HttpMethod.GET)
            .setAbsoluteURI(url)
            .setConnectTimeout(ASK_TIMEOUT_MS)
            .setTimeout(ASK_TIMEOUT_MS);
    if (withToken) {
      options.putHeader("Authorization", "Bearer " + serviceToken);
    }
    return client
        .request(options)
        .compose(request -> reply(request, started))
        .otherwise(failure -> new Reply(null, null, 0));
  }

  /// On the connection's event loop, so that it asks for the body before any of it can have come.
  private static Future<Reply> reply(HttpClientRequest request, long started) {
    return request
        .send()
        .compose(
            response ->
                response
                    .body()
                    .map(
                        body ->
                            new Reply(
                                response.statusCode(),
                                body,
                                TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started))));
  }
}
