package dev.parley.demo.api;

import dev.parley.demo.DemoConfig;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/// Reads request bodies, none larger than allowed and all together no larger than the heap can
/// hold.
@ApplicationScoped
class Bodies {
  /// A body is held as bytes, and while it is parsed up to five times more as text; the dictionary
  /// and the server itself need some 25 MB.
  private static final int SHARE_OF_HEAP = 16;

  private final long limit;
  private final long budget;
  private final AtomicLong held = new AtomicLong();

  Bodies(DemoConfig config) {
    this.budget = Runtime.getRuntime().maxMemory() / SHARE_OF_HEAP;
    this.limit = Math.min(config.maxBodyBytes(), budget);
  }

  /// Reads the whole body and hands it on, or hands on why it cannot be had. The room it takes is
  /// free again when the receiver runs what it is handed beside the body.
  void read(
      HttpServerRequest request, BiConsumer<Buffer, Runnable> whole, Consumer<ApiError> refused) {
    if (!Http.isJson(request)) {
      refused.accept(
          ApiError.of(415, "The body must be sent as Content-Type: application/json.", null));
      request.resume();
      return;
    }
    var reading = new Reading(whole, refused);
    String announced = request.getHeader(HttpHeaders.CONTENT_LENGTH);
    if (announced != null && announced.length() < 19 && Long.parseLong(announced) > limit) {
      reading.refuse(tooLarge());
    }
    request.handler(reading::add);
    request.endHandler(_ -> reading.complete());
    request.exceptionHandler(_ -> reading.giveBack());
    request.resume();
  }

  private ApiError tooLarge() {
    return ApiError.of(
        413, "The body is larger than the " + limit + " bytes accepted here.", "body_too_large");
  }

  private final class Reading {
    private final BiConsumer<Buffer, Runnable> whole;
    private final Consumer<ApiError> refused;
    private Buffer body = Buffer.buffer();
    private long taken;
    private boolean over;

    Reading(BiConsumer<Buffer, Runnable> whole, Consumer<ApiError> refused) {
      this.whole = whole;
      this.refused = refused;
    }

    /// What comes after a refusal is read and dropped, so that the client gets to see the refusal.
    void add(Buffer part) {
      if (over) {
        return;
      }
      if (body.length() + (long) part.length() > limit) {
        refuse(tooLarge());
        return;
      }
      taken += part.length();
      if (held.addAndGet(part.length()) > budget) {
        refuse(ApiError.overloaded("Too many large requests at once.", 1));
        return;
      }
      body.appendBuffer(part);
    }

    void complete() {
      if (!over) {
        over = true;
        Buffer read = body;
        body = Buffer.buffer();
        whole.accept(read, this::giveBack);
      }
    }

    void refuse(ApiError error) {
      over = true;
      giveBack();
      refused.accept(error);
    }

    /// Once is enough; more often is harmless, from whatever thread.
    synchronized void giveBack() {
      over = true;
      held.addAndGet(-taken);
      taken = 0;
      body = Buffer.buffer();
    }
  }
}
