package dev.parley.kv.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

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
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HttpWatchTest {

  private final List<AutoCloseable> opened = new ArrayList<>();
  private final LinkedBlockingQueue<String> told = new LinkedBlockingQueue<>();
  private final LinkedBlockingQueue<String> since = new LinkedBlockingQueue<>();
  private final CountDownLatch end = new CountDownLatch(1);

  private final WatchListener listener =
      new WatchListener() {
        @Override
        public void rescan() {
          told.add("rescan");
        }

        @Override
        public void changed(Change change) {
          byte[] value = change.value();
          told.add(
              change.key()
                  + "@"
                  + change.version()
                  + (change.deleted() ? " gone" : "")
                  + (value == null ? "" : "=" + new String(value, UTF_8)));
          if (change.key().equals("bad")) {
            throw new IllegalStateException("cannot deal with this");
          }
        }

        @Override
        public void live(boolean now) {
          told.add(now ? "live" : "not live");
        }
      };

  @AfterEach
  void closeAll() throws Exception {
    end.countDown();
    for (AutoCloseable resource : opened.reversed()) {
      resource.close();
    }
  }

  /// A node that answers its connections with these texts in turn; after a text that ends in a full
  /// stop it stays silent, else it hangs up. What comes after the last is refused.
  private URI node(String... texts) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    var executor = Executors.newVirtualThreadPerTaskExecutor();
    server.setExecutor(executor);
    AtomicInteger connections = new AtomicInteger();
    server.createContext(
        "/v1/watch",
        exchange -> {
          int number = connections.getAndIncrement();
          if (number < texts.length) {
            since.add(String.valueOf(exchange.getRequestHeaders().getFirst("Last-Event-ID")));
            serve(exchange, texts[number]);
          } else {
            exchange.sendResponseHeaders(503, -1);
            exchange.close();
          }
        });
    server.start();
    opened.add(executor::shutdownNow);
    opened.add(() -> server.stop(0));
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  private void serve(HttpExchange exchange, String text) throws IOException {
    if (text.startsWith("400")) {
      exchange.sendResponseHeaders(400, -1);
      exchange.close();
      return;
    }
    boolean stays = text.endsWith(".");
    exchange.sendResponseHeaders(200, 0);
    String events = stays ? text.substring(0, text.length() - 1) : text;
    exchange.getResponseBody().write(events.getBytes(UTF_8));
    exchange.getResponseBody().flush();
    if (stays) {
      try {
        end.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    exchange.close();
  }

  private void watch(Duration silence, URI... nodes) {
    watch(silence, new Members(List.of(nodes)));
  }

  private void watch(Duration silence, Members members) {
    HttpClient http = HttpClient.newHttpClient();
    opened.add(http::shutdownNow);
    HttpWatch watch =
        new HttpWatch(
            http,
            (node, path) -> HttpRequest.newBuilder(URI.create(node + path)),
            members,
            () -> {},
            "prefix=",
            listener,
            silence);
    opened.add(watch);
    watch.start();
  }

  private @Nullable String next() throws InterruptedException {
    return told.poll(20, TimeUnit.SECONDS);
  }

  private static String change(String key, int version, String more) {
    return "event: change\nid: t"
        + version
        + "\ndata: {\"key\":\""
        + key
        + "\",\"version\":\""
        + version
        + "\",\"deleted\":false"
        + more
        + "}\n\n";
  }

  private static final String READY = "event: ready\nid: t0\ndata: {}\n\n";

  @Test
  void listsOnceAndGoesOnFromTheLastPlaceWhenTheConnectionIsLost() throws Exception {
    watch(
        Duration.ofSeconds(30),
        node(
            READY + change("a", 7, ",\"value\":\"值\"") + ":\nid: t8\n\n",
            READY + change("b", 9, "") + "."));
    assertEquals("rescan", next());
    assertEquals("live", next());
    assertEquals("a@7=值", next());
    assertEquals("not live", next());
    assertEquals("live", next());
    assertEquals("b@9", next());
    assertEquals("null", since.poll());
    assertEquals("t8", since.poll());
  }

  @Test
  void aNodeThatFallsSilentIsLeft() throws Exception {
    watch(Duration.ofMillis(200), node(READY + ".", READY + change("a", 3, "") + "."));
    assertEquals("rescan", next());
    assertEquals("live", next());
    assertEquals("not live", next());
    assertEquals("live", next());
    assertEquals("a@3", next());
  }

  @Test
  void tellsWhenItIsToListAgainAndWhenNothingCanBeHeard() throws Exception {
    watch(
        Duration.ofSeconds(30),
        node(
            READY
                + "event: stalled\nid: t1\ndata: {}\n\n"
                + "event: resumed\nid: t1\ndata: {}\n\n"
                + "event: rescan\nid: t2\ndata: {}\n\n"
                + "event: change\ndata: {\"key\":\"a\",\"version\":null,\"deleted\":true}\n\n."));
    assertEquals("rescan", next());
    assertEquals("live", next());
    assertEquals("not live", next());
    assertEquals("live", next());
    assertEquals("rescan", next());
    assertEquals("a@null gone", next());
  }

  @Test
  void beginsAnewWhenItsPlaceIsRefusedOrItsListenerFails() throws Exception {
    watch(
        Duration.ofSeconds(30),
        node(READY, "400", READY + change("bad", 1, ""), READY + change("c", 2, "") + "."));
    assertEquals("rescan", next());
    assertEquals("live", next());
    assertEquals("not live", next());
    assertEquals("rescan", next());
    assertEquals("live", next());
    assertEquals("bad@1", next());
    assertEquals("not live", next());
    assertEquals("rescan", next());
    assertEquals("live", next());
    assertEquals("c@2", next());
    assertEquals(
        List.of("null", "t0", "null", "null"),
        List.of(since.take(), since.take(), since.take(), since.take()));
    assertNull(since.poll());
  }

  @Test
  void goesOnAtAMemberThatWasLearntWhenTheOnesItBeganWithAreGone() throws Exception {
    URI founder = node(READY + change("a", 1, ""));
    URI added = node(READY + change("b", 2, "") + ".");
    Members members = new Members(List.of(founder));
    watch(Duration.ofSeconds(30), members);
    assertEquals("rescan", next());
    assertEquals("live", next());
    assertEquals("a@1", next());
    String answer =
        """
        {"cluster_id": "c", "node_id": "kv-2", "epoch": 3,
         "members": [{"id": "kv-2", "url": "%s"}]}"""
            .formatted(added);
    members.learn(added, answer.getBytes(UTF_8));
    assertEquals("not live", next());
    assertEquals("live", next());
    assertEquals("b@2", next());
    assertEquals(List.of("null", "t1"), List.of(since.take(), since.take()));
  }
}
