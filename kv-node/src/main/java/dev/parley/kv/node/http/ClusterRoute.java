package dev.parley.kv.node.http;

import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.NodeStatus;
import dev.parley.kv.node.Settings;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// `GET /v1/cluster`: how this node sees the cluster, and what is at risk, in plain English.
@ApplicationScoped
class ClusterRoute {

  private final Settings settings;
  private final NodeHost host;

  ClusterRoute(Settings settings, NodeHost host) {
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    router.get("/v1/cluster").order(-10).handler(KvRoutes.guarded(this::show));
  }

  private void show(RoutingContext context) {
    Requests.parameters(context.request(), Set.of());
    context.request().resume();
    NodeStatus status = host.status();
    JsonArray members = new JsonArray();
    for (NodeStatus.Member member : status.members()) {
      members.add(
          new JsonObject()
              .put("id", member.id())
              .put("url", member.url())
              .put("reachable", member.reachable())
              .put(
                  "last_seen_ms_ago",
                  member.lastSeenMillisAgo() < 0 ? null : member.lastSeenMillisAgo()));
    }
    JsonObject body =
        new JsonObject()
            .put("cluster_id", settings.cluster())
            .put("node_id", settings.self())
            .put("members", members)
            .put(
                "quorum",
                new JsonObject()
                    .put("needed", status.needed())
                    .put("reachable", status.reachable()))
            .put("epoch", status.epoch())
            .put("keys", status.keys())
            .put("tombstones", status.tombstones())
            .put("at_risk", new JsonArray(atRisk(status)))
            .put("disk_free_bytes", status.diskFreeBytes())
            .put("log_bytes", status.logBytes());
    context
        .response()
        .putHeader("Content-Type", "application/json")
        .putHeader("Cache-Control", "no-store")
        .end(body.toBuffer());
  }

  static List<String> atRisk(NodeStatus status) {
    List<String> sentences = new ArrayList<>();
    if (status.waitsFor() != null) {
      sentences.add("This node does not take part: " + status.waitsFor() + ".");
    }
    List<String> gone =
        status.members().stream()
            .filter(member -> !member.reachable())
            .map(NodeStatus.Member::id)
            .toList();
    if (!gone.isEmpty()) {
      String names = String.join(" and ", gone) + (gone.size() == 1 ? " does" : " do");
      int spare = status.reachable() - status.needed();
      if (spare < 0) {
        sentences.add(
            names
                + " not answer: without a majority, reads and writes are refused until enough"
                + " nodes are back. Nothing that was acknowledged is lost.");
      } else if (spare == 0) {
        sentences.add(
            names
                + " not answer: everything still works, but if one more node fails, reads and"
                + " writes stop until it is back.");
      } else {
        sentences.add(names + " not answer: fewer copies of the data can be reached.");
      }
    }
    if (status.full()) {
      sentences.add("This node has no room left: new values may be refused.");
    }
    return sentences;
  }
}
