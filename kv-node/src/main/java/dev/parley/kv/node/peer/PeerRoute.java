package dev.parley.kv.node.peer;

import dev.parley.kv.core.wire.Batch;
import dev.parley.kv.core.wire.MalformedBytesException;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import dev.parley.kv.node.http.Bodies;
import dev.parley.kv.node.http.Problem;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.logging.Logger;

/// Where batches from peers arrive. Anything that is not from a member of this very cluster with
/// the service token is refused before it reaches the core.
@ApplicationScoped
class PeerRoute {

  static final String PATH = "/internal/peer";
  static final String CONTENT_TYPE = "application/x-parley-peer";

  private static final Logger LOG = Logger.getLogger(PeerRoute.class);

  /// A batch is at most a mebibyte, or one message with one value or one page of rows.
  private static final int MAX_BATCH = 8 << 20;

  private final Settings settings;
  private final NodeHost host;

  /// Peers whose batch was taken, but not yet answered, because the disk is behind.
  private final Set<String> held = ConcurrentHashMap.newKeySet();

  PeerRoute(Settings settings, NodeHost host) {
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    router.post(PATH).order(-10).handler(this::receive);
  }

  private void receive(RoutingContext context) {
    if (!settings.authorized(context.request().getHeader("Authorization"))) {
      Problem.UNAUTHORIZED.answer(context, "the service token is missing or wrong");
      return;
    }
    Bodies.read(context, Bodies.From.PEER, MAX_BATCH, bytes -> accept(context, bytes));
  }

  private void accept(RoutingContext context, byte[] bytes) {
    Batch batch;
    try {
      batch = Batch.decode(bytes);
    } catch (MalformedBytesException e) {
      Problem.BAD_REQUEST.answer(context, e.getMessage());
      return;
    }
    if (!batch.cluster().equals(settings.cluster()) || batch.from().equals(settings.self())) {
      LOG.warnf("refused node %s of cluster %s", batch.from(), batch.cluster());
      Problem.WRONG_CLUSTER.answer(context, "not a peer of this cluster");
      return;
    }
    if (!host.logBehind()) {
      host.receive(batch);
      context.response().setStatusCode(204).end();
    } else if (held.add(batch.from())) {
      host.receive(batch);
      hold(context, batch.from());
    } else {
      // It did not wait for the answer to its last one. What is refused here was never delivered.
      Problem.NOT_APPLIED.answer(context, "the disk is behind");
    }
  }

  /// Answers once the disk has caught up, so that until then the peer's next messages gather on
  /// its side.
  private void hold(RoutingContext context, String from) {
    Context loop = Vertx.currentContext();
    host.whenLogHasRoom(
        () -> {
          held.remove(from);
          loop.runOnContext(
              _ -> {
                var response = context.response();
                if (!response.ended() && !response.closed()) {
                  response.setStatusCode(204).end();
                }
              });
        });
  }
}
