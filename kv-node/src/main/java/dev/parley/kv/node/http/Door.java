package dev.parley.kv.node.http;

import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// What every request passes before a route is chosen. The router resolves dot segments and
/// decodes what it thinks harmless, and it answers a path it cannot decode with a bare 400; so
/// paths whose meaning would change on the way are refused here, while they are as they were sent.
/// It takes the place of Quarkus's own check of the URI, whose 400 says nothing; see
/// [dev.parley.kv.node.Start].
///
/// A node that is stopping lets its clients' requests in no more, and waits a little for those that
/// are under way, with the help of its peers, who still come in.
@ApplicationScoped
class Door {

  /// As long as a node waits for a quorum, and a little more.
  private static final Duration PATIENCE = Duration.ofSeconds(3);

  private static final Logger LOG = Logger.getLogger(Door.class);

  private final AtomicInteger underWay = new AtomicInteger();
  private final CountDownLatch lastAnswered = new CountDownLatch(1);
  private volatile boolean stopping;

  void routes(@Observes Router router) {
    // Without a path of its own, so that the router does not normalize the request's for it.
    router.route().order(-99).handler(this::enter);
  }

  /// Returns when no request is under way any more, or after [#PATIENCE]; then the server closes.
  void stop(@Observes ShutdownDelayInitiatedEvent event) throws InterruptedException {
    stopping = true;
    if (underWay.get() > 0 && !lastAnswered.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
      LOG.info("stopping although some requests are still under way");
    }
  }

  private void enter(RoutingContext context) {
    String path = context.request().path();
    if (path != null && (path.startsWith("/internal/") || path.startsWith("/q/"))) {
      check(context);
      return;
    }
    underWay.incrementAndGet();
    context.addEndHandler(_ -> left());
    if (stopping) {
      context.request().resume();
      context.response().putHeader("Connection", "close");
      Problem.NOT_APPLIED.answer(context, "this node is stopping");
      return;
    }
    check(context);
  }

  private void left() {
    if (underWay.decrementAndGet() == 0 && stopping) {
      lastAnswered.countDown();
    }
  }

  private static void check(RoutingContext context) {
    String path = context.request().path();
    String query = context.request().query();
    String wrong = path == null ? "the path is missing" : wrong(path, true);
    if (wrong == null && query != null) {
      wrong = wrong(query, false);
      path = "";
    }
    if (wrong == null) {
      context.next();
      return;
    }
    context.request().resume();
    boolean namesKey = path.startsWith("/v1/kv/") || path.lastIndexOf('/') == 0;
    (namesKey ? Problem.BAD_KEY : Problem.BAD_REQUEST).answer(context, wrong);
  }

  /// What is wrong with a raw path or query, or null. Characters that a URI should not have but
  /// that can mean only one thing, such as braces, are let through.
  static @Nullable String wrong(String raw, boolean isPath) {
    int dots = 0;
    boolean onlyDots = true;
    for (int i = 0; i <= raw.length(); i++) {
      char c = i == raw.length() ? '/' : raw.charAt(i);
      if (c <= ' ' || c >= 0x7f) {
        return "control characters and characters outside ASCII must be percent-encoded";
      }
      if (c == '%') {
        int high = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 1), 16) : -1;
        int low = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 2), 16) : -1;
        if (high < 0 || low < 0) {
          return "a % is not followed by two hex digits";
        }
        c = (char) (high << 4 | low);
        i += 2;
      }
      if (c == '/') {
        if (isPath && onlyDots && (dots == 1 || dots == 2)) {
          return "no part of a path between slashes may be . or .., encoded or not";
        }
        dots = 0;
        onlyDots = true;
      } else if (c == '.') {
        dots++;
      } else {
        onlyDots = false;
      }
    }
    return null;
  }
}
