package dev.parley.frontend.edge;

import dev.parley.frontend.NamedUrl;
import dev.parley.frontend.Settings;
import dev.parley.frontend.cluster.LossVerdict;
import dev.parley.frontend.cluster.NodeReport;
import dev.parley.kv.client.Members;
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
import java.net.URI;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// `GET /api/cluster` and its event stream: what every storage node and service says of itself,
/// collected at most once a second however many look. Which storage nodes there are, the nodes say.
@Singleton
final class ClusterOverview {
  private static final int ORDER = 100;
  private static final long ASK_TIMEOUT_MS = 900;
  private static final long EVERY_MS = 1_000;
  private static final int WATCHERS = 512;

  /// While nobody looks, the nodes are asked once in so many periods, so that the page knows where
  /// to ask even if all that it was started with have left meanwhile.
  private static final int PERIODS_UNWATCHED = 5;

  /// A collection and when it began.
  private record Collection(long startedNanos, Future<JsonObject> result) {}

  /// What asking one address gave: its status and body, or null when nothing came.
  private record Reply(@Nullable Integer status, @Nullable Buffer body, long latencyMs) {
    boolean ok() {
      return Integer.valueOf(200).equals(status);
    }
  }

  private static final Reply NOTHING = new Reply(null, null, 0);

  private final List<NamedUrl> seeds;
  private final Members members;
  private final List<NamedUrl> services;
  private final String serviceToken;
  private final HttpClient client;
  private final Vertx vertx;
  private final AtomicReference<@Nullable Collection> latest = new AtomicReference<>();
  private final AtomicLong timer = new AtomicLong(-1);
  private final Set<HttpServerResponse> watchers = ConcurrentHashMap.newKeySet();
  private int periods;

