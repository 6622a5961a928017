package dev.parley.kv.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HttpKvStoreTest {

  private static final String TOKEN = "a-token-for-the-test";

  private final List<AutoCloseable> opened = new ArrayList<>();

  @AfterEach
  void closeAll() throws Exception {
    for (AutoCloseable resource : opened.reversed()) {
      resource.close();
    }
  }

  @Test
  void sendsTheKeyEncodedOnceAndTheTokenAndReadsTheVersion() throws Exception {
    ConcurrentLinkedQueue<String> seen = new ConcurrentLinkedQueue<>();
    KvStore store =
        store(
            node(
                exchange -> {
                  seen.add(exchange.getRequestURI().getRawPath());
                  seen.add(exchange.getRequestHeaders().getFirst("Authorization"));
                  exchange.getResponseHeaders().set("ETag", "\"17\"");
                  answer(exchange, 200, "值");
                }));

    Entry entry = store.get("conversations/{c 1}/m/+成").orElseThrow();

    assertEquals("17", entry.version());
    assertEquals("值", entry.text());
    assertEquals(
        List.of("/v1/kv/conversations/%7Bc%201%7D/m/%2B%E6%88%90", "Bearer " + TOKEN),
        List.copyOf(seen));
  }

  @Test
  void anAbsentKeyIsEmpty() throws Exception {
    KvStore store = store(node(e -> answer(e, 404, "{\"type\":\"/problems/kv/not-found\"}")));
    assertEquals(Optional.empty(), store.get("k"));
    assertEquals(new WriteOutcome.Applied("", false), store.delete("k", Condition.ALWAYS));
  }

  @Test
  void whatDoesNotKnowTheStoresPathsIsNotTakenForAnEmptyStore() throws Exception {
    KvStore store = store(node(e -> answer(e, 404, "<h1>no such page</h1>")));
    assertThrows(IllegalStateException.class, () -> store.get("k"));
    assertThrows(IllegalStateException.class, () -> store.put("k", new byte[0], Condition.ALWAYS));
    assertThrows(IllegalStateException.class, () -> store.delete("k", Condition.ALWAYS));
  }

  @Test
  void aNodeThatRefusesConnectionsIsPassedOver() throws Exception {
    KvStore store =
        store(
            refusing(),
            node(
                exchange -> {
                  exchange.getResponseHeaders().set("ETag", "\"1\"");
                  answer(exchange, 201, "");
                }));
    assertEquals(
        new WriteOutcome.Applied("1", false),
        store.put("k", "v".getBytes(UTF_8), Condition.ABSENT));
  }

  @Test
  void aSilentNodeIsHedgedWithTheSameOperation() throws Exception {
    CountDownLatch end = new CountDownLatch(1);
    ConcurrentLinkedQueue<String> operations = new ConcurrentLinkedQueue<>();
    HttpHandler silent =
        exchange -> {
          operations.add(exchange.getRequestHeaders().getFirst("Idempotency-Key"));
          try {
            end.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          exchange.close();
        };
    HttpHandler healthy =
        exchange -> {
          operations.add(exchange.getRequestHeaders().getFirst("Idempotency-Key"));
          exchange.getResponseHeaders().set("ETag", "\"8\"");
          answer(exchange, 200, "");
        };
    KvStore store = store(node(silent), node(healthy));

    WriteOutcome outcome = store.put("k", "v".getBytes(UTF_8), Condition.version("7"));
    end.countDown();

    assertEquals(new WriteOutcome.Applied("8", true), outcome);
    assertEquals(2, operations.size());
    assertEquals(1, operations.stream().distinct().count());
  }

  @Test
  void aConditionThatFailsIsAConflictWithTheVersionThatStands() throws Exception {
    KvStore store =
        store(
            node(
                exchange -> {
                  assertEquals("\"3\"", exchange.getRequestHeaders().getFirst("If-Match"));
                  exchange.getResponseHeaders().set("ETag", "\"4\"");
                  answer(exchange, 412, "");
                }));
    assertEquals(new WriteOutcome.Conflict("4"), store.delete("k", Condition.version("3")));
  }

  @Test
  void thatAKeyExistsDoesNotSettleAWriteThatMayAlreadyHaveCreatedIt() throws Exception {
    HttpHandler breaks = HttpExchange::close;
    HttpHandler exists =
        exchange -> {
          assertEquals("2", exchange.getRequestHeaders().getFirst("Parley-Attempt"));
          exchange.getResponseHeaders().set("ETag", "\"4\"");
          answer(exchange, 412, "");
        };
    assertInstanceOf(
        WriteOutcome.Unknown.class,
        store(node(breaks), node(exists)).put("k", new byte[0], Condition.ABSENT));
  }

  @Test
  void aWriteThatNoNodeCouldTakeWasCertainlyNotApplied() throws Exception {
    assertInstanceOf(
        WriteOutcome.NotApplied.class,
        store(refusing(), refusing()).put("k", new byte[0], Condition.ALWAYS));
  }

  @Test
  void aWriteWhoseOutcomeANodeCannotTellIsUnknown() throws Exception {
    HttpHandler unknown =
        exchange ->
            answer(
                exchange,
                503,
                "{\"type\":\"/problems/kv/outcome-unknown\",\"detail\":\"one of three answered\"}");
    assertEquals(
        new WriteOutcome.Unknown("one of three answered"),
        store(node(unknown), refusing()).put("k", new byte[0], Condition.ALWAYS));
  }

  @Test
  void aWriteTheKeyNoLongerRemembersIsUnknown() throws Exception {
    HttpHandler forgotten =
        exchange ->
            answer(
                exchange,
                409,
                "{\"type\":\"/problems/kv/outcome-unknown\",\"detail\":\"too long ago\"}");
    assertEquals(
        new WriteOutcome.Unknown("too long ago"),
        store(node(forgotten)).put("k", new byte[0], Condition.ALWAYS));
  }

  @Test
  void aWriteWhoseBaseIsTooOldIsSentAnewWithTheOneThatTheNodeNames() throws Exception {
    List<String> bases = new CopyOnWriteArrayList<>();
    HttpHandler choosy =
        exchange -> {
          String base = String.valueOf(exchange.getRequestHeaders().getFirst("Parley-Base"));
          bases.add(base);
          if (base.equals("70")) {
            exchange.getResponseHeaders().add("ETag", "\"99\"");
            answer(exchange, 200, "");
          } else {
            exchange.getResponseHeaders().add("Parley-Base", "70");
            answer(exchange, 409, "{\"type\":\"/problems/kv/outcome-unknown\"}");
          }
        };
    KvStore store = store(node(choosy));
    assertEquals(
        new WriteOutcome.Applied("99", true), store.put("k", new byte[0], Condition.ALWAYS));
    assertEquals(List.of("0", "70"), bases);
    store.put("k", new byte[0], Condition.ALWAYS);
    assertEquals("99", bases.get(2), "the version of the key that was seen last");
  }

  @Test
  void aWriteForWhichThereIsNoRoomWasCertainlyNotApplied() throws Exception {
    HttpHandler full =
        exchange ->
            answer(
                exchange, 507, "{\"type\":\"/problems/kv/no-room\",\"detail\":\"disks are full\"}");
    assertEquals(
        new WriteOutcome.NotApplied("disks are full"),
        store(node(full)).put("k", new byte[0], Condition.ALWAYS));
  }

  @Test
  void aReadWithoutAQuorumSaysWhy() throws Exception {
    HttpHandler noQuorum =
        exchange ->
            answer(
                exchange,
                503,
                "{\"type\":\"/problems/kv/not-applied\",\"detail\":\"one of three answered\"}");
    KvStore store = store(node(noQuorum));
    var thrown = assertThrows(StoreUnavailableException.class, () -> store.get("k"));
    assertEquals("one of three answered", thrown.getMessage());
  }

  @Test
  void aListingCarriesTextAndBinaryValues() throws Exception {
    KvStore store =
        store(
            node(
                exchange -> {
                  assertEquals(
                      "limit=2&prefix=a%2F%7Bb%7D&after=a%2F%7Bb%7D%2F1",
                      exchange.getRequestURI().getRawQuery());
                  answer(
                      exchange,
                      200,
                      "{\"entries\":[{\"key\":\"x\",\"version\":\"1\",\"value\":\"text\"},"
                          + "{\"key\":\"y\",\"version\":\"2\",\"value_base64\":\"/wA=\"}],"
                          + "\"next\":\"y\"}");
                }));
    Page page = store.list("a/{b}", "a/{b}/1", 2);
    assertEquals("y", page.next());
    assertEquals("text", page.entries().getFirst().text());
    assertArrayEquals(new byte[] {(byte) 0xff, 0}, page.entries().getLast().value());
  }

  @Test
  void keysAndValuesOutOfBoundsNeverLeaveTheProcess() throws Exception {
    KvStore store = store(refusing());
    assertThrows(IllegalArgumentException.class, () -> store.get(""));
    assertThrows(IllegalArgumentException.class, () -> store.get("值".repeat(171)));
    assertThrows(
        IllegalArgumentException.class,
        () -> store.put("k", new byte[KvStore.MAX_VALUE_BYTES + 1], Condition.ALWAYS));
    assertTrue("值".repeat(170).getBytes(UTF_8).length <= KvStore.MAX_KEY_BYTES);
  }

  private KvStore store(URI... nodes) {
    HttpKvStore store =
        new HttpKvStore(
            List.of(nodes), TOKEN, Duration.ofSeconds(1), /* searchEvery= */ Duration.ofHours(1));
    opened.add(store);
    return store;
  }

  private URI node(HttpHandler handler) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    var executor = Executors.newVirtualThreadPerTaskExecutor();
    server.setExecutor(executor);
    server.createContext("/", handler);
    server.createContext("/v1/cluster", exchange -> answer(exchange, 404, ""));
    server.start();
    opened.add(executor::shutdownNow);
    opened.add(() -> server.stop(0));
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  /// The address of a port on which nothing listens.
  private static URI refusing() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return URI.create("http://127.0.0.1:" + socket.getLocalPort());
    }
  }

  private static void answer(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(UTF_8);
    exchange.getRequestBody().readAllBytes();
    exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }
}
