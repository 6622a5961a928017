package dev.parley.demo.api;

import com.fasterxml.jackson.databind.JsonNode;
import io.netty.channel.ChannelOption;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.net.impl.ConnectionBase;

/// One request on its event loop: how it is answered, and that it ends exactly once.
final class Exchange {
  private static final long NONE = -1;

  private final HttpServerRequest request;
  private final Vertx vertx;
  private final Context context;
  private final Traffic traffic;
  private long timer = NONE;
  private boolean over;

  /// Begins a counted exchange; the client's going away ends it.
  Exchange(HttpServerRequest request, Vertx vertx, Traffic traffic) {
    this.request = request;
    this.vertx = vertx;
    this.context = vertx.getOrCreateContext();
    this.traffic = traffic;
    traffic.began();
    request.response().closeHandler(_ -> end("disconnected"));
    request.response().exceptionHandler(_ -> end("disconnected"));
  }

  HttpServerResponse response() {
    return request.response();
  }

  boolean isOver() {
    return over;
  }

  /// Runs on this exchange's event loop, unless the exchange is over by then.
  void resume(Runnable step) {
    context.runOnContext(
        _ -> {
          if (!over) {
            step.run();
          }
        });
  }

  /// Runs the step after a while, unless the exchange ends before. One step waits at a time.
  void after(long millis, Runnable step) {
    if (over) {
      return;
    }
    if (millis <= 0) {
      step.run();
      return;
    }
    timer =
        vertx.setTimer(
            millis,
            _ -> {
              timer = NONE;
              if (!over) {
                step.run();
              }
            });
  }

  void sent(int tokens) {
    traffic.sent(tokens);
  }

  void end(String outcome) {
    if (over) {
      return;
    }
    over = true;
    if (timer != NONE) {
      vertx.cancelTimer(timer);
    }
    traffic.ended(outcome);
  }

  void json(JsonNode body) {
    if (!over) {
      end("complete");
      Http.json(request, 200, body);
    }
  }

  void refuse(ApiError error) {
    if (!over) {
      end("refused");
      Http.error(request, error);
    }
  }

  void strike(ApiError error) {
    if (!over) {
      end("fault");
      Http.error(request, error);
    }
  }

  void finish(Buffer lastBytes) {
    if (!over) {
      end("complete");
      response().end(lastBytes);
    }
  }

  /// Resets the connection: the client sees no orderly end of the answer.
  void reset() {
    end("fault");
    if (request.connection() instanceof ConnectionBase connection) {
      connection.channel().config().setOption(ChannelOption.SO_LINGER, 0);
      connection.channel().close();
    } else {
      request.connection().close();
    }
  }

  /// Begins an event stream.
  void beginEvents() {
    response()
        .setChunked(true)
        .putHeader(HttpHeaders.CONTENT_TYPE, "text/event-stream; charset=utf-8")
        .putHeader(HttpHeaders.CACHE_CONTROL, "no-cache")
        .putHeader("X-Accel-Buffering", "no");
  }
}