  ClusterOverview(Settings settings, Vertx vertx) {
    this.vertx = vertx;
    seeds = settings.kvNodes();
    members = new Members(addressesOf(seeds));
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

  /// Only from the timer.
  private void tellWatchers() {
    if (periods++ % PERIODS_UNWATCHED != 0 && watchers.isEmpty()) {
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
    var nodes = new LinkedHashMap<URI, Future<Reply>>();
    var ready = new LinkedHashMap<URI, Future<Reply>>();
    askServices(ready);
    return askNodes(addressesOf(storageNodes()), nodes)
        .compose(done -> askNodes(news(nodes), nodes))
        .compose(done -> askServices(ready))
        .map(done -> overview(nodes, ready));
  }

  /// Asks these nodes for the members, and learns what they say.
  private Future<?> askNodes(List<URI> urls, Map<URI, Future<Reply>> asked) {
    urls.forEach(url -> asked.computeIfAbsent(url, node -> ask(node + "/v1/cluster", true)));
    return Future.join(List.copyOf(asked.values())).onSuccess(done -> learn(asked));
  }

  private Future<?> askServices(Map<URI, Future<Reply>> asked) {
    shownServices()
        .forEach(
            one -> asked.computeIfAbsent(one.url(), url -> ask(url + "/q/health/ready", false)));
    return Future.join(List.copyOf(asked.values()));
  }

  private void learn(Map<URI, Future<Reply>> asked) {
    var verdicts = new ArrayList<Members.Verdict>();
    asked.forEach((url, reply) -> verdicts.add(learn(url, reply.result())));
    if (verdicts.contains(Members.Verdict.OTHER_CLUSTER)
        && !verdicts.contains(Members.Verdict.CURRENT)
        && !verdicts.contains(Members.Verdict.BEHIND)) {
      members.forget();
      asked.forEach((url, reply) -> learn(url, reply.result()));
    }
  }

  private Members.Verdict learn(URI url, Reply reply) {
    var body = reply.body();
    return body != null && reply.ok()
        ? members.learn(url, body.getBytes())
        : Members.Verdict.USELESS;
  }

  /// Who is to be asked besides: members that were named just now, and all the seeds if nobody
  /// answered.
  private List<URI> news(Map<URI, Future<Reply>> asked) {
    boolean nobody = asked.values().stream().allMatch(reply -> reply.result().status() == null);
    return nobody ? members.addresses(null) : addressesOf(storageNodes());
  }

  private static List<URI> addressesOf(List<NamedUrl> nodes) {
    return nodes.stream().map(NamedUrl::url).toList();
  }

  /// The members, or the configured nodes as long as none of them named any.
  private List<NamedUrl> storageNodes() {
    var known = members.now();
    return known.isEmpty()
        ? seeds
        : known.stream().map(member -> new NamedUrl(member.id(), member.url())).toList();
  }

  /// The configured services, but with the present members in the place of the storage nodes that
  /// were configured.
  private List<NamedUrl> shownServices() {
    if (members.now().isEmpty()) {
      return services;
    }
    var configured = addressesOf(seeds);
    var shown = new ArrayList<NamedUrl>();
    boolean placed = false;
    for (var service : services) {
      if (!configured.contains(service.url())) {
        shown.add(service);
      } else if (!placed) {
        shown.addAll(storageNodes());
        placed = true;
      }
    }
    return shown;
  }

  private JsonObject overview(Map<URI, Future<Reply>> nodes, Map<URI, Future<Reply>> ready) {
    var reports = new ArrayList<NodeReport>();
    var said = new ArrayList<JsonObject>();
    var rows = new JsonArray();
    for (var known : storageNodes()) {
      var reply = replyOf(known, nodes);
      var itSaid = reply.ok() ? json(reply) : null;
      rows.add(member(known, reply, itSaid));
      reports.add(report(known, itSaid));
      if (itSaid != null) {
        said.add(itSaid);
      }
    }
    var states = new JsonArray();
    for (var service : shownServices()) {
      var reply = replyOf(service, ready);
      var state = reply.status() == null ? "down" : reply.ok() ? "ready" : "not-ready";
      states.add(
          new JsonObject()
              .put("name", service.name())
              .put("url", service.url().toString())
              .put("state", state)
              .put("latency_ms", reply.status() == null ? null : reply.latencyMs())
              .put("reasons", failing(json(reply))));
    }
    var verdict = LossVerdict.of(reports);
    var best = bestInformed(said);
    return new JsonObject()
        .put("at", Instant.now().toString())
        .put(
            "answer",
            new JsonObject()
                .put("safe", verdict.safe())
                .put("level", verdict.level().word())
                .put("reason", verdict.reason())
                .put("sentence", verdict.sentence())
                .put("copies", copies(best)))
        .put("groups", best.getValue("groups"))
        .put("change", change(said))
        .put("kv", rows)
        .put("services", states);
  }

  /// What the node said that reaches most others; empty if none answered.
  private static JsonObject bestInformed(List<JsonObject> said) {
    return said.stream()
        .max(Comparator.comparingInt(ClusterOverview::reachable))
        .orElseGet(JsonObject::new);
  }

  private static int reachable(JsonObject said) {
    return said.getValue("quorum") instanceof JsonObject quorum
        ? quorum.getInteger("reachable", 0)
        : 0;
  }

  /// The change of the members that is under way, told by the node that drives it if that answered.
  private static @Nullable JsonObject change(List<JsonObject> said) {
    JsonObject known = null;
    for (var each : said) {
      if (each.getValue("change") instanceof JsonObject change
          && (known == null || change.getBoolean("driven_here", false))) {
        known = change;
      }
    }
    return known;
  }

  private static List<JsonObject> groups(JsonObject said) {
    return said.getValue("groups") instanceof JsonArray groups
        ? groups.stream().filter(JsonObject.class::isInstance).map(JsonObject.class::cast).toList()
        : List.of();
  }

  private static NodeReport.Serves serves(JsonObject said) {
    int all = 0;
    int stopped = 0;
    for (var group : groups(said)) {
      all += group.getInteger("partitions", 0);
      stopped += group.getInteger("stopped", 0);
    }
    return stopped == all
        ? NodeReport.Serves.NOTHING
        : stopped > 0 ? NodeReport.Serves.SOME : NodeReport.Serves.ALL;
  }

  /// On how many disks everything acknowledged is at least; 0 if the node does not say.
  private static int copies(JsonObject said) {
    return groups(said).stream()
        .mapToInt(group -> group.getInteger("acknowledged_on", 0))
        .min()
        .orElse(0);
  }

  /// Nothing came from one that was named only after all were asked.
  private static Reply replyOf(NamedUrl one, Map<URI, Future<Reply>> replies) {
    var reply = replies.get(one.url());
    return reply == null ? NOTHING : reply.result();
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
    var risks = new ArrayList<String>();
    if (said.getValue("at_risk") instanceof JsonArray sentences) {
      sentences.stream().filter(Objects::nonNull).forEach(s -> risks.add(s.toString()));
    }
    return new NodeReport.Answered(
        said.getString("node_id", known.name()),
        said.getString("cluster_id", ""),
        reachable(said),
        serves(said),
        copies(said),
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
        .otherwise(failure -> NOTHING);
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
