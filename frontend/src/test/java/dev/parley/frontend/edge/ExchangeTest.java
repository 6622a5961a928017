package dev.parley.frontend.edge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vertx.core.Future;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The relay between a real client and real little servers, without the framework around it.
@Timeout(30)
class ExchangeTest {
  private static final String MESSAGES = "/api/conversations/c1/messages";

  private final Vertx vertx = Vertx.vertx();
  private final HttpClient browser = HttpClient.newHttpClient();
  private final AtomicInteger firstAsked = new AtomicInteger();
  private final AtomicInteger secondAsked = new AtomicInteger();

  @AfterEach
  void close() throws Exception {
    browser.close();
    await(vertx.close());
  }

  @Test
  void aRefusedConnectionIsInvisibleEvenForARequestThatMayNotBeRepeated() throws Exception {
    var relay = relay(List.of(nobody(), server(secondAsked, ExchangeTest::echo)));
    var answer = post(relay, "/v1/chat/completions", "{\"model\":\"m\"}");
    assertEquals(200, answer.statusCode());
    assertEquals("{\"model\":\"m\"}", answer.body());
    assertEquals(1, secondAsked.get());
  }

  @Test
  void nobodyThereIsA503ThatSaysWhenToComeBack() throws Exception {
    var answer = get(relay(List.of(nobody(), nobody())), "/api/conversations");
    assertEquals(503, answer.statusCode());
    assertEquals("1", answer.headers().firstValue("Retry-After").orElseThrow());
    assertEquals(
        "application/problem+json", answer.headers().firstValue("Content-Type").orElseThrow());
  }

  @Test
  void aReadWhoseConnectionBreaksIsAskedElsewhere() throws Exception {
    var relay = relay(List.of(breaking(), server(secondAsked, ExchangeTest::echo)));
    assertEquals(200, get(relay, "/api/conversations").statusCode());
    assertEquals(1, firstAsked.get());
  }

  @Test
  void aMessageWithItsClientIdIsSentAgainWithTheSameBody() throws Exception {
    var relay = relay(List.of(breaking(), server(secondAsked, ExchangeTest::echo)));
    var body = "{\"client_id\":\"a1\",\"content\":\"你好\"}";
    assertEquals(body, post(relay, MESSAGES, body).body());
    assertEquals(1, firstAsked.get());
  }

  @Test
  void aChangeThatMayHaveBeenAppliedIsNotRepeatedButReportedAsUnknown() throws Exception {
    var relay = relay(List.of(breaking(), server(secondAsked, ExchangeTest::echo)));
    for (var path : List.of(MESSAGES, "/api/conversations", "/v1/chat/completions")) {
      var answer = post(relay, path, "{\"content\":\"no client id\"}");
      assertEquals(502, answer.statusCode());
      var word = path.startsWith("/v1/") ? "\"code\":\"outcome_unknown\"" : "/outcome-unknown\"";
      assertTrue(answer.body().contains(word), answer.body());
    }
    assertEquals(0, secondAsked.get());
  }

  @Test
  void anEventReachesTheReaderWhileTheStreamIsStillOpen() throws Exception {
    var open = new CompletableFuture<HttpServerRequest>();
    var relay =
        relay(
            List.of(
                server(
                    firstAsked,
                    request -> {
                      request.response().setChunked(true);
                      request.response().putHeader("Content-Type", "text/event-stream");
                      request.response().write("id: 1\nevent: delta\ndata: 一\n\n");
                      open.complete(request);
                    })));
    var answer =
        browser.send(
            request(relay, "/api/conversations/c1/events").build(), BodyHandlers.ofLines());
    var lines = answer.body().iterator();
    assertEquals("id: 1", lines.next());
    assertEquals("event: delta", lines.next());
    assertEquals("data: 一", lines.next());
    var upstream = open.get(5, TimeUnit.SECONDS);
    upstream.response().write("data: 二\n\n");
    lines.next();
    assertEquals("data: 二", lines.next());
    upstream.response().end();
  }

  @Test
  void aStreamThatIsCutLooksCut() throws Exception {
    var relay =
        relay(
            List.of(
                server(
                    firstAsked,
                    request -> {
                      request.response().setChunked(true).write("half");
                      vertx.setTimer(50, later -> request.connection().close());
                    })));
    assertThrows(IOException.class, () -> get(relay, "/v1/chat/completions"));
  }

  @Test
  void aReaderWhoLeavesIsFeltBehindTheRelay() throws Exception {
    var left = new CompletableFuture<Boolean>();
    var relay =
        relay(
            List.of(
                server(
                    firstAsked,
                    request -> {
                      request.response().closeHandler(gone -> left.complete(true));
                      request.response().setChunked(true).write("first\n");
                    })));
    var reading = browser.sendAsync(request(relay, "/v1/x").build(), BodyHandlers.ofLines());
    Stream<String> lines = reading.get(5, TimeUnit.SECONDS).body();
    lines.close();
    browser.shutdownNow();
    assertTrue(left.get(5, TimeUnit.SECONDS));
  }

