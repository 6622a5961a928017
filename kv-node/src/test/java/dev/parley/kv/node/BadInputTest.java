package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import io.restassured.http.ContentType;
import io.vertx.core.json.JsonObject;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Every request that cannot be understood gets a problem document that says why, and changes
/// nothing. Requests are sent byte by byte where a well-behaved client would mend them.
@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class BadInputTest {

  private record Raw(int status, Map<String, String> fields, String body) {
    String problem() {
      assertEquals("application/problem+json", fields.get("content-type"), body);
      JsonObject document = new JsonObject(body);
      assertEquals(status, document.getInteger("status"));
      assertTrue(document.getString("title").length() > 5);
      return document.getString("type").substring("/problems/kv/".length())
          + ": "
          + document.getString("detail");
    }
  }

  private static Raw raw(String method, String target, String... headers) throws IOException {
    StringBuilder request = new StringBuilder(method + " " + target + " HTTP/1.1\r\nHost: x\r\n");
    for (String header : headers) {
      request.append(header).append("\r\n");
    }
    return answer(request.append("Connection: close\r\n\r\n").toString());
  }

  private static Raw answer(String request) throws IOException {
    try (Socket socket = new Socket("127.0.0.1", RestAssured.port)) {
      socket.setSoTimeout(10_000);
      socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
      InputStream in = new BufferedInputStream(socket.getInputStream());
      int status = Integer.parseInt(line(in).substring(9, 12));
      Map<String, String> fields = new HashMap<>();
      for (String field = line(in); !field.isEmpty(); field = line(in)) {
        int colon = field.indexOf(':');
        fields.put(
            field.substring(0, colon).toLowerCase(Locale.ROOT), field.substring(colon + 1).strip());
      }
      byte[] body = in.readNBytes(Integer.parseInt(fields.getOrDefault("content-length", "0")));
      return new Raw(status, fields, new String(body, StandardCharsets.UTF_8));
    }
  }

  private static String line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int b = in.read(); b >= 0 && b != '\n'; b = in.read()) {
      line.append((char) b);
    }
    return line.toString().stripTrailing();
  }

  private static void refused(String method, String target, String problem) throws IOException {
    Raw answer = raw(method, target);
    assertEquals(400, answer.status(), target);
    assertEquals(problem, answer.problem(), target);
  }

  private static final String DOTS =
      "no part of a path between slashes may be . or .., encoded or not";
  private static final String PERCENT = "a % is not followed by two hex digits";

  @Test
  void keysThatAreNone() throws IOException {
    for (String method : new String[] {"GET", "DELETE"}) {
      refused(method, "/v1/kv/%ff", "bad-key: the key is not valid UTF-8");
      refused(method, "/v1/kv/%ed%a0%80", "bad-key: the key is not valid UTF-8");
      refused(method, "/v1/kv/%c0%ae", "bad-key: the key is not valid UTF-8");
      refused(method, "/v1/kv/" + "x".repeat(513), "bad-key: the key is longer than 512 bytes");
      refused(
          method, "/v1/kv/" + "%E6%B1%89".repeat(171), "bad-key: the key is longer than 512 bytes");
    }
    refused("GET", "/v1/kv/", "bad-key: the key is empty");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/v1/kv/..",
        "/v1/kv/.",
        "/v1/kv/a/../b",
        "/v1/kv/a/.",
        "/v1/kv/../../q/metrics",
        "/v1/kv/../cluster",
        "/v1/kv/%2e%2e",
        "/v1/kv/%2E",
        "/v1/kv/.%2e/cluster",
        "/v1/kv/%2e%2e/%2e%2e/q/metrics",
        "/v1/kv/a%2f..%2fb",
        "/v1/kv/a%2F%2e%2e%2Fb",
        "/v1/kv/..%2f..%2fq%2fmetrics",
        "/..",
        "/%2e%2e"
      })
  void dotSegmentsAreRefusedAndNeverRoutedElsewhere(String path) throws IOException {
    for (String method : new String[] {"GET", "DELETE", "PUT"}) {
      refused(method, path, "bad-key: " + DOTS);
    }
  }

  @Test
  void dotSegmentsOutsideTheKeysAreRefusedToo() throws IOException {
    refused("GET", "/v1/../q/metrics", "bad-request: " + DOTS);
    refused("GET", "/q/../v1/kv/x", "bad-request: " + DOTS);
  }

  @Test
  void dotsInLongerPartsAreOrdinary() throws IOException {
    for (String key : new String[] {"...", "a/..b", "a../b", ".hidden", "v1.2"}) {
      given().body("1").put("/v1/kv/" + key).then().statusCode(201);
      given().get("/v1/kv/" + key).then().statusCode(200);
    }
  }

  @Test
  void percentSignsWithoutHexDigits() throws IOException {
    for (String bad : new String[] {"%zz", "%2", "%", "a%g0", "%-1", "%+1"}) {
      refused("GET", "/v1/kv/" + bad, "bad-key: " + PERCENT);
      refused("GET", "/" + bad, "bad-key: " + PERCENT);
      refused("GET", "/v1/cluster/" + bad, "bad-request: " + PERCENT);
      refused("GET", "/v1/kv?prefix=" + bad, "bad-request: " + PERCENT);
      refused("GET", "/v1/kv?" + bad + "=1", "bad-request: " + PERCENT);
    }
    refused("GET", "/v1/kv?prefix=%ff", "bad-request: the query is not valid UTF-8");
  }

  @Test
  void bytesThatMustBeEncoded() throws IOException {
    String encode = "control characters and characters outside ASCII must be percent-encoded";
    refused("GET", "/v1/kv/汉", "bad-key: " + encode);
    refused("GET", "/v1/kv?prefix=é", "bad-request: " + encode);
    refused("GET", "/v1/kv/\u0001", "bad-key: " + encode);
  }

  @Test
  void pathsThatOnlyLookLikeKeys() throws IOException {
    refused(
        "GET",
        "/%761/kv/x",
        "bad-request: the path before the key must be written exactly as /v1/kv/");
  }

  /// Braces are not allowed raw in a URI (RFC 3986), yet every client sends them and there is only
  /// one thing they can mean; they are the store's own notation, so they are taken.
  @Test
  void rawBracesAreTakenAsTheyAre() throws IOException {
    given()
        .urlEncodingEnabled(false)
        .body("braced")
        .put("/v1/kv/t/%7Bc1%7D/m")
        .then()
        .statusCode(201);
    Raw answer = raw("GET", "/v1/kv/t/{c1}/m");
    assertEquals(200, answer.status());
    assertEquals("braced", answer.body());
  }

  @Test
  void timesToLiveThatAreNone() throws IOException {
    for (String bad : new String[] {"", "0", "-1", "1.5", "x", "10000000000"}) {
      refused(
          "PUT",
          "/v1/kv/ttl?ttl_seconds=" + bad,
          "bad-request: ttl_seconds must be a whole number from 1 to 9999999999");
    }
    refused("PUT", "/v1/kv/ttl?ttl=1", "bad-request: the query parameters are ttl_seconds");
  }

  @Test
  void unknownAndRepeatedQueryParameters() throws IOException {
    refused("GET", "/v1/kv?prefx=a", "bad-request: the query parameters are after, limit, prefix");
    refused(
        "GET",
        "/v1/kv?prefix=a&prefix=b",
        "bad-request: the query parameter prefix is given twice");
    refused("GET", "/v1/kv?limit=1&", "bad-request: the query parameters are after, limit, prefix");
    for (String target : new String[] {"/v1/kv/x?version=1", "/seed?x=1", "/v1/cluster?x"}) {
      refused("GET", target, "bad-request: this request takes no query parameters");
    }
    refused("DELETE", "/v1/kv/x?force=1", "bad-request: this request takes no query parameters");
    refused(
        "GET", "/v1/watch?limit=1", "bad-request: the query parameters are prefix, since, values");
    refused("GET", "/v1/watch?prefix=open/&values=no", "bad-request: values must be true or false");
    refused("GET", "/v1/kv?limit=0", "bad-request: limit must be 1 to 1000");
    refused("GET", "/v1/kv?prefix=" + "x".repeat(513), "bad-key: the prefix is too long");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "If-Match: W/\"1\" | If-Match compares strongly; a weak ETag (W/) never matches",
        "If-Match: 1 | If-Match takes one strong ETag of this store, in quotes, or *",
        "If-Match: \"1 | If-Match takes one strong ETag of this store, in quotes, or *",
        "If-Match: \"\" | If-Match takes one strong ETag of this store, in quotes, or *",
        "If-Match: \"-1\" | If-Match takes one strong ETag of this store, in quotes, or *",
        "If-Match: \"abc\" | If-Match takes one strong ETag of this store, in quotes, or *",
        "If-Match: \"99999999999999999999\" | If-Match takes one strong ETag of this store, in quotes, or *",
        "If-Match: \"1\", \"2\" | If-Match takes one strong ETag of this store, in quotes, or *",
        "If-None-Match: \"1\" | If-None-Match takes only *",
        "If-None-Match: W/\"1\" | If-None-Match takes only *"
      })
  void etagsThatAreNone(String header, String detail) throws IOException {
    Raw answer = raw("PUT", "/v1/kv/etags", header, "Content-Length: 0");
    assertEquals(400, answer.status());
    assertEquals("bad-condition: " + detail, answer.problem());
    given().get("/v1/kv/etags").then().statusCode(404);
  }

  @Test
  void severalConditionsAtOnce() throws IOException {
    String[][] pairs = {
      {"If-Match: \"1\"", "If-None-Match: *"},
      {"If-Match: \"1\"", "If-Match: \"2\""},
      {"If-None-Match: *", "If-None-Match: *"}
    };
    for (String[] pair : pairs) {
      Raw answer = raw("PUT", "/v1/kv/etags", pair[0], pair[1], "Content-Length: 0");
      assertEquals(400, answer.status());
      assertEquals("bad-condition: one condition at a time", answer.problem());
    }
  }

  /// The description of the API says which methods a path takes (see [OpenApiTest]).
  @Test
  void methodsThatAPathDoesNotTake() throws IOException {
    JsonObject paths =
        new JsonObject(given().get("/q/openapi?format=json").asString()).getJsonObject("paths");
    for (String path : paths.fieldNames()) {
      Set<String> takes = new TreeSet<>();
      for (String field : paths.getJsonObject(path).fieldNames()) {
        if (!field.equals("parameters")) {
          takes.add(field.toUpperCase(Locale.ROOT));
        }
      }
      for (String method :
          List.of("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO")) {
        if (!takes.contains(method)) {
          Raw answer = raw(method, path.replaceAll("[{}]", ""));
          assertEquals(405, answer.status(), method + " " + path);
          Set<String> allowed =
              new TreeSet<>(List.of(answer.fields().getOrDefault("allow", "").split(", ")));
          assertTrue(takes.contains("GET") || !allowed.contains("HEAD"), path);
          allowed.remove("HEAD");
          assertEquals(takes, allowed, path);
          assertTrue(answer.problem().startsWith("method-not-allowed: "), answer.body());
        }
      }
    }
    for (String path : new String[] {"/backends", "/v1/kv/backends/x"}) {
      assertEquals(401, raw("PATCH", path).status(), path);
    }
    refused("POST", "/v1/kv/", "bad-key: the key is empty");
  }

  @Test
  void pathsThatLeadNowhere() throws IOException {
    for (String path : new String[] {"/v1/nope", "/v1/cluster/x", "/q/nope", "/v2/kv/x"}) {
      for (String method : new String[] {"GET", "PUT"}) {
        Raw answer = raw(method, path);
        assertEquals(404, answer.status(), path);
        assertEquals("no-such-path: null", answer.problem());
      }
    }
    assertEquals("no-such-path: null", raw("OPTIONS", "*").problem());
    for (String path : new String[] {"/q/health/live", "/q/metrics", "/q/openapi"}) {
      assertEquals(200, raw("GET", path).status(), path);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"GET /x HTTP/1.1", "GET / HTTP/9.9"})
  void requestsThatTheRouterRefuses(String line) throws IOException {
    Raw answer = answer(line + "\r\n\r\n");
    assertEquals(400, answer.status());
    assertEquals("bad-request: the request line or the Host header is not valid", answer.problem());
  }

  /// What follows such a body might be read as a request that a proxy did not see.
  @ParameterizedTest
  @CsvSource({
    "400, identity",
    "400, xchunked",
    "400, 'gzip, chunked'",
    "201, chunked",
  })
  void aRequestWithTwoLengthsIsTheLastOfItsConnection(int status, String coding)
      throws IOException {
    try (Socket socket = new Socket("127.0.0.1", RestAssured.port)) {
      socket.setSoTimeout(10_000);
      String request =
          "PUT /v1/kv/lengths HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
              + coding
              + "\r\n\r\n0\r\n\r\n"
              + "PUT /v1/kv/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      String all = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
      assertTrue(all.startsWith("HTTP/1.1 " + status), all);
      assertEquals(all.indexOf("HTTP/1.1"), all.lastIndexOf("HTTP/1.1"), all);
    }
    given().get("/v1/kv/smuggled").then().statusCode(404);
    given().delete("/v1/kv/lengths");
  }

  @Test
  void attemptsAndBasesThatAreNone() throws IOException {
    for (String bad : new String[] {"abc", "0", "-1", "1.5", ""}) {
      for (String method : new String[] {"PUT", "DELETE"}) {
        Raw answer = raw(method, "/v1/kv/tries", "Parley-Attempt: " + bad, "Content-Length: 0");
        assertEquals(400, answer.status(), bad);
        assertEquals(
            "bad-request: the attempt must be a whole number from 1 to 999999999",
            answer.problem());
      }
    }
    Raw answer = raw("PUT", "/v1/kv/tries", "Parley-Base: 999999999999999999", "Content-Length: 0");
    assertEquals(400, answer.status());
    assertEquals("bad-request: the base is not a version", answer.problem());
    given().get("/v1/kv/tries").then().statusCode(404);
  }

  @ParameterizedTest
  @ValueSource(strings = {"Idempotency-Key", "Parley-Attempt", "Parley-Base"})
  void headersThatMayBeThereOnce(String name) throws IOException {
    Raw answer = raw("PUT", "/v1/kv/twice", name + ": 1", name + ": 2", "Content-Length: 0");
    assertEquals(400, answer.status());
    assertEquals("bad-request: the header " + name + " is given twice", answer.problem());
    given().get("/v1/kv/twice").then().statusCode(404);
  }

  @Test
  void conditionsThatMakeNoSenseOfTheirMethod() throws IOException {
    Raw answer = raw("DELETE", "/v1/kv/etags", "If-None-Match: *");
    assertEquals(400, answer.status());
    assertEquals("bad-condition: a delete takes no If-None-Match", answer.problem());
    answer = raw("GET", "/v1/kv/etags", "If-None-Match: 1");
    assertEquals(400, answer.status());
    assertEquals("bad-condition: If-None-Match takes ETags, in quotes, or *", answer.problem());
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/v1/batch", "/v1/cluster/members"})
  void bodiesThatAreNotSaidToBeJson(String path) throws IOException {
    String token = "Authorization: Bearer test-service-token-0123";
    for (String type :
        new String[] {
          "text/plain",
          "application/jsonp",
          "application/json;charset=utf-16",
          "application/json, text/plain"
        }) {
      Raw answer = raw("POST", path, token, "Content-Type: " + type, "Content-Length: 0");
      assertEquals(415, answer.status(), type);
      assertEquals("unsupported-media-type: the body must be application/json", answer.problem());
    }
    assertEquals(415, raw("POST", path, token, "Content-Length: 0").status());
    for (String type : new String[] {"Application/JSON", "application/json ; charset=\"UTF-8\""}) {
      Raw answer = raw("POST", path, token, "Content-Type: " + type, "Content-Length: 0");
      assertEquals(400, answer.status(), type);
    }
  }

  @Test
  void jsonBeyondWhatIsRead() {
    String[][] bodies = {
      {"[".repeat(2000) + "]".repeat(2000), "the JSON is nested deeper than 1000"},
      {"1".repeat(2000), "the JSON has a number of more than 1000 digits"},
      {"{\"" + "x".repeat(60_000) + "\":1}", "the JSON has a name of more than 50000 characters"},
      {"{\"x\":1,\"x\":1}", "the JSON has a field twice"},
      {"[}", "the body is not valid JSON"}
    };
    for (String[] body : bodies) {
      given()
          .contentType(ContentType.JSON)
          .body("{\"a\":" + body[0] + "}")
          .post("/")
          .then()
          .statusCode(400)
          .body("detail", equalTo(body[1]));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "/v1/kv/backends/x | this keyspace",
        "/v1/kv?prefix=c | a listing that can reach protected keyspaces",
        "/v1/watch?prefix=c | a watch that can reach protected keyspaces",
        "/v1/backup | a backup, which reaches protected keyspaces,"
      })
  void whatNeedsTheTokenIsNamed(String path, String what) throws IOException {
    Raw answer = raw("GET", path);
    assertEquals(401, answer.status());
    assertEquals("unauthorized: " + what + " needs the service token", answer.problem());
  }

  @Test
  void aValueOverAMebibyte() throws IOException {
    Raw answer = raw("PUT", "/v1/kv/large", "Content-Length: 1048577");
    assertEquals(413, answer.status());
    assertEquals("too-large: at most 1048576 bytes", answer.problem());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"a\":1,\"b\":2} | bad-request: the body must be a JSON object with exactly one pair",
        "{} | bad-request: the body must be a JSON object with exactly one pair",
        "[] | bad-request: the body must be a JSON object with exactly one pair",
        "{\"a\":{\"x\":1,\"x\":2}} | bad-request: the JSON has a field twice",
        "{\"a\":1} {\"b\":2} | bad-request: there is something after the JSON object",
        "{\"a\" 1} | bad-request: the body is not valid JSON",
        "{\"a\":nul} | bad-request: the body is not valid JSON",
        "{\"\":1} | bad-key: the key is empty",
        "{\"a/b\":1} | bad-key: keys with a slash live under /v1/kv/",
        "{\"..\":1} | bad-key: no part of a key between slashes may be . or ..",
        "{\"\\ud800\":1} | bad-key: the key is not well-formed Unicode"
      })
  void theSeedSaysWhatIsWrongWithAPair(String body, String problem) {
    given()
        .contentType(ContentType.JSON)
        .body(body)
        .post("/")
        .then()
        .statusCode(400)
        .contentType("application/problem+json")
        .body("type", equalTo("/problems/kv/" + problem.substring(0, problem.indexOf(':'))))
        .body("detail", equalTo(problem.substring(problem.indexOf(' ') + 1)));
  }

  @Test
  void theSeedRefusesAPairWithTheSameKeyTwice() {
    given()
        .contentType(ContentType.JSON)
        .body("{\"a\":1,\"a\":2}")
        .post("/")
        .then()
        .statusCode(400)
        .body("detail", containsString("has a field twice"));
  }

  @Test
  void theSeedRefusesBytesThatAreNotUtf8() {
    given()
        .contentType(ContentType.JSON)
        .body(new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'})
        .post("/")
        .then()
        .statusCode(400)
        .body("detail", equalTo("the body is not valid UTF-8"));
  }
}
