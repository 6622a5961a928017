package dev.parley.kv.node.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Message;
import dev.parley.kv.core.Versioned;
import dev.parley.kv.core.wire.Batch;
import io.vertx.core.Context;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.logging.Logger;
import org.jboss.logmanager.ExtHandler;
import org.jboss.logmanager.ExtLogRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PeerLinkTest {

  private static final int MEBIBYTE = 1 << 20;
  private static final int NOBODY = 1;

  /// What a link told its listener.
  private record Told(String what, List<Message> messages) {}

  private final Vertx vertx = Vertx.vertx();
  private final Context loop = vertx.getOrCreateContext();
  private final BlockingQueue<Told> told = new LinkedBlockingQueue<>();
  private final AtomicBoolean sending = new AtomicBoolean();
  private final AtomicBoolean toldInside = new AtomicBoolean();

  @AfterEach
  void close() throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  private static Message accept(int number, int bytes) {
    return new Message.Accept(
        new Message.Scope(1),
        number,
        Key.of("k" + number),
        new Ballot(1, "a", 1),
        Versioned.of(1, new byte[bytes], List.of(), 0),
        Ballot.ZERO);
  }

  private PeerLink link(int port) {
    return new PeerLink(
        loop,
        "b",
        URI.create("http://127.0.0.1:" + port),
        "test",
        "a",
        "Bearer x",
        () -> 1,
        new PeerLink.Listener() {
          @Override
          public void undelivered(List<Message> messages) {
            tell("undelivered", messages);
          }

          @Override
          public void dropped(List<Message> messages) {
            tell("dropped", messages);
          }

          @Override
          public void replied(Batch batch) {
            tell("replied", batch.messages());
          }
        });
  }

  private void tell(String what, List<Message> messages) {
    if (sending.get()) {
      toldInside.set(true);
    }
    told.add(new Told(what, List.copyOf(messages)));
  }

  private void send(PeerLink link, List<Message> messages) throws Exception {
    CompletableFuture<Void> sent = new CompletableFuture<>();
    loop.runOnContext(
        _ -> {
          sending.set(true);
          messages.forEach(link::send);
          sending.set(false);
          sent.complete(null);
        });
    sent.get(10, TimeUnit.SECONDS);
  }

  private Told next() throws InterruptedException {
    Told next = told.poll(10, TimeUnit.SECONDS);
    return next == null ? new Told("nothing", List.of()) : next;
  }

  private int server(Handler<HttpServerRequest> handler) throws Exception {
    HttpServer server = vertx.createHttpServer().requestHandler(handler);
    return server
        .listen(0, "127.0.0.1")
        .toCompletionStage()
        .toCompletableFuture()
        .get(10, TimeUnit.SECONDS)
        .actualPort();
  }

  @Test
  void tellsOfNothingWhileAMessageIsBeingSent() throws Exception {
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      messages.add(accept(i, MEBIBYTE));
    }
    send(link(NOBODY), messages);
    assertTrue(!next().messages().isEmpty());
    assertFalse(toldInside.get());
  }

  @Test
  void dropsWhatIsTooMuchWithoutCallingThePeerUnreachable() throws Exception {
    int port = server(_ -> {}); // Takes everything and never answers.
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      messages.add(accept(i, MEBIBYTE));
    }
    send(link(port), messages);
    Told first = next();
    assertEquals("dropped", first.what());
    assertEquals(1, first.messages().size());
    assertTrue(first.messages().getFirst().call() > 40, "the first ones are kept");
  }

  @Test
  void aPeerThatIsBehindIsNotUnreachable() throws Exception {
    send(
        link(server(request -> request.response().setStatusCode(503).end())),
        List.of(accept(1, 10)));
    Told first = next();
    assertEquals("dropped", first.what());
    assertEquals(1, first.messages().size());
  }

  @Test
  void smallMessagesDoNotWaitBehindLargeOnes() throws Exception {
    BlockingQueue<Long> arrived = new LinkedBlockingQueue<>();
    int port =
        server(
            request ->
                request.body(
                    body -> {
                      if (body.succeeded() && body.result().length() < MEBIBYTE) {
                        Batch.decode(body.result().getBytes())
                            .messages()
                            .forEach(message -> arrived.add(message.call()));
                        request.response().setStatusCode(204).end();
                      } // The large ones are never answered.
                    }));
    PeerLink link = link(port);
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      messages.add(accept(i, MEBIBYTE));
    }
    messages.add(accept(100, 10));
    send(link, messages);
    assertEquals(100L, arrived.poll(10, TimeUnit.SECONDS));
    send(link, List.of(accept(101, 10)));
    assertEquals(101L, arrived.poll(1, TimeUnit.SECONDS));
  }

  @Test
  void handsOnTheRepliesThatTheAnswerCarries() throws Exception {
    Batch replies = new Batch("test", "b", 7, List.of(new Message.Pong(42)));
    int port = server(request -> request.response().end(Buffer.buffer(replies.encode())));
    send(link(port), List.of(accept(1, 10)));
    Told first = next();
    assertEquals("replied", first.what());
    assertEquals(42, first.messages().getFirst().call());
  }

  @Test
  void believesNoAnswerOfAnotherNodeOrCluster() throws Exception {
    List<Batch> strangers =
        List.of(
            new Batch("other", "b", 7, List.of(new Message.Pong(1))),
            new Batch("test", "c", 7, List.of(new Message.Pong(2))));
    Batch friend = new Batch("test", "b", 7, List.of(new Message.Pong(3)));
    List<Buffer> answers = new ArrayList<>();
    strangers.forEach(stranger -> answers.add(Buffer.buffer(stranger.encode())));
    answers.add(Buffer.buffer("not a batch"));
    answers.add(Buffer.buffer(friend.encode()));
    BlockingQueue<Buffer> waiting = new LinkedBlockingQueue<>(answers);
    int port = server(request -> request.response().end(waiting.remove()));
    PeerLink link = link(port);
    for (int i = 0; i < answers.size(); i++) {
      int left = answers.size() - i - 1;
      send(link, List.of(accept(i, 10)));
      long deadline = System.nanoTime() + 10_000_000_000L;
      while (waiting.size() > left && System.nanoTime() < deadline) {
        Thread.onSpinWait();
      }
    }
    Told first = next();
    assertEquals("replied", first.what());
    assertEquals(3, first.messages().getFirst().call());
  }

  @Test
  void sendsNothingAndTellsNothingOnceItIsClosed() throws Exception {
    BlockingQueue<HttpServerRequest> arrived = new LinkedBlockingQueue<>();
    AtomicBoolean thrown = new AtomicBoolean();
    loop.exceptionHandler(_ -> thrown.set(true));
    PeerLink link = link(server(arrived::add));
    send(link, List.of(accept(1, 10), accept(2, MEBIBYTE)));
    assertNotNull(arrived.poll(10, TimeUnit.SECONDS));
    // One is out, one waits for its turn of the event loop, one comes too late.
    loop.runOnContext(
        _ -> {
          link.send(accept(3, 10));
          link.close();
          link.send(accept(4, 10));
        });
    for (int turn = 0; turn < 10; turn++) {
      send(link, List.of(accept(5, 10)));
    }
    assertFalse(thrown.get());
    assertTrue(told.isEmpty(), told.toString());
  }

  @Test
  void theEndOfVertxIsNoErrorOfALinkThatHasMoreToSend() throws Exception {
    BlockingQueue<HttpServerRequest> arrived = new LinkedBlockingQueue<>();
    AtomicBoolean thrown = new AtomicBoolean();
    loop.exceptionHandler(_ -> thrown.set(true));
    PeerLink link = link(server(arrived::add));
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      messages.add(accept(i, MEBIBYTE));
    }
    send(link, messages);
    assertNotNull(arrived.poll(10, TimeUnit.SECONDS));
    close();
    assertFalse(thrown.get());
  }

  @Test
  void saysOnceWhyThePeerRefusesInOneLine() throws Exception {
    List<String> lines = new CopyOnWriteArrayList<>();
    Handler<HttpServerRequest> refusing =
        request ->
            request
                .response()
                .setStatusCode(409)
                .end("{\"type\":\"/problems/kv/wrong-cluster\",\"detail\":\"is of\\nzzz\"}");
    try (var _ = listening(lines)) {
      PeerLink link = link(server(refusing));
      for (int i = 0; i < 3; i++) {
        send(link, List.of(accept(i, 10)));
        assertEquals("undelivered", next().what());
      }
    }
    assertEquals(List.of("b refuses messages with status 409: is of?zzz"), lines);
  }

  private static AutoCloseable listening(List<String> lines) {
    var handler =
        new ExtHandler() {
          @Override
          protected void doPublish(ExtLogRecord line) {
            lines.add(line.getFormattedMessage());
          }
        };
    var logger = Logger.getLogger(PeerLink.class.getName());
    logger.addHandler(handler);
    return () -> logger.removeHandler(handler);
  }
}
