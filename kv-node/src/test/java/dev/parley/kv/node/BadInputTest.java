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
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Every request that cannot be understood gets a problem document that says why, and changes
/// nothing. Requests are sent byte by byte where a well-behaved client would mend them.
@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class BadInputTest {

  private record Raw(int status, String contentType, String body) {
    String problem() {
      assertEquals("application/problem+json", contentType, body);
      JsonObject document = new JsonObject(body);
      assertEquals(status, document.getInteger("status"));
      assertTrue(document.getString("title").length() > 5);
      return document.getString("type").substring("/problems/kv/".length())
          + ": "
          + document.getString("detail");
    }
  }

  private static Raw raw(String method, String target, String... headers) throws IOException {
    try (Socket socket = new Socket("127.0.0.1", RestAssured.port)) {
      socket.setSoTimeout(10_000);
      StringBuilder request = new StringBuilder(method + " " + target + " HTTP/1.1\r\nHost: x\r\n");
      for (String header : headers) {
        request.append(header).append("\r\n");
      }
      request.append("Connection: close\r\n\r\n");
      socket.getOutputStream().write(request.toString().getBytes(StandardCharsets.UTF_8));
      InputStream in = new BufferedInputStream(socket.getInputStream());
      int status = Integer.parseInt(line(in).substring(9, 12));
      Map<String, String> fields = new HashMap<>();
      for (String field = line(in); !field.isEmpty(); field = line(in)) {
        int colon = field.indexOf(':');
        fields.put(
            field.substring(0, colon).toLowerCase(Locale.ROOT), field.substring(colon + 1).strip());
      }
      byte[] body = in.readNBytes(Integer.parseInt(fields.getOrDefault("content-length", "0")));
      return new Raw(
          status,
          fields.getOrDefault("content-type", ""),
          new String(body, StandardCharsets.UTF_8));
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
        "{\"a\":{\"x\":1,\"x\":2}} | bad-request: the body is not valid JSON, or has a field twice",
        "{\"a\":1} {\"b\":2} | bad-request: there is something after the JSON object",
        "{\"a\" 1} | bad-request: the body is not valid JSON, or has a field twice",
        "{\"a\":nul} | bad-request: the body is not valid JSON, or has a field twice",
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
