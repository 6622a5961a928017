package dev.parley.frontend.edge;

import static io.restassured.RestAssured.given;
import static org.hamcrest.MatcherAssert.assertThat;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.lessThan;
import static org.hamcrest.Matchers.matchesPattern;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.startsWith;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@QuarkusTest
@QuarkusTestResource(LittleServices.class)
class FrontendTest {
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
          + " connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self';"
          + " frame-ancestors 'none'; require-trusted-types-for 'script'";

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/",
        "/c/c42",
        "/backends",
        "/cluster",
        "/patterns",
        "/assets/js/chat.js",
        "/nothing/here",
        "/api/cluster",
        "/api/backends",
        "/api/nothing",
        "/v1/models",
        "/q/health/live"
      })
  void everyResponseCarriesTheSecurityHeadersOnce(String path) {
    var response = given().get(path);
    assertEquals(1, response.headers().getList("Content-Security-Policy").size());
    response
        .then()
        .header("Content-Security-Policy", POLICY)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/c/c42", "/backends", "/cluster", "/patterns"})
  void pagesHaveNoInlineScriptOrStyleAndNothingRemote(String path) {
    given()
        .get(path)
        .then()
        .statusCode(200)
        .contentType("text/html")
        .body(not(containsString("style=")))
        .body(not(containsString("<style")))
        .body(not(matchesPattern("(?s).*<script(?![^>]*src=\"/assets/).*")))
        .body(not(matchesPattern("(?s).*(src|href)=\"(https?:)?//.*")));
  }

  @Test
  void languageAndThemeFollowTheCookiesAndTheBrowser() {
    given()
        .header("Accept-Language", "zh-CN,zh;q=0.9")
        .get("/")
        .then()
        .body(containsString("lang=\"zh-CN\""), containsString("新对话"));
    given()
        .header("Accept-Language", "zh-CN")
        .cookie("parley_lang", "en")
        .cookie("parley_theme", "dark")
        .get("/")
        .then()
        .body(containsString("New chat"), containsString("data-theme=\"dark\""));
    given()
        .cookie("parley_theme", "\"><script>")
        .get("/")
        .then()
        .body(containsString("data-theme=\"system\""));
  }

  @Test
  void aMutationFromAForeignOriginIsRefusedOnEveryPath() {
    for (var path : Set.of("/api/conversations", "/api/backends", "/v1/chat/completions", "/")) {
      given()
          .header("Origin", "http://evil.example")
          .contentType("application/json")
          .body("{}")
          .post(path)
          .then()
          .statusCode(403)
          .contentType(path.startsWith("/v1/") ? "application/json" : "application/problem+json")
          .body(containsString(path.startsWith("/v1/") ? "foreign_origin" : "\"status\":403"));
    }
    given().header("Origin", "null").delete("/api/conversations/c1").then().statusCode(403);
  }

  @Test
  void aMutationFromThisOriginOrFromNoBrowserPasses() {
    given()
        .contentType("application/json")
        .body("{}")
        .post("/api/conversations")
        .then()
        .statusCode(200)
        .body("service", startsWith("chat-"));
    given()
        .header("Origin", "http://localhost:" + RestAssured.port)
        .header("Host", "localhost:" + RestAssured.port)
        .contentType("application/json")
        .body("{}")
        .post("/api/conversations")
        .then()
        .statusCode(200);
  }

  @Test
  void anUnknownHostNameIsRefused() {
    given()
        .header("Host", "rebound.example")
        .get("/api/backends")
        .then()
        .statusCode(421)
        .contentType("application/problem+json");
  }

  @Test
  void pathsGoToTheirServices() {
    given()
        .get("/api/backends/b1")
        .then()
        .body("service", equalTo("registry"), "path", equalTo("/api/backends/b1"));
    given().get("/api/models").then().body("service", equalTo("registry"));
    given().get("/v1/models").then().body("service", startsWith("chat-"));
    given().body("{}").post("/chat").then().body("service", startsWith("chat-"));
  }

  @Test
  void innerDoorsStayShut() {
    for (var path :
        Set.of(
            "/api/outcomes",
            "/internal/backends/b1/credential",
            "/api/backends/%2e%2e/outcomes",
            "/v1/../internal/x",
            "/api/backends/..%2f..%2finternal")) {
      given().urlEncodingEnabled(false).get(path).then().statusCode(404);
    }
  }

  @Test
  void aConversationStaysWithOneReplicaAndOthersUseBoth() {
    var homes = new HashSet<String>();
    for (int i = 0; i < 20; i++) {
      var path = "/api/conversations/c" + i;
      String home = given().get(path).path("service");
      assertEquals(home, given().get(path + "/messages").path("service"));
      homes.add(home);
    }
    assertEquals(Set.of("chat-1", "chat-2"), homes);
  }

  @Test
  void eventsArePassedOnWhole() {
    given()
        .get("/api/conversations/c1/events?after=0")
        .then()
        .statusCode(200)
        .contentType("text/event-stream")
        .header("X-Accel-Buffering", "no")
        .body(containsString("id: 1\n"), containsString("id: 3\n"));
  }

  @Test
  void aRequestIdIsKeptWhenWellFormed() {
    given()
        .header("X-Request-Id", "abc-1")
        .get("/api/models")
        .then()
        .header("X-Request-Id", "abc-1");
    given()
        .header("X-Request-Id", "a b{}")
        .get("/api/models")
        .then()
        .header("X-Request-Id", matchesPattern("[a-f0-9-]{36}"));
  }

  @Test
  void anErrorBelowV1IsAnErrorObjectOfOpenAi() {
    given()
        .header("Origin", "https://evil.example")
        .contentType("application/json")
        .body("{}")
        .post("/v1/chat/completions")
        .then()
        .statusCode(403)
        .contentType("application/json")
        .body("error.type", equalTo("invalid_request_error"))
        .body("error.code", equalTo("foreign_origin"));
  }

  @Test
  void theClusterAnswerNamesTheNodeThatIsDown() {
    given()
        .get("/api/cluster")
        .then()
        .statusCode(200)
        .body("answer.safe", equalTo(true))
        .body("answer.level", equalTo("degraded"))
        .body("answer.sentence", containsString("kv-5"))
        .body("answer.copies", equalTo(2))
        .body("groups[0].without_spare", equalTo(128))
        .body("kv[3].reachable", equalTo(false))
        .body("services.find { it.name == 'registry' }.state", equalTo("ready"))
        .body("services.find { it.name == 'chat-3' }.state", equalTo("down"));
  }

  @Test
  void theClusterAnswerShowsTheMembersThereAreNowAndNotThoseThatWereConfigured() {
    given()
        .get("/api/cluster")
        .then()
        .body("kv.node_id", equalTo(List.of("kv-1", "kv-2", "kv-4", "kv-5")))
        .body("kv[2].reachable", equalTo(true))
        .body(
            "services.name.findAll { it.startsWith('kv-') }",
            equalTo(List.of("kv-1", "kv-2", "kv-4", "kv-5")))
        .body("services.find { it.name == 'kv-4' }.state", equalTo("ready"))
        .body("services.find { it.name == 'kv-5' }.state", equalTo("down"));
  }

  @Test
  void assetsAreRevalidatedByContent() {
    var etag =
        given()
            .get("/assets/js/chat.js")
            .then()
            .statusCode(200)
            .contentType("text/javascript")
            .header("Cache-Control", "no-cache")
            .extract()
            .header("ETag");
    given().header("If-None-Match", etag).get("/assets/js/chat.js").then().statusCode(304);
    for (var path :
        Set.of(
            "/assets/nothing.js",
            "/assets/../application.properties",
            "/assets/lib/x.js",
            "/assets/js")) {
      given().urlEncodingEnabled(false).get(path).then().statusCode(404);
    }
  }

  @Test
  void everyScriptOfTheChatPageExistsAndAllFitTheFirstLoadBudget() throws IOException {
    var imported = Pattern.compile("(?:from|import) '([^']+)'");
    var seen = new HashSet<String>();
    var open = new ArrayDeque<>(Set.of("/assets/js/chat.js"));
    int total = 0;
    while (!open.isEmpty()) {
      var path = open.pop();
      if (!seen.add(path)) {
        continue;
      }
      var source = given().get(path).then().statusCode(200).extract().asString();
      total += gzipped(source);
      if (!path.startsWith("/assets/lib/")) {
        imported
            .matcher(source)
            .results()
            .forEach(hit -> open.add(URI.create(path).resolve(hit.group(1)).getPath()));
      }
    }
    assertTrue(seen.contains("/assets/lib/purify.js"));
    assertThat(total, lessThan(60 * 1024));
  }

  private static int gzipped(String source) throws IOException {
    var bytes = new ByteArrayOutputStream();
    try (var gzip = new GZIPOutputStream(bytes)) {
      gzip.write(source.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.size();
  }
}