  @Test
  void aBodyTooLargeToHoldIsStreamedWhole() throws Exception {
    var relay = relay(List.of(nobody(), server(secondAsked, ExchangeTest::echo)));
    var large = new byte[5 * 1024 * 1024];
    for (int i = 0; i < large.length; i++) {
      large[i] = (byte) (i * 31);
    }
    var declared =
        request(relay, "/v1/chat/completions").POST(BodyPublishers.ofByteArray(large)).build();
    assertArrayEquals(large, browser.send(declared, BodyHandlers.ofByteArray()).body());
    var undeclared =
        request(relay, "/v1/chat/completions")
            .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(large)))
            .build();
    assertArrayEquals(large, browser.send(undeclared, BodyHandlers.ofByteArray()).body());
  }

  @Test
  void aBodyOverTheLimitIsRefusedBeforeAnyReplicaSeesIt() throws Exception {
    var relay = relay(List.of(server(firstAsked, ExchangeTest::echo)));
    var answer = post(relay, "/api/conversations", "x".repeat(2 * 1024 * 1024 + 1));
    assertEquals(413, answer.statusCode());
    assertEquals(0, firstAsked.get());
  }

  @Test
  void queryAndHeadersCrossButCookiesAndForwardedClaimsDoNot() throws Exception {
    var relay =
        relay(
            List.of(
                server(
                    firstAsked,
                    request ->
                        request
                            .response()
                            .putHeader("Set-Cookie", "a=b")
                            .end(request.uri() + " " + request.headers().entries()))));
    var answer =
        browser.send(
            request(relay, "/api/conversations?q=%E4%BD%A0&limit=2")
                .header("Cookie", "secret=1")
                .header("X-Forwarded-For", "6.6.6.6")
                .header("If-Match", "\"7\"")
                .build(),
            BodyHandlers.ofString());
    assertTrue(answer.body().startsWith("/api/conversations?q=%E4%BD%A0&limit=2 "), answer::body);
    assertTrue(answer.body().contains("\"7\""));
    assertTrue(answer.body().contains("X-Request-Id=r1"));
    assertFalse(answer.body().contains("secret"));
    assertFalse(answer.body().contains("6.6.6.6"));
    assertTrue(answer.headers().firstValue("Set-Cookie").isEmpty());
  }

  private static void echo(HttpServerRequest request) {
    request.body().onSuccess(body -> request.response().end(body));
  }

  /// A server that takes the request and breaks the connection instead of answering.
  private String breaking() throws Exception {
    return server(
        firstAsked, request -> request.body().onSuccess(body -> request.connection().close()));
  }

  private String server(AtomicInteger asked, Handler<HttpServerRequest> handler) throws Exception {
    var server =
        await(
            vertx
                .createHttpServer()
                .requestHandler(
                    request -> {
                      asked.incrementAndGet();
                      handler.handle(request);
                    })
                .listen(0, "127.0.0.1"));
    return "http://127.0.0.1:" + server.actualPort();
  }

  private static String nobody() throws IOException {
    try (var free = new ServerSocket(0)) {
      return "http://127.0.0.1:" + free.getLocalPort();
    }
  }

  private String relay(List<String> inOrder) throws Exception {
    var client = vertx.createHttpClient();
    var replicas = new Replicas(inOrder.stream().map(URI::create).toList());
    var server =
        await(
            vertx
                .createHttpServer()
                .requestHandler(
                    request -> {
                      request.pause(); // as the framework hands them over
                      request.response().putHeader(Guards.REQUEST_ID, "r1");
                      new Exchange(vertx, client, request, request.path(), replicas, inOrder)
                          .begin();
                    })
                .listen(0, "127.0.0.1"));
    return "http://127.0.0.1:" + server.actualPort();
  }

  private HttpResponse<String> get(String relay, String path) throws Exception {
    return browser.send(request(relay, path).build(), BodyHandlers.ofString());
  }

  private HttpResponse<String> post(String relay, String path, String body) throws Exception {
    return browser.send(
        request(relay, path).POST(BodyPublishers.ofString(body)).build(), BodyHandlers.ofString());
  }

  private static HttpRequest.Builder request(String relay, String path) {
    return HttpRequest.newBuilder(URI.create(relay + path)).version(HttpClient.Version.HTTP_1_1);
  }

  private static <T> T await(Future<T> future)
      throws ExecutionException, InterruptedException, TimeoutException {
    return future.toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }
}
