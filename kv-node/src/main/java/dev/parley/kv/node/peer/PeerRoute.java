package dev.parley.kv.node.peer;

import dev.parley.kv.core.wire.Batch;
import dev.parley.kv.core.wire.MalformedBytesException;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import dev.parley.kv.node.http.Bodies;
import dev.parley.kv.node.http.Problem;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.impl.ContextInternal;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// Where batches from peers arrive; the answer carries the replies (see [NodeHost]). Anything that
/// is not from a node of this very cluster with the service token is refused before it reaches the
/// core, which knows who is a member, who would like to become one, and who was one.
@ApplicationScoped
class PeerRoute {

  static final String PATH = "/internal/peer";
  static final String CONTENT_TYPE = "application/x-parley-peer";

  private static final Logger LOG = Logger.getLogger(PeerRoute.class);

  /// A batch is at most a mebibyte, or one message with one value or one page of rows.
  private static final int MAX_BATCH = 8 << 20;

  private final Settings settings;
  private final NodeHost host;

  /// Most batches of one peer that were taken, but not yet answered, because the disk is behind: a
  /// link has no more connections than that.
  private static final int MAX_HELD = 8;

  /// What was refused, so that each peer and reason is logged once.
  private final Refusals refusals = new Refusals(LOG::warn);

  /// How many those are, by peer.
  private final ConcurrentHashMap<String, Integer> held = new ConcurrentHashMap<>();

  PeerRoute(Settings settings, NodeHost host) {
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    router.post(PATH).order(-10).handler(this::receive);
  }

  private void receive(RoutingContext context) {
    if (!settings.authorized(context.request().getHeader("Authorization"))) {
      refuse(context, Problem.UNAUTHORIZED, null, "the service token is missing or wrong");
      return;
    }
    Bodies.read(context, Bodies.From.PEER, MAX_BATCH, bytes -> accept(context, bytes));
  }

  private void accept(RoutingContext context, byte[] bytes) {
    Batch batch;
    try {
      batch = Batch.decode(bytes);
    } catch (MalformedBytesException e) {
      refuse(context, Problem.BAD_REQUEST, null, String.valueOf(e.getMessage()));
      return;
    }
    String from = batch.from();
    if (!Settings.name(from) || !Settings.name(batch.cluster())) {
      refuse(
          context, Problem.BAD_REQUEST, null, "the name of the node or its cluster is not valid");
      return;
    }
    if (!batch.cluster().equals(settings.cluster())) {
      refuse(
          context,
          Problem.WRONG_CLUSTER,
          from,
          from + " is of cluster " + batch.cluster() + ", not " + settings.cluster());
      return;
    }
    if (from.equals(settings.self())) {
      refuse(context, Problem.WRONG_CLUSTER, from, "another node has the id of this one, " + from);
      return;
    }
    refusals.accepted(from);
    ContextInternal request = (ContextInternal) Vertx.currentContext();
    if (!host.logBehind()) {
      host.receive(batch, replies -> request.emit(replies, given -> answer(context, given)));
    } else if (held.merge(from, 1, Integer::sum) <= MAX_HELD) {
      // Answered once the disk has caught up, so that until then the peer's next messages gather on
      // its side. The replies do not wait for that.
      host.receive(batch);
      host.whenLogHasRoom(
          () -> {
            release(from);
            request.runOnContext(_ -> answer(context, null));
          });
    } else {
      // It did not wait for the answers to its last ones. What is refused here was never delivered.
      release(from);
      Problem.NOT_APPLIED.answer(context, "the disk is behind");
    }
  }

  /// @param from the id of the node, or null if it is not known
  private void refuse(RoutingContext context, Problem problem, @Nullable String from, String why) {
    var address = context.request().remoteAddress();
    refusals.refused(from, address == null ? "nowhere" : address.hostAddress(), why);
    problem.answer(context, why);
  }

  private void release(String from) {
    held.computeIfPresent(from, (_, count) -> count == 1 ? null : count - 1);
  }

  private static void answer(RoutingContext context, @Nullable Batch replies) {
    var response = context.response();
    if (response.ended() || response.closed()) {
      return;
    }
    if (replies == null) {
      response.setStatusCode(204).end();
    } else {
      response.putHeader("Content-Type", CONTENT_TYPE).end(Buffer.buffer(replies.encode()));
    }
  }
}
