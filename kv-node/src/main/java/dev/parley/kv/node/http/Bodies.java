package dev.parley.kv.node.http;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/// Reads request bodies, bounded one by one and all together.
public final class Bodies {

  /// All bodies of one sort being held at once, over all connections. Beyond this, requests are
  /// refused early instead of running out of memory.
  private static final long ALL = 24 << 20;

  /// Whose bodies they are. Peers have a bound of their own, so that clients that stall in the
  /// middle of their uploads cannot cut the node off from the cluster.
  public enum From {
    CLIENT,
    PEER;

    private final AtomicLong held = new AtomicLong();
  }

  private Bodies() {}

  /// Reads at most `limit` bytes, or answers 413; the body counts as held until the response ends.
  public static void read(RoutingContext context, From from, int limit, Consumer<byte[]> then) {
    HttpServerRequest request = context.request();
    long announced = announced(request);
    if (announced > limit) {
      tooLarge(context, limit);
      return;
    }
    Buffer body = Buffer.buffer();
    boolean[] refused = {false};
    long[] held = {0};
    context.addEndHandler(_ -> from.held.addAndGet(-held[0]));
    request.exceptionHandler(_ -> {});
    request.handler(
        chunk -> {
          if (refused[0]) {
            return;
          }
          if (body.length() + chunk.length() > limit) {
            refused[0] = true;
            tooLarge(context, limit);
            return;
          }
          held[0] += chunk.length();
          if (from.held.addAndGet(chunk.length()) > ALL) {
            refused[0] = true;
            Problem.NOT_APPLIED.answer(context, "too many large requests at once");
            return;
          }
          body.appendBuffer(chunk);
        });
    request.endHandler(
        _ -> {
          if (!refused[0]) {
            then.accept(body.getBytes());
          }
        });
    request.resume();
  }

  private static long announced(HttpServerRequest request) {
    String header = request.getHeader("Content-Length");
    try {
      return header == null ? 0 : Long.parseLong(header);
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  private static void tooLarge(RoutingContext context, int limit) {
    context.response().putHeader("Connection", "close");
    Problem.TOO_LARGE.answer(context, "at most " + limit + " bytes");
  }
}
