package dev.parley.registry.api;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.contains;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.emptyOrNullString;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.greaterThanOrEqualTo;
import static org.hamcrest.Matchers.hasItem;
import static org.hamcrest.Matchers.hasKey;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.matchesPattern;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.notNullValue;
import static org.hamcrest.Matchers.nullValue;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.parley.kv.client.InMemoryKvStore;
import dev.parley.kv.client.KvStore;
import dev.parley.registry.FakeBackend;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import io.restassured.config.EncoderConfig;
import io.restassured.http.ContentType;
import io.restassured.specification.RequestSpecification;
import jakarta.inject.Inject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@QuarkusTest
class RegistryApiTest {

  private static final String TOKEN = "Bearer a-token-for-tests-only";
  private static long seq;

  @Inject KvStore store;

  private final FakeBackend fake = new FakeBackend();

  @BeforeEach
  void begin() {
    memory().available(true);
    eventually(() -> given().get("/api/backends").statusCode() == 200);
    for (String id : given().get("/api/backends").jsonPath().getList("backends.id", String.class)) {
      given().delete("/api/backends/" + id).then().statusCode(204);
    }
  }

  @AfterEach
  void end() {
    fake.close();
    memory().available(true);
  }

  private InMemoryKvStore memory() {
    return (InMemoryKvStore) store;
  }

  private static RequestSpecification json() {
    return given().contentType(ContentType.JSON);
  }

  private Map<String, Object> description(String name) {
    Map<String, Object> json = new HashMap<>();
    json.put("name", name);
    json.put("base_url", fake.baseUrl());
    return json;
  }

  private String add(Map<String, Object> description) {
    return json()
        .body(description)
        .post("/api/backends")
        .then()
        .statusCode(201)
        .extract()
        .path("id");
  }

