package dev.parley.demo.api;

import dev.parley.demo.reply.Completion;
import dev.parley.demo.reply.Tokens;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;

/// One answer on its way, token by token, each when it is due: a timer, no thread, and no faster
/// than the client reads.
final class TokenStream {
  /// Frames written in one go before other streams get their turn.
  private static final int BURST = 256;

  /// Time for what was written to reach the client before a reset discards what is still buffered.
  private static final long BEFORE_RESET_MS = 20;

  /// What the faults make of this stream. [#NEVER] for what does not strike.
  record Script(int cutAfter, int stallAfter, int malformedAt, boolean missingDone) {
    static final int NEVER = Integer.MAX_VALUE;
  }

  private final Exchange exchange;
  private final Chunks chunks;
  private final Completion completion;
  private final Pace pace;
  private final Script script;
  private final long began = System.nanoTime();
  private int sent;
  private int at;
  private boolean malformed;
  private Future<Void> lastWrite = Future.succeededFuture();

  TokenStream(Exchange exchange, Chunks chunks, Completion completion, Pace pace, Script script) {
    this.exchange = exchange;
    this.chunks = chunks;
    this.completion = completion;
    this.pace = pace;
    this.script = script;
  }

  void begin() {
    exchange.beginEvents();
    lastWrite = exchange.response().write(chunks.role());
    waitForNext();
  }

  private void waitForNext() {
    long wait = pace.dueNanos(sent) - (System.nanoTime() - began);
    exchange.after(Math.ceilDiv(wait, 1_000_000L), this::advance);
  }

  private void advance() {
    String text = completion.text();
    for (int burst = 0; burst < BURST; burst++) {
      if (sent == script.cutAfter()) {
        lastWrite.onComplete(_ -> exchange.after(BEFORE_RESET_MS, exchange::reset));
        return;
      }
      if (sent == script.stallAfter()) {
        return;
      }
      if (sent == script.malformedAt() && !malformed) {
        malformed = true;
        exchange.response().write(chunks.malformed());
      }
      if (at == text.length()) {
        finish();
        return;
      }
      if (pace.dueNanos(sent) > System.nanoTime() - began) {
        break;
      }
      int end = Tokens.end(text, at);
      lastWrite = exchange.response().write(chunks.content(text.substring(at, end)));
      at = end;
      sent++;
      exchange.sent(1);
    }
    if (exchange.response().writeQueueFull()) {
      exchange.response().drainHandler(_ -> exchange.resume(this::waitForNext));
    } else if (pace.dueNanos(sent) <= System.nanoTime() - began) {
      exchange.after(1, this::advance);
    } else {
      waitForNext();
    }
  }

  private void finish() {
    exchange.response().write(chunks.finish(completion.finishReason()));
    chunks.usage(completion.tokens()).ifPresent(exchange.response()::write);
    exchange.finish(script.missingDone() ? Buffer.buffer() : chunks.done());
  }
}
