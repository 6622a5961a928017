package dev.parley.kv.node.http;

import io.netty.channel.Channel;
import io.netty.util.AttributeKey;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.vertx.core.MultiMap;
import io.vertx.core.net.impl.ConnectionBase;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.List;
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

  /// Of a connection whose last request was read.
  private static final AttributeKey<Boolean> LAST = AttributeKey.valueOf(Door.class, "last");

  private final AtomicInteger underWay = new AtomicInteger();
  private final CountDownLatch lastAnswered = new CountDownLatch(1);
  private volatile boolean stopping;

  void routes(@Observes Router router) {
    // Without a path of its own, so that the router does not normalize the request's for it.
    router.route().order(-99).handler(this::enter).failureHandler(Door::failed);
    // After all that the framework has a route for.
    router.route().order(Integer.MAX_VALUE - 1).handler(Door::nowhere);
  }

  private static void nowhere(RoutingContext context) {
    context.request().resume();
    Problem.NO_ROUTE.answer(context, null);
  }

  /// What the router itself refuses, such as a request without a host, is the client's mistake and
  /// not worth a line in the log. Everything else is the framework's to tell.
  private static void failed(RoutingContext context) {
    if (context.statusCode() == 404) {
      nowhere(context);
    } else if (context.statusCode() == 400) {
      closeAfter(context);
      context.request().resume();
      Problem.BAD_REQUEST.answer(context, "the request line or the Host header is not valid");
    } else {
      context.next();
    }
  }

  /// Returns when no request is under way any more, or after [#PATIENCE]; then the server closes.
  void stop(@Observes ShutdownDelayInitiatedEvent event) throws InterruptedException {
    stopping = true;
    if (underWay.get() > 0 && !lastAnswered.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
      LOG.info("stopping although some requests are still under way");
    }
  }

  private void enter(RoutingContext context) {
    if (channel(context).hasAttr(LAST)) {
      return;
    }
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
    MultiMap headers = context.request().headers();
    if (headers.contains("Transfer-Encoding")) {
      List<String> coding = headers.getAll("Transfer-Encoding");
      // Two lengths are how a request is smuggled past a proxy, and the decoder drops the one that
      // counts less: so nothing that follows a body in chunks is read from this connection.
      closeAfter(context);
      if (headers.contains("Content-Length")
          || coding.size() > 1
          || !coding.getFirst().strip().equalsIgnoreCase("chunked")) {
        context.request().resume();
        Problem.BAD_REQUEST.answer(context, "Transfer-Encoding takes only chunked, by itself");
        return;
      }
    }
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

  /// Makes this the last request of its connection. The header alone leaves it to the client to
  /// close, and what it has sent already would be carried out.
  private static void closeAfter(RoutingContext context) {
    context.response().putHeader("Connection", "close");
    channel(context).attr(LAST).set(true);
    context.addEndHandler(_ -> context.request().connection().close());
  }

  private static Channel channel(RoutingContext context) {
    return ((ConnectionBase) context.request().connection()).channel();
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
        int octet = Requests.octet(raw, i);
        if (octet < 0) {
          return Requests.BAD_PERCENT;
        }
        c = (char) octet;
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
