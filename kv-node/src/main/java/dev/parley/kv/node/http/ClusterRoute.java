package dev.parley.kv.node.http;

import dev.parley.kv.core.Availability;
import dev.parley.kv.core.MoveProgress;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.NodeStatus;
import dev.parley.kv.node.Settings;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

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
    router
        .get("/v1/cluster")
        .method(HttpMethod.HEAD)
        .order(-10)
        .handler(KvRoutes.guarded(this::show));
    router.route("/v1/cluster").order(-10).handler(KvRoutes.only("GET, HEAD"));
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
                  member.lastSeenMillisAgo() < 0 ? null : member.lastSeenMillisAgo())
              .put("group", member.group())
              .put("weight", member.weight())
              .put("leaving", member.leaving())
              .put("partitions_behind", member.behind() < 0 ? null : member.behind()));
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
            .put("groups", groups(status.availability()))
            .put("epoch", status.epoch())
            .put("change", change(status.change()))
            .put("candidates", new JsonArray(status.change().candidates()))
            .put("removed", status.change().removed())
            .put("keys", status.keys())
            .put("tombstones", status.tombstones())
            .put("at_risk", new JsonArray(atRisk(status)))
            .put("disk_free_bytes", status.diskFreeBytes())
            .put("log_bytes", status.logBytes());
    context
        .response()
        .putHeader("Content-Type", "application/json")
        .putHeader("Cache-Control", "no-store");
    KvRoutes.end(context, body.toBuffer());
  }

  private static JsonArray groups(List<Availability> availability) {
    JsonArray groups = new JsonArray();
    for (Availability group : availability) {
      groups.add(
          new JsonObject()
              .put("name", group.group())
              .put("keyspaces", new JsonArray(group.keyspaces()))
              .put("partitions", group.partitions())
              .put("acknowledged_on", group.acknowledged())
              .put("stopped", group.stopped())
              .put("without_spare", group.withoutSpare())
              .put("fewer_copies", group.fewerCopies()));
    }
    return groups;
  }

  /// What it means for a group that nodes do not answer, or null if they hold nothing of it.
  private static @Nullable String meaning(Availability group, boolean several) {
    String whose = several ? " in the group " + group.group() : "";
    if (group.stopped() > 0) {
      return "without a majority, reads and writes"
          + part(group, group.stopped())
          + whose
          + " are refused until enough nodes are back. Nothing that was acknowledged is lost.";
    }
    if (group.withoutSpare() > 0) {
      return "everything"
          + whose
          + " still works, but if one more node fails, reads and writes"
          + part(group, group.withoutSpare())
          + " may stop until it is back.";
    }
    return group.fewerCopies() > 0 ? "fewer copies of the data" + whose + " can be reached." : null;
  }

  /// What is at risk in a group although all its nodes answer: it has one or two.
  private static String tooFew(Availability group, boolean several) {
    String whose = several ? " of the group " + group.group() : "";
    return group.acknowledged() == 1
        ? "The data" + whose + " has no second copy: if its node or disk is lost, so is the data."
        : "If one node fails, reads and writes"
            + part(group, group.withoutSpare())
            + whose
            + " stop until it is back: three nodes can do without one.";
  }

  /// Nothing if it is all of the group.
  private static String part(Availability group, int partitions) {
    return partitions == group.partitions()
        ? ""
        : " of %d of %d partitions".formatted(partitions, group.partitions());
  }

  private static String listed(List<String> names) {
    int last = names.size() - 1;
    return last == 0
        ? names.getFirst()
        : String.join(", ", names.subList(0, last)) + " and " + names.get(last);
  }

  private static @Nullable JsonObject change(NodeStatus.Change change) {
    MoveProgress progress = change.progress();
    if (progress == null) {
      return change.joint() ? new JsonObject().put("driven_here", false) : null;
    }
    return new JsonObject()
        .put("driven_here", true)
        .put("phase", progress.phase())
        .put("partitions", progress.partitions())
        .put("partitions_done", progress.partitionsDone())
        .put("keys_moved", progress.keysMoved());
  }

  static List<String> atRisk(NodeStatus status) {
    List<String> sentences = new ArrayList<>();
    if (status.waitsFor() != null) {
      // Whom it cannot hear, and what it lacks, says nothing about the cluster.
      return List.of("This node does not take part: " + status.waitsFor() + ".");
    }
    List<String> gone =
        status.members().stream()
            .filter(member -> !member.reachable())
            .map(NodeStatus.Member::id)
            .toList();
    if (gone.isEmpty()) {
      status.availability().stream()
          .filter(group -> group.withoutSpare() > 0)
          .forEach(group -> sentences.add(tooFew(group, status.availability().size() > 1)));
    } else {
      String silent = listed(gone) + (gone.size() == 1 ? " does" : " do") + " not answer: ";
      boolean several = status.availability().size() > 1;
      List<String> meanings = new ArrayList<>();
      for (Availability group : status.availability()) {
        String meaning = meaning(group, several);
        if (meaning != null) {
          meanings.add(meaning);
        }
      }
      if (status.reachable() < status.needed()) {
        meanings.add(
            "members are neither added nor removed until a majority of all nodes is back.");
      }
      if (meanings.isEmpty()) {
        meanings.add("all data still has all its copies.");
      }
      meanings.forEach(meaning -> sentences.add(silent + meaning));
    }
    for (NodeStatus.Member member : status.members()) {
      if (member.behind() > 0) {
        // Which of the two lacks what, hashes do not tell.
        sentences.add(
            "This node and "
                + member.id()
                + " differ in "
                + member.behind()
                + (member.behind() == 1 ? " partition" : " partitions")
                + ": until they are alike again, some of what is there has fewer copies.");
      }
    }
    if (status.change().joint()) {
      sentences.add(
          "The members are being changed: until that is done, a majority of the old and of the new"
              + " nodes is needed.");
    }
    if (status.full()) {
      sentences.add("This node has no room left: new values may be refused.");
    }
    return sentences;
  }
}
