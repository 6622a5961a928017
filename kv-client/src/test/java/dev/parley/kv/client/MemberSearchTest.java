package dev.parley.kv.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Members come and go under a client that is not started anew.
class MemberSearchTest {

  private static final String TOKEN = "a-token-for-the-test";
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final Duration OFTEN = Duration.ofMillis(20);
  private static final Duration SELDOM = Duration.ofHours(1);

  private final List<AutoCloseable> opened = new ArrayList<>();
  private final CountDownLatch end = new CountDownLatch(1);

  @AfterEach
  void closeAll() throws Exception {
    end.countDown();
    for (AutoCloseable resource : opened.reversed()) {
      resource.close();
    }
  }

  /// A node that knows members and has its own name for the value of every key, until it is removed
  /// or gone.
  private final class Node {
    final String id;
    final URI url;
    final Semaphore askedForMembers = new Semaphore(0);
    private final HttpServer server;
    volatile boolean removed;
    volatile boolean hangs;
    volatile @Nullable String cluster;

    Node(String id) throws IOException {
      this.id = id;
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
      server.setExecutor(executor);
      server.createContext("/v1/kv/", this::value);
      server.createContext("/v1/cluster", this::members);
      server.start();
      opened.add(executor::shutdownNow);
      opened.add(this::gone);
      url = URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    Node knows(int epoch, Node... members) {
      return says(
          epoch,
          Arrays.stream(members)
              .map(each -> "{\"id\":\"%s\",\"url\":\"%s\"}".formatted(each.id, each.url))
              .collect(Collectors.joining(",")));
    }

    Node says(int epoch, String rows) {
      cluster =
          "{\"cluster_id\":\"c\",\"node_id\":\"%s\",\"epoch\":%d,\"members\":[%s]}"
              .formatted(id, epoch, rows);
      return this;
    }

    void gone() {
      server.stop(0);
    }

    void awaitAsked() throws InterruptedException {
      assertTrue(
          askedForMembers.tryAcquire(PATIENCE.toSeconds(), TimeUnit.SECONDS),
          id + " was not asked who the members are");
    }

    private void value(HttpExchange exchange) throws IOException {
      exchange.getResponseHeaders().set("ETag", "\"1\"");
      if (removed) {
        answer(
            exchange,
            503,
            "{\"type\":\"/problems/kv/not-applied\","
                + "\"detail\":\"this node was removed from the cluster\"}");
      } else {
        answer(exchange, 200, id);
      }
    }

    private void members(HttpExchange exchange) throws IOException {
      boolean authorized =
          ("Bearer " + TOKEN).equals(exchange.getRequestHeaders().getFirst("Authorization"));
      String known = cluster;
      if (hangs) {
        exchange.sendResponseHeaders(200, 0);
        exchange.getResponseBody().write('{');
        exchange.getResponseBody().flush();
        askedForMembers.release();
        try {
          end.await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
        exchange.close();
      } else if (!authorized || known == null) {
        answer(exchange, 401, "");
      } else {
        answer(exchange, 200, known);
        askedForMembers.release();
      }
    }

    private void answer(HttpExchange exchange, int status, String body) throws IOException {
      byte[] bytes = body.getBytes(UTF_8);
      exchange.getRequestBody().readAllBytes();
      exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
      exchange.getResponseBody().write(bytes);
      exchange.close();
    }
  }

  private KvStore store(Duration searchEvery, Node... seeds) {
    HttpKvStore store =
        new HttpKvStore(
            Arrays.stream(seeds).map(seed -> seed.url).toList(), TOKEN, PATIENCE, searchEvery);
    opened.add(store);
    return store;
  }

  @Test
  void goesOnWhenAllNodesItWasConfiguredWithHaveLeft() throws Exception {
    Node founder = new Node("kv-1");
    Node added = new Node("kv-2");
    added.knows(3, founder, added);
    founder.knows(3, founder, added);
    KvStore store = store(OFTEN, founder);
    added.awaitAsked(); // So it was learnt.
    assertEquals("kv-1", store.get("k").orElseThrow().text());
    added.knows(5, added);
    founder.gone();
    assertEquals("kv-2", store.get("k").orElseThrow().text());
  }

  @Test
  void theCallThatMeetsANodeWhichWasRemovedAlreadyFindsTheOnesThatTookOver() throws Exception {
    Node founder = new Node("kv-1");
    Node heir = new Node("kv-2");
    founder.knows(1, founder);
    KvStore store = store(SELDOM, founder);
    founder.awaitAsked();
    assertEquals("kv-1", store.get("k").orElseThrow().text());
    heir.knows(3, heir);
    founder.knows(3, heir);
    founder.removed = true;
    assertInstanceOf(
        WriteOutcome.Applied.class, store.put("k", "v".getBytes(UTF_8), Condition.ALWAYS));
    assertEquals("kv-2", store.get("k").orElseThrow().text());
  }

  @Test
  void membersThatCannotBeReachedFromHereCostNothingWhileASeedAnswers() throws Exception {
    Node unreachable = new Node("kv-9");
    unreachable.gone();
    Node seed = new Node("kv-1").knows(3, unreachable);
    KvStore store = store(OFTEN, seed);
    seed.awaitAsked();
    seed.awaitAsked();
    assertEquals("kv-1", store.get("k").orElseThrow().text());
    seed.awaitAsked();
    assertEquals("kv-1", store.get("k").orElseThrow().text());
  }

  @Test
  void aNodeThatNeverEndsItsAnswerIsPassedOver() throws Exception {
    Node hanging = new Node("kv-1");
    hanging.hangs = true;
    Node seed = new Node("kv-2");
    Node added = new Node("kv-3");
    store(OFTEN, hanging, seed);
    hanging.awaitAsked();
    seed.knows(3, seed, added);
    added.knows(3, seed, added);
    added.awaitAsked();
  }

  @Test
  void anAnswerOfUnreasonableLengthIsPassedOver() throws Exception {
    Node node = new Node("kv-1").says(3, " ".repeat(1 << 20));
    Node added = new Node("kv-2");
    added.knows(5, node, added);
    store(OFTEN, node);
    node.awaitAsked();
    node.knows(5, node, added);
    added.awaitAsked();
  }

  @Test
  void closingItEndsItsThread() throws Exception {
    Node node = new Node("kv-1").knows(1);
    HttpClient http = HttpClient.newHttpClient();
    opened.add(http::shutdownNow);
    MemberSearch search =
        new MemberSearch(
            http,
            (url, path) ->
                HttpRequest.newBuilder(URI.create(url + path))
                    .header("Authorization", "Bearer " + TOKEN),
            new Members(List.of(node.url)),
            OFTEN);
    search.start();
    node.awaitAsked();
    search.close();
    assertTrue(search.thread.join(PATIENCE));
  }
}