  private void eventually(BooleanSupplier claim) {
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (!claim.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        fail("this did not come true within 20 s");
      }
    }
  }

  private String state(String id) {
    return given().get("/api/backends/" + id).jsonPath().getString("status.state");
  }

  private void untilUp(String id) {
    eventually(() -> state(id).equals("up"));
  }

  private Map<String, Object> outcome(String id, String kind) {
    Map<String, Object> outcome = new HashMap<>();
    outcome.put("backend_id", id);
    outcome.put("model", "tiny");
    outcome.put("at", Instant.now().toString());
    outcome.put("kind", kind);
    outcome.put("reason", "as told");
    outcome.put("in_flight_at_start", 0);
    outcome.put("prompt_tokens", 100);
    outcome.put("output_tokens", 50);
    outcome.put("first_token_ms", 120.5);
    outcome.put("generation_ms", 980);
    outcome.put("retry_after_ms", null);
    return outcome;
  }

  private static void report(Map<String, Integer> inFlight, List<Map<String, Object>> outcomes) {
    report(++seq, inFlight, outcomes);
  }

  private static void report(
      long number, Map<String, Integer> inFlight, List<Map<String, Object>> outcomes) {
    json()
        .header("Authorization", TOKEN)
        .body(
            Map.of("replica", "chat-1", "seq", number, "in_flight", inFlight, "outcomes", outcomes))
        .post("/api/outcomes")
        .then()
        .statusCode(202);
  }

  @Test
  void aBackendIsAddedReadChangedAndRemoved() {
    Map<String, Object> description = description("Ollama 一号");
    description.put("provider", "ollama");
    description.put("models", List.of("qwen3:8b", "llama3"));
    description.put("weight", 2.5);
    description.put("max_concurrency", 4);
    description.put("tier", 1);
    description.put("labels", Map.of("zone", "home"));
    var created =
        json()
            .body(description)
            .post("/api/backends")
            .then()
            .statusCode(201)
            .header("ETag", matchesPattern("\".+\""))
            .header("Location", containsString("/api/backends/b-"))
            .body("name", is("Ollama 一号"))
            .body("provider", is("ollama"))
            .body("base_url", is(fake.baseUrl()))
            .body("api_key_last4", nullValue())
            .body("models", contains("qwen3:8b", "llama3"))
            .body("weight", is(2.5f))
            .body("max_concurrency", is(4))
            .body("tier", is(1))
            .body("enabled", is(true))
            .body("draining", is(false))
            .body("labels.zone", is("home"))
            .body("created_at", matchesPattern("\\d{4}-.+Z"))
            .body("updated_at", notNullValue())
            .body("status.state", notNullValue())
            .extract();
    String id = created.path("id");
    String tag = created.header("ETag");

    given().get("/api/backends/" + id).then().statusCode(200).header("ETag", tag);
    given().get("/api/backends").then().body("backends.id", contains(id));

    description.put("weight", 1);
    description.remove("max_concurrency");
    String next =
        json()
            .header("If-Match", tag)
            .body(description)
            .put("/api/backends/" + id)
            .then()
            .statusCode(200)
            .body("weight", is(1.0f))
            .body("max_concurrency", nullValue())
            .extract()
            .header("ETag");
    json()
        .header("If-Match", tag)
        .body(description)
        .put("/api/backends/" + id)
        .then()
        .statusCode(412)
        .contentType("application/problem+json")
        .header("ETag", next);
    given().header("If-Match", tag).delete("/api/backends/" + id).then().statusCode(412);
    given().header("If-Match", next).delete("/api/backends/" + id).then().statusCode(204);
    given().get("/api/backends/" + id).then().statusCode(404);
    given().delete("/api/backends/" + id).then().statusCode(404);
  }

  @Test
  void whatWasReadCanBeSentBack() {
    String id = add(description("a"));
    String body = given().get("/api/backends/" + id).asString();
    json().body(body).put("/api/backends/" + id).then().statusCode(200);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          base_url | {"name":"x","base_url":"not a url"}
          base_url | {"name":"x","base_url":"gopher://h/v1"}
          base_url | {"name":"x","base_url":"http://u:p@h/v1"}
          base_url | {"name":"x","base_url":"http://h/v1#f"}
          base_url | {"name":"x","base_url":"http://169.254.169.254/v1"}
          base_url | {"name":"x"}
          name | {"base_url":"http://h/v1"}
          name | {"name":"","base_url":"http://h/v1"}
          weight | {"name":"x","base_url":"http://h/v1","weight":0}
          weight | {"name":"x","base_url":"http://h/v1","weight":-3}
          weight | {"name":"x","base_url":"http://h/v1","weight":1e999}
          weight | {"name":"x","base_url":"http://h/v1","weight":1001}
          max_concurrency | {"name":"x","base_url":"http://h/v1","max_concurrency":0}
          colour | {"name":"x","base_url":"http://h/v1","colour":"red"}
          id | {"name":"x","base_url":"http://h/v1","id":"mine"}
          api_key | {"name":"x","base_url":"http://h/v1","api_key":"a\\nb"}
          """)
  void aBadFieldIsNamed(String field, String body) {
    json()
        .body(body)
        .post("/api/backends")
        .then()
        .statusCode(400)
        .contentType("application/problem+json")
        .body("field", is(field))
        .body("type", is("/problems/invalid-field"))
        .body("detail", notNullValue());
    given().get("/api/backends").then().body("backends", hasSize(0));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "{", "[]", "null", "\"x\"", "{} {}", "{\"name\":\"a\",\"name\":\"b\"}"})
  void aMalformedBodyIsRefused(String body) {
    json()
        .body(body)
        .post("/api/backends")
        .then()
        .statusCode(400)
        .contentType("application/problem+json");
  }

  @Test
  void aNameIsGivenOnce() {
    String first = add(description("a"));
    String second = add(description("b"));
    json()
        .body(description("A"))
        .post("/api/backends")
        .then()
        .statusCode(400)
        .body("field", is("name"));
    json()
        .body(description("a"))
        .put("/api/backends/" + second)
        .then()
        .statusCode(400)
        .body("field", is("name"));
    json().body(description("a")).put("/api/backends/" + first).then().statusCode(200);
  }

  @Test
  void theKeyIsNeverReturnedButToServices() {
    Map<String, Object> description = description("a");
    description.put("api_key", "sk-very-secret-4242");
    String id = add(description);
    String all =
        given().get("/api/backends").asString()
            + given().get("/api/backends/" + id).asString()
            + json().body("{}").post("/api/selections").asString()
            + json().post("/api/backends/" + id + "/test").asString()
            + given().get("/q/metrics").asString();
    assertTrue(!all.contains("very-secret"));
    given().get("/api/backends/" + id).then().body("api_key_last4", is("4242"));
    String path = "/internal/backends/" + id + "/credential";
    given().get(path).then().statusCode(401);
    given().header("Authorization", "Bearer wrong").get(path).then().statusCode(401);
    given()
        .header("Authorization", TOKEN)
        .get(path)
        .then()
        .statusCode(200)
        .body("api_key", is("sk-very-secret-4242"));
    assertTrue(fake.authorizations.contains("Bearer sk-very-secret-4242"));

    json()
        .body(description("a"))
        .put("/api/backends/" + id)
        .then()
        .body("api_key_last4", is("4242"));
    description.put("api_key", null);
    json().body(description).put("/api/backends/" + id).then().body("api_key_last4", nullValue());
    given().header("Authorization", TOKEN).get(path).then().statusCode(404);
    given()
        .header("Authorization", TOKEN)
        .get("/internal/backends/nobody/credential")
        .then()
        .statusCode(404);
  }

  @Test
  void itComesUpIsSelectedAndItsModelsAreFound() {
    String id = add(description("a"));
    untilUp(id);
    given()
        .get("/api/backends/" + id)
        .then()
        .body("status.models_discovered", contains("tiny"))
        .body("status.last_probe_at", notNullValue())
        .body("status.success_rate", is(1.0f))
        .body("status.share", is(0.0f))
        .body("status.requests", is(0))
        .body("status", hasKey("first_token_ms"))
        .body("status", hasKey("tokens_per_second"));
    given()
        .get("/api/models")
        .then()
        .body("models[0].id", is("tiny"))
        .body("models[0].backends", contains(id))
        .body("models[0].available", is(true));
    json()
        .body("{\"model\":\"tiny\",\"prompt_tokens\":10,\"max_tokens\":20,\"session\":\"s\"}")
        .post("/api/selections")
        .then()
        .statusCode(200)
        .body("ttl_ms", is(2000))
        .body("policy", is("weighted-least-latency"))
        .body("replicas", greaterThanOrEqualTo(1))
        .body("mean_output_tokens", notNullValue())
        .body("unavailable", nullValue())
        .body("candidates", hasSize(1))
        .body("candidates[0].backend_id", is(id))
        .body("candidates[0].model", is("tiny"))
        .body("candidates[0].base_url", is(fake.baseUrl()))
        .body("candidates[0].target_concurrency", is(16))
        .body("candidates[0].max_concurrency", nullValue())
        .body("candidates[0].first_token_ms", notNullValue())
        .body("candidates[0].score_ms", notNullValue())
        .body("candidates[0].credential", nullValue())
        .body("candidates[0].reason", not(emptyOrNullString()));
    eventually(
        () ->
            Boolean.TRUE.equals(
                given().get("/api/backends/" + id).jsonPath().get("status.continuation")));
  }

  @Test
  void aSelectionSaysWhyThereIsNobody() {
    json()
        .body("{}")
        .post("/api/selections")
        .then()
        .statusCode(200)
        .body("candidates", hasSize(0))
        .body("unavailable.type", is("no-backends"));
    untilUp(add(description("a")));
    json()
        .body("{\"model\":\"gpt-9\"}")
        .post("/api/selections")
        .then()
        .body("unavailable.type", is("unknown-model"));
    String id = given().get("/api/backends").path("backends[0].id");
    json()
        .body(Map.of("model", "tiny", "exclude", List.of(id)))
        .post("/api/selections")
        .then()
        .body("unavailable.type", is("all-down"))
        .body("unavailable.retry_after_ms", greaterThanOrEqualTo(1000));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          policy | {"policy":"astrology"}
          model | {"model":""}
          prompt_tokens | {"prompt_tokens":-1}
          max_tokens | {"max_tokens":1.5}
          exclude | {"exclude":"b"}
          modle | {"modle":"x"}
          """)
  void aBadSelectionIsNamed(String field, String body) {
    json().body(body).post("/api/selections").then().statusCode(400).body("field", is(field));
  }

  @Test
  void smoothWeightedRoundRobinTakesTurns() {
    Map<String, Object> heavy = description("heavy");
    heavy.put("weight", 3);
    String a = add(heavy);
    String b = add(description("light"));
    untilUp(a);
    untilUp(b);
    List<String> first = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      first.add(
          json()
              .body("{\"policy\":\"smooth-weighted-round-robin\"}")
              .post("/api/selections")
              .path("candidates[0].backend_id"));
    }
    assertTrue(first.contains(a) && first.contains(b), first::toString);
  }

  @Test
  void outcomesNeedTheTokenAndCountOnce() {
    String id = add(description("a"));
    untilUp(id);
    json().body("{}").post("/api/outcomes").then().statusCode(401);
    long number = ++seq;
    report(number, Map.of(id, 3), List.of(outcome(id, "success")));
    report(number, Map.of(id, 3), List.of(outcome(id, "success")));
    given()
        .get("/api/backends/" + id)
        .then()
        .body("status.requests", is(1))
        .body("status.share", is(1.0f))
        .body("status.in_flight", is(3))
        .body("status.first_token_ms", notNullValue())
        .body("status.tokens_per_second", notNullValue());
    given()
        .get("/api/capacity")
        .then()
        .body("backends[0].in_flight", is(3))
        .body("fleet.in_flight", is(3));
    given()
        .get("/q/metrics")
        .then()
        .body(containsString("parley_outcomes_total"))
        .body(containsString("parley_backend_state"));
  }

  @Test
  void failuresEjectAndAnAnswerTakesBack() {
    String a = add(description("a"));
    String b = add(description("b"));
    untilUp(a);
    untilUp(b);
    List<Map<String, Object>> failures = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      failures.add(outcome(a, "failure"));
    }
    report(Map.of(), failures);
    assertEquals("ejected", state(a));
    json().body("{}").post("/api/selections").then().body("candidates.backend_id", contains(b));
    report(Map.of(), List.of(outcome(a, "success")));
    assertEquals("up", state(a));
    Map<String, Object> limited = outcome(a, "rate-limited");
    limited.put("retry_after_ms", 60_000);
    report(Map.of(), List.of(limited));
    assertEquals("rate-limited", state(a));
    report(Map.of(), List.of(outcome(b, "misconfigured")));
    assertEquals("misconfigured", state(b));
    json().body("{}").post("/api/selections").then().body("unavailable.type", is("all-down"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          replica | {"seq":1}
          seq | {"replica":"c"}
          in_flight | {"replica":"c","seq":1,"in_flight":{"b":-1}}
          outcomes | {"replica":"c","seq":1,"outcomes":[1]}
          outcomes[0].kind | {"replica":"c","seq":1,"outcomes":[{"backend_id":"b","at":"2026-01-01T00:00:00Z","kind":"meh"}]}
          outcomes[0].at | {"replica":"c","seq":1,"outcomes":[{"backend_id":"b","at":"today","kind":"success"}]}
          """)
  void aBadReportIsNamed(String field, String body) {
    json()
        .header("Authorization", TOKEN)
        .body(body)
        .post("/api/outcomes")
        .then()
        .statusCode(400)
        .body("field", is(field));
  }

  @Test
  void drainingAndDisablingTakeItOutAndEnablingPutsItBack() {
    String id = add(description("a"));
    untilUp(id);
    String path = "/api/backends/" + id;
    json()
        .post(path + "/drain")
        .then()
        .statusCode(200)
        .body("draining", is(true))
        .body("status.state", is("draining"));
    json().body("{}").post("/api/selections").then().body("unavailable.type", is("all-down"));
    json().post(path + "/enable").then().statusCode(200).body("draining", is(false));
    json()
        .post(path + "/disable")
        .then()
        .statusCode(200)
        .body("enabled", is(false))
        .body("status.state", is("disabled"));
    json().body("{}").post(path + "/enable").then().statusCode(200).body("enabled", is(true));
    untilUp(id);
    json().header("If-Match", "\"0\"").post(path + "/drain").then().statusCode(412);
    json().post("/api/backends/nobody/drain").then().statusCode(404);
    json().post("/api/backends/nobody/test").then().statusCode(404);
  }

  @Test
  void aBackendThatGoesAwayGoesDownAndComesBackUp() {
    String id = add(description("a"));
    untilUp(id);
    fake.modelsStatus = 500;
    eventually(() -> state(id).equals("down"));
    given().get("/api/backends/" + id).then().body("status.last_error", containsString("500"));
    json().body("{}").post("/api/selections").then().body("unavailable.type", is("all-down"));
    fake.modelsStatus = 200;
    untilUp(id);
  }

  @Test
  void aSavedAndAnUnsavedBackendCanBeTested() {
    String id = add(description("a"));
    json()
        .post("/api/backends/" + id + "/test")
        .then()
        .statusCode(200)
        .body("reachable", is(true))
        .body("models", contains("tiny"))
        .body("streaming", is(true))
        .body("continuation", is(true))
        .body("latency_ms", notNullValue())
        .body("first_token_ms", notNullValue())
        .body("error", nullValue());
    json()
        .body(Map.of("base_url", "http://127.0.0.1:1/v1"))
        .post("/api/backends/test")
        .then()
        .statusCode(200)
        .body("reachable", is(false))
        .body("error", is("connection refused"));
    json()
        .body(Map.of("base_url", "http://169.254.169.254/"))
        .post("/api/backends/test")
        .then()
        .statusCode(400)
        .body("field", is("base_url"));
  }

  @Test
  void anEditedBackendIsTestedWithItsKeyOnlyAtItsOwnAddress() {
    Map<String, Object> description = description("a");
    description.put("api_key", "sk-very-secret-4242");
    String id = add(description);
    try (FakeBackend elsewhere = new FakeBackend()) {
      json()
          .body(Map.of("id", id, "base_url", elsewhere.baseUrl()))
          .post("/api/backends/test")
          .then()
          .statusCode(200);
      assertTrue(elsewhere.authorizations.stream().allMatch("null"::equals));
    }
    fake.authorizations.clear();
    json().body(Map.of("id", id, "base_url", fake.baseUrl())).post("/api/backends/test");
    assertTrue(fake.authorizations.stream().allMatch("Bearer sk-very-secret-4242"::equals));
  }

  @Test
  void onlyJsonChangesAnything() {
    RequestSpecification plain =
        given()
            .config(
                RestAssured.config()
                    .encoderConfig(
                        EncoderConfig.encoderConfig()
                            .appendDefaultContentCharsetToContentTypeIfUndefined(false)));
    plain.contentType("text/plain").body("{}").post("/api/backends").then().statusCode(415);
    String id = add(description("a"));
    given().post("/api/backends/" + id + "/drain").then().statusCode(415);
    given()
        .contentType("application/x-www-form-urlencoded")
        .post("/api/backends/" + id + "/drain")
        .then()
        .statusCode(415)
        .contentType("application/problem+json");
  }

  @Test
  void withTheStoreDeadReadsAndSelectionsGoOnAndChangesSayWhyNot() {
    String id = add(description("a"));
    untilUp(id);
    memory().available(false);
    json()
        .body(description("b"))
        .post("/api/backends")
        .then()
        .statusCode(503)
        .header("Retry-After", notNullValue())
        .body("type", is("/problems/not-applied"))
        .body("detail", containsString("nothing was changed"));
    given().delete("/api/backends/" + id).then().statusCode(503);
    json().post("/api/backends/" + id + "/drain").then().statusCode(503);
    given().get("/api/backends").then().statusCode(200).body("backends.id", contains(id));
    json().body("{}").post("/api/selections").then().body("candidates", hasSize(1));
    given().get("/q/health/ready").then().statusCode(200);
    memory().available(true);
    add(description("b"));
    given().get("/api/backends").then().body("backends", hasSize(2));
  }

  @Test
  void eventsTellOfEveryBackendAndOfEachChange() throws Exception {
    String a = add(description("a"));
    try (HttpClient client = HttpClient.newHttpClient()) {
      var response =
          client.send(
              HttpRequest.newBuilder(
                      URI.create("http://127.0.0.1:" + RestAssured.port + "/api/events"))
                  .build(),
              HttpResponse.BodyHandlers.ofInputStream());
      try (var lines =
          new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
        assertEquals("text/event-stream", response.headers().firstValue("Content-Type").orElse(""));
        until(lines, a, "event:backend");
        String b = add(description("b"));
        until(lines, b, "event:backend");
        given().delete("/api/backends/" + b).then().statusCode(204);
        until(lines, b, "event:removed");
      }
    }
  }

  /// Reads until an event of this kind about this backend came.
  private static void until(BufferedReader lines, String id, String event) throws Exception {
    String last = "";
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String tight = line.replace("event: ", "event:");
      if (tight.startsWith("event:")) {
        last = tight;
      } else if (line.startsWith("data:") && line.contains(id) && last.equals(event)) {
        return;
      }
    }
    fail("the events ended");
  }

  @Test
  void aRequestIdIsTakenOverOrMade() {
    given()
        .header("X-Request-Id", "abc-1")
        .get("/api/backends")
        .then()
        .header("X-Request-Id", "abc-1");
    given()
        .header("X-Request-Id", "bad id")
        .get("/api/nothing")
        .then()
        .statusCode(404)
        .contentType("application/problem+json")
        .header("X-Request-Id", not(equalTo("bad id")))
        .header("X-Request-Id", notNullValue());
    given().contentType(ContentType.JSON).patch("/api/backends").then().statusCode(405);
  }

  @Test
  void healthAndOpenApiAreThere() {
    given().get("/q/health/live").then().statusCode(200);
    given().get("/q/health/ready").then().statusCode(200).body("checks.name", hasItem("backends"));
    given().get("/q/openapi").then().statusCode(200).body(containsString("/api/selections"));
  }
}
