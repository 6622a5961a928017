package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.contains;
import static org.hamcrest.Matchers.empty;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.matchesPattern;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.notNullValue;
import static org.hamcrest.Matchers.nullValue;
import static org.hamcrest.Matchers.startsWith;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.parley.kv.core.wire.Batch;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import io.restassured.http.ContentType;
import io.restassured.response.Response;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class HttpApiTest {

  private static final String TOKEN = "Bearer test-service-token-0123";

  /// What a request gets that a well-behaved client would not send.
  private static String statusLine(String request) throws IOException {
    try (Socket socket = new Socket("127.0.0.1", RestAssured.port)) {
      socket
          .getOutputStream()
          .write((request + " HTTP/1.1\r\nHost: x\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
      return new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII);
    }
  }

  private static String put(String key, String value) {
    return given().body(value).put("/v1/kv/" + key).then().extract().header("ETag");
  }

  /// Asks until the answer has this status; what it waits for happens on another thread.
  private static void await(int status, Supplier<Response> asking) {
    long deadline = System.nanoTime() + 20_000_000_000L;
    int seen = asking.get().statusCode();
    while (seen != status && System.nanoTime() < deadline) {
      seen = asking.get().statusCode();
    }
    assertEquals(status, seen);
  }

  @Test
  void clientsThatStallInTheirUploadsKeepOutOnlyOtherLargeBodiesAndNotForLong() throws Exception {
    byte[] almost = new byte[(1 << 20) - 1];
    List<Socket> stalled = new ArrayList<>();
    try {
      for (int i = 0; i < 24; i++) {
        Socket socket = new Socket("127.0.0.1", RestAssured.port);
        stalled.add(socket);
        OutputStream out = socket.getOutputStream();
        out.write(
            "PUT /v1/kv/stalled HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n"
                .getBytes(StandardCharsets.US_ASCII));
        if (i < 8) {
          out.write(almost);
        }
        out.flush();
      }
      await(503, () -> given().body(new byte[1 << 20]).put("/v1/kv/crowded"));
      given().body(new byte[64]).put("/v1/kv/small").then().statusCode(201);
      given()
          .header("Authorization", TOKEN)
          .contentType("application/x-parley-peer")
          .body(new byte[64])
          .post("/internal/peer")
          .then()
          .statusCode(400);
      // Nobody may hold room for ever: those that wait are turned away, those that stall are cut.
      assertEquals("HTTP/1.1 408", firstLine(stalled.getFirst()));
      assertEquals("HTTP/1.1 503", firstLine(stalled.getLast()));
    } finally {
      for (Socket socket : stalled) {
        socket.close();
      }
    }
    await(201, () -> given().header("If-None-Match", "*").body(almost).put("/v1/kv/roomy"));
  }

  private static String firstLine(Socket socket) throws IOException {
    socket.setSoTimeout(30_000);
    return new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII);
  }

  @Test
  void manyLargeValuesAtOnceWaitForEachOtherInsteadOfFailing() throws Exception {
    byte[] value = new byte[1 << 20];
    List<CompletableFuture<HttpResponse<String>>> puts = new ArrayList<>();
    try (HttpClient client = HttpClient.newHttpClient()) {
      for (int i = 0; i < 32; i++) {
        URI url = URI.create("http://127.0.0.1:" + RestAssured.port + "/v1/kv/large-" + i);
        puts.add(
            client.sendAsync(
                HttpRequest.newBuilder(url)
                    .version(HttpClient.Version.HTTP_1_1)
                    .PUT(HttpRequest.BodyPublishers.ofByteArray(value))
                    .build(),
                HttpResponse.BodyHandlers.ofString()));
      }
      for (var put : puts) {
        HttpResponse<String> response = put.get(30, TimeUnit.SECONDS);
        assertEquals(201, response.statusCode(), response.body());
      }
    }
    for (int i = 0; i < puts.size(); i++) {
      given().delete("/v1/kv/large-" + i).then().statusCode(204);
    }
  }

  @Test
  void theSeedStoresShowsAndDeletesOnePair() {
    given()
        .contentType(ContentType.JSON)
        .body("{\"seed\": {\"n\": 1.50, \"汉\": [true, null]}}")
        .post("/")
        .then()
        .statusCode(200)
        .body(equalTo("\"ok\""));
    given()
        .get("/seed")
        .then()
        .statusCode(200)
        .body(equalTo("{\"seed\":{\"n\": 1.50, \"汉\": [true, null]}}"));
    given().delete("/seed").then().statusCode(200).body(equalTo("1"));
    given().delete("/seed").then().statusCode(200).body(equalTo("0"));
    given().get("/seed").then().statusCode(404).body(equalTo("{\"detail\":\"Not Found\"}"));
  }

  @Test
  void theSeedStoresScalarsExactlyAsWritten() {
    for (String value : new String[] {"1", "-0.10e3", "\"x\\u0041\"", "null", "true", "[]", "{}"}) {
      given()
          .contentType("application/json; charset=utf-8")
          .body("{\"scalar\" : " + value + " }")
          .post("/")
          .then()
          .statusCode(200);
      given().get("/scalar").then().statusCode(200).body(equalTo("{\"scalar\":" + value + "}"));
    }
  }

  @Test
  void theSeedRefusesAnythingButOnePair() {
    String[] bad = {
      "",
      "{}",
      "{\"a\":1,\"b\":2}",
      "{\"a\":1,\"a\":2}",
      "[1]",
      "\"a\"",
      "{\"a\":1} x",
      "{\"a\":",
      "{\"\":1}",
      "{\"a/b\":1}",
      "{\"a\":01}",
      "{\"a\":\"\u0001\"}",
      "nonsense",
      "{\"a\":1}{\"b\":2}",
      "{\"" + "k".repeat(513) + "\":1}"
    };
    for (String body : bad) {
      given()
          .contentType(ContentType.JSON)
          .body(body)
          .post("/")
          .then()
          .statusCode(400)
          .contentType("application/problem+json")
          .body("type", matchesPattern("/problems/kv/bad-.*"));
    }
    given().contentType(ContentType.TEXT).body("{\"a\":1}").post("/").then().statusCode(415);
  }

  @Test
  void aValueComesBackAsItWasStoredWithItsVersion() {
    byte[] value = {0, (byte) 0xff, 10, 13, 65};
    Response created = given().body(value).put("/v1/kv/bytes");
    assertEquals(201, created.statusCode());
    String tag = created.header("ETag");
    Response read = given().get("/v1/kv/bytes");
    assertEquals(tag, read.header("ETag"));
    assertArrayEquals(value, read.asByteArray());
    Response replaced = given().body("x").put("/v1/kv/bytes");
    assertEquals(200, replaced.statusCode());
    given().get("/v1/kv/bytes").then().header("ETag", not(tag)).body(equalTo("x"));
  }

  @Test
  void conditionsAreHonouredAndTellTheCurrentVersion() {
    String first =
        given()
            .header("If-None-Match", "*")
            .body("1")
            .put("/v1/kv/cas")
            .then()
            .statusCode(201)
            .extract()
            .header("ETag");
    given()
        .header("If-None-Match", "*")
        .body("2")
        .put("/v1/kv/cas")
        .then()
        .statusCode(412)
        .header("ETag", first)
        .contentType("application/problem+json");
    String second =
        given()
            .header("If-Match", first)
            .body("2")
            .put("/v1/kv/cas")
            .then()
            .statusCode(200)
            .extract()
            .header("ETag");
    given()
        .header("If-Match", first)
        .delete("/v1/kv/cas")
        .then()
        .statusCode(412)
        .header("ETag", second);
    given()
        .header("If-Match", second)
        .delete("/v1/kv/cas")
        .then()
        .statusCode(204)
        .header("ETag", notNullValue());
    given()
        .header("If-Match", second)
        .body("3")
        .put("/v1/kv/cas")
        .then()
        .statusCode(412)
        .header("ETag", nullValue());
    given().header("If-Match", "*").body("3").put("/v1/kv/cas").then().statusCode(412);
    given().delete("/v1/kv/cas").then().statusCode(404);
    given().get("/v1/kv/cas").then().statusCode(404);
  }

  @Test
  void readsHonourConditionsToo() {
    String tag = put("cached", "1");
    String other = "\"1\"";
    for (String match : new String[] {tag, "*", "W/" + tag, other + ", " + tag}) {
      given()
          .header("If-None-Match", match)
          .get("/v1/kv/cached")
          .then()
          .statusCode(304)
          .header("ETag", tag)
          .body(equalTo(""));
    }
    given().header("If-None-Match", other).get("/v1/kv/cached").then().statusCode(200);
    given().header("If-Match", tag).get("/v1/kv/cached").then().statusCode(200);
    for (String match : new String[] {other, "W/" + tag}) {
      given()
          .header("If-Match", match)
          .get("/v1/kv/cached")
          .then()
          .statusCode(412)
          .header("ETag", tag)
          .body("detail", equalTo("the key exists, at version " + tag.replace("\"", "")));
    }
    given().header("If-None-Match", "*").get("/v1/kv/uncached").then().statusCode(404);
  }

  @Test
  void headIsGetWithoutTheBody() {
    String tag = put("head", "12345");
    given()
        .head("/v1/kv/head")
        .then()
        .statusCode(200)
        .header("ETag", tag)
        .header("Content-Length", "5")
        .body(equalTo(""));
    given().head("/head").then().statusCode(200).header("Content-Type", "application/json");
    given().head("/v1/kv/headless").then().statusCode(404).body(equalTo(""));
    given().head("/v1/kv/backends/x").then().statusCode(401);
    given().head("/v1/kv?prefix=head").then().statusCode(200).body(equalTo(""));
    given().head("/v1/cluster").then().statusCode(200).body(equalTo(""));
  }

  @Test
  void malformedConditionsAreRefused() {
    for (String tag : new String[] {"W/\"1\"", "1", "\"1", "\"x\"", "\"1\", \"2\"", ""}) {
      given().header("If-Match", tag).body("1").put("/v1/kv/bad-tag").then().statusCode(400);
    }
    given().header("If-None-Match", "\"1\"").body("1").put("/v1/kv/b").then().statusCode(400);
    given()
        .header("If-None-Match", "*")
        .header("If-Match", "*")
        .body("1")
        .put("/v1/kv/b")
        .then()
        .statusCode(400);
  }

  @Test
  void aRetryWithTheSameIdempotencyKeyGivesTheFirstOutcome() {
    String first =
        given()
            .header("Idempotency-Key", "op-1")
            .body("1")
            .put("/v1/kv/idem")
            .then()
            .statusCode(201)
            .extract()
            .header("ETag");
    put("idem", "2");
    given()
        .header("Idempotency-Key", "op-1")
        .body("1")
        .put("/v1/kv/idem")
        .then()
        .statusCode(201)
        .header("ETag", first);
    given().get("/v1/kv/idem").then().body(equalTo("2"));
    for (int i = 0; i < 2; i++) {
      given().header("Idempotency-Key", "op-2").delete("/v1/kv/idem").then().statusCode(204);
    }
    given()
        .header("Idempotency-Key", "x".repeat(129))
        .body("1")
        .put("/v1/kv/idem")
        .then()
        .statusCode(400);
  }

  @Test
  void aRetryThatTheKeyNoLongerRemembersIsRefusedAndNotAppliedAgain() {
    given()
        .header("Idempotency-Key", "op-hot")
        .header("Parley-Attempt", "1")
        .body("old")
        .put("/v1/kv/hot")
        .then()
        .statusCode(201);
    for (int i = 0; i < 70; i++) {
      put("hot", "new" + i);
    }
    String base =
        given()
            .header("Idempotency-Key", "op-hot")
            .header("Parley-Attempt", "2")
            .body("old")
            .put("/v1/kv/hot")
            .then()
            .statusCode(409)
            .body("type", equalTo("/problems/kv/outcome-unknown"))
            .extract()
            .header("Parley-Base");
    given().get("/v1/kv/hot").then().body(equalTo("new69"));

    // A write that was certainly never sent goes on from the base it is given.
    for (String attempt : new String[] {"1", "2"}) {
      given()
          .header("Idempotency-Key", "op-fresh")
          .header("Parley-Attempt", attempt)
          .header("Parley-Base", base)
          .body("fresh")
          .put("/v1/kv/hot")
          .then()
          .statusCode(200);
    }
    given().get("/v1/kv/hot").then().body(equalTo("fresh"));
    given().header("Parley-Base", "-1").body("x").put("/v1/kv/hot").then().statusCode(400);
  }

  @Test
  void keysAreDecodedOnceAndChecked() throws IOException {
    given()
        .urlEncodingEnabled(false)
        .body("v")
        .put("/v1/kv/a%2Fb%252F%E6%B1%89")
        .then()
        .statusCode(201);
    given()
        .get("/v1/kv?prefix=a/b")
        .then()
        .statusCode(200)
        .body("entries.key", equalTo(java.util.List.of("a/b%2F汉")));
    given().urlEncodingEnabled(false).get("/v1/kv/a/b%252F%E6%B1%89").then().body(equalTo("v"));
    for (String key : new String[] {"", "%ff", "%zz", "%2", "x".repeat(513)}) {
      assertEquals("HTTP/1.1 400", statusLine("GET /v1/kv/" + key), key);
    }
    given().urlEncodingEnabled(false).get("/a%2Fb").then().statusCode(400);
    given().body("1").put("/v1/kv/" + "x".repeat(512)).then().statusCode(201);
  }

  @Test
  void aValueOfAMebibyteIsStoredAndALargerOneRefused() throws IOException {
    byte[] largest = new byte[1 << 20];
    given().body(largest).put("/v1/kv/large").then().statusCode(201);
    assertEquals(1 << 20, given().get("/v1/kv/large").asByteArray().length);
    given().body(new byte[(1 << 20) + 1]).put("/v1/kv/large").then().statusCode(413);
    try (Socket socket = new Socket("127.0.0.1", RestAssured.port)) {
      OutputStream out = socket.getOutputStream();
      out.write(
          "PUT /v1/kv/large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
              .getBytes(StandardCharsets.US_ASCII));
      byte[] chunk = new byte[0x20000];
      for (int i = 0; i < 9; i++) {
        out.write("20000\r\n".getBytes(StandardCharsets.US_ASCII));
        out.write(chunk);
        out.write("\r\n".getBytes(StandardCharsets.US_ASCII));
      }
      out.write("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      out.flush();
      byte[] answer = socket.getInputStream().readNBytes(12);
      assertEquals("HTTP/1.1 413", new String(answer, StandardCharsets.US_ASCII));
    }
  }

  @Test
  void listingPagesInTheOrderOfBytes() {
    String[] keys = {"list/", "list/a", "list/a/1", "list/b", "list/z", "list/é", "list/汉"};
    for (String key : keys) {
      put(key, "v-" + key);
    }
    put("list/gone", "x");
    given().delete("/v1/kv/list/gone").then().statusCode(204);
    given().body(new byte[] {(byte) 0xff}).put("/v1/kv/list/b").then().statusCode(200);
    given()
        .get("/v1/kv?prefix=list/")
        .then()
        .statusCode(200)
        .body("entries.key", equalTo(java.util.List.of(keys)))
        .body("entries[1].value", equalTo("v-list/a"))
        .body("entries[3].value_base64", equalTo("/w=="))
        .body("entries[0].version", matchesPattern("[0-9]+"))
        .body("next", nullValue());
    given()
        .get("/v1/kv?prefix=list/&limit=3")
        .then()
        .body("entries", hasSize(3))
        .body("next", equalTo("list/a/1"));
    given()
        .get("/v1/kv?prefix=list/&limit=4&after=list/a/1")
        .then()
        .body("entries", hasSize(4))
        .body("next", nullValue());
    given().get("/v1/kv?prefix=nothing").then().body("entries", empty());
    for (String bad :
        new String[] {"limit=0", "limit=1001", "limit=x", "limit=-1", "after=" + "x".repeat(513)}) {
      given().get("/v1/kv?prefix=list/&" + bad).then().statusCode(400);
    }
  }

  @Test
  void protectedKeyspacesNeedTheToken() {
    given().body("1").put("/v1/kv/backends/x").then().statusCode(401);
    given().get("/v1/kv/backends/x").then().statusCode(401);
    given().get("/v1/kv/backends").then().statusCode(401);
    given().get("/backends").then().statusCode(401);
    given().get("/v1/kv?prefix=").then().statusCode(401);
    given().get("/v1/kv?prefix=back").then().statusCode(401);
    given().get("/v1/kv?prefix=backends/").then().statusCode(401);
    given().header("Authorization", TOKEN + "x").get("/v1/kv/backends/x").then().statusCode(401);
    given()
        .header("Authorization", TOKEN)
        .body("1")
        .put("/v1/kv/backends/x")
        .then()
        .statusCode(201);
    given().header("Authorization", TOKEN).get("/v1/kv/backends/x").then().body(equalTo("1"));
    given().header("Authorization", TOKEN).get("/v1/kv?prefix=").then().statusCode(200);
    given().get("/v1/kv?prefix=backendsx/").then().statusCode(200);
  }

  @Test
  void peersMustShowTheTokenAndBelongToThisCluster() {
    given().body("x").post("/internal/peer").then().statusCode(401);
    assertEquals("400 not a batch of messages", refusal(new byte[] {1}));
    assertEquals("400 a batch of messages is missing: the body is empty", refusal(new byte[] {}));
    assertEquals("409 kv-9 is of cluster other, not parley", refusal(batch("other", "kv-9")));
    assertEquals(
        "409 another node has the id of this one, kv-test", refusal(batch("parley", "kv-test")));
    String unprintable = "400 the name of the node or its cluster is not valid";
    assertEquals(unprintable, refusal(batch("parley", "kv-9\nforged")));
    assertEquals(unprintable, refusal(batch("oth\ner", "kv-9")));
    byte[] old = batch("parley", "kv-9");
    old[4] = 1;
    assertEquals("400 it speaks protocol version 1, this node " + Batch.VERSION, refusal(old));
  }

  private static byte[] batch(String cluster, String from) {
    return new Batch(cluster, from, 1, List.of()).encode();
  }

  private static String refusal(byte[] batch) {
    var refused =
        given()
            .header("Authorization", TOKEN)
            .contentType("application/x-parley-peer")
            .body(batch)
            .post("/internal/peer");
    return refused.statusCode() + " " + refused.jsonPath().getString("detail");
  }

  @Test
  void showsTheClusterHealthMetricsAndItsOwnDescription() {
    given()
        .get("/v1/cluster")
        .then()
        .statusCode(200)
        .body("node_id", equalTo("kv-test"))
        .body("quorum.needed", equalTo(1))
        .body("members", hasSize(1))
        .body("members[0].reachable", equalTo(true))
        .body("at_risk", contains(startsWith("The data has no second copy")));
    given().get("/q/health/live").then().statusCode(200);
    given().get("/q/health/ready").then().statusCode(200);
    put("metric", "1");
    given().get("/v1/kv/metric").then().statusCode(200);
    String metrics = given().get("/q/metrics").asString();
    for (String name :
        new String[] {"rounds_total", "conflicts_total", "hedges_total", "log_force_seconds"}) {
      org.junit.jupiter.api.Assertions.assertTrue(metrics.contains("parley_kv_" + name), name);
    }
    for (String labels :
        new String[] {
          "operation=\"read\",outcome=\"done\"", "operation=\"write\",outcome=\"done\""
        }) {
      org.junit.jupiter.api.Assertions.assertTrue(
          metrics.matches("(?s).*parley_kv_operations_seconds_count\\{" + labels + "} [1-9].*"),
          labels);
    }
    org.junit.jupiter.api.Assertions.assertFalse(
        metrics.contains("/v1/kv/"), "a time series for each key");
    String openapi = given().get("/q/openapi").asString();
    org.junit.jupiter.api.Assertions.assertTrue(openapi.contains("/v1/kv/{key}"));
  }

  @Test
  void everyAnswerCarriesARequestId() {
    given()
        .header("X-Request-Id", "abc-1")
        .get("/v1/kv/none")
        .then()
        .header("X-Request-Id", "abc-1");
    given()
        .header("X-Request-Id", "bad id!")
        .get("/v1/kv/none")
        .then()
        .header("X-Request-Id", matchesPattern("[0-9a-f-]{36}"));
  }
}
