package dev.parley.kv.node.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Message;
import dev.parley.kv.core.Versioned;
import io.vertx.core.Vertx;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class PeerLinkTest {

  private static final int VALUE = 1 << 20;

  private static Message.Accept accept(int number) {
    return new Message.Accept(
        new Message.Scope(1),
        number,
        Key.of("k" + number),
        new Ballot(1, "a", 1),
        Versioned.of(1, new byte[VALUE], List.of(), 0),
        Ballot.ZERO);
  }

  @Test
  void neverReportsAMessageAsUndeliveredWhileItIsBeingSent() throws Exception {
    Vertx vertx = Vertx.vertx();
    try {
      CompletableFuture<Boolean> reportedInside = new CompletableFuture<>();
      CompletableFuture<Integer> firstReport = new CompletableFuture<>();
      AtomicBoolean sending = new AtomicBoolean();
      vertx.runOnContext(
          _ -> {
            PeerLink link =
                new PeerLink(
                    vertx,
                    "b",
                    URI.create("http://127.0.0.1:1"),
                    "test",
                    "a",
                    "Bearer x",
                    () -> 1,
                    messages -> {
                      if (sending.get()) {
                        reportedInside.complete(true);
                      }
                      firstReport.complete(messages.size());
                    });
            // More than a link queues, so that the last ones are refused.
            sending.set(true);
            for (int i = 0; i < 20; i++) {
              link.send(accept(i));
            }
            sending.set(false);
            reportedInside.complete(false);
          });
      assertFalse(reportedInside.get(10, TimeUnit.SECONDS));
      assertEquals(1, firstReport.get(10, TimeUnit.SECONDS));
    } finally {
      vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }
  }
}
