package dev.parley.demo.api;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.ValidatableResponse;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

@QuarkusTest
class FaultApiTest {
  private static final Map<String, Object> COUNT =
      Map.of(
          "model",
          "parley-demo",
          "stream",
          true,
          "messages",
          List.of(ChatApiTest.user("count to 20")));
  private static final String WHOLE = countTo(20);

  @AfterEach
  void clear() {
    given().delete("/faults").then().statusCode(204);
  }

  @Test
  void showsChangesAndClearsStandingFaults() {
    set("{\"latency_ms\":1,\"missing_done\":true}");
    set("{\"latency_ms\":null,\"status\":{\"code\":503,\"times\":2}}")
        .body("status.code", equalTo(503))
        .body("status.times", equalTo(2))
        .body("missing_done", equalTo(true))
        .body("latency_ms", equalTo(null));
    given().get("/faults").then().statusCode(200).body("status.code", equalTo(503));
    clear();
    given().get("/faults").then().body("status", equalTo(null));
  }

  @Test
  void refusesUnknownKnobsAndBadValuesByName() {
    for (String bad :
        new String[] {"{\"laziness\":1}", "{\"laziness\":null}", "{\"laziness\":{\"value\":2}}"}) {
      given()
          .contentType("application/json")
          .body(bad)
          .post("/faults")
          .then()
          .statusCode(400)
          .body("error.param", equalTo("laziness"));
    }
    given()
        .contentType("application/json")
        .body("{\"status\":200}")
        .post("/faults")
        .then()
        .statusCode(400)
        .body("error.param", equalTo("status"));
    given().contentType("application/json").body("[1]").post("/faults").then().statusCode(400);
    given().contentType("text/plain").body("{}").post("/faults").then().statusCode(415);
    given()
        .header("X-Demo-Faults", "{\"status\":\"x\"}")
        .get("/v1/models")
        .then()
        .statusCode(400)
        .body("error.message", containsString("status"));
  }

  @Test
  void statusComesAsOftenAsAskedWithRetryAfter() {
    set("{\"status\":{\"code\":429,\"times\":2,\"retry_after_s\":7}}");
    for (int i = 0; i < 2; i++) {
      complete(Map.of())
          .statusCode(429)
          .header("Retry-After", "7")
          .body("error.type", equalTo("rate_limit_error"));
    }
    complete(Map.of()).statusCode(200);
  }

  @Test
  void aHeaderStrikesOneRequestOnly() {
    complete(Map.of("X-Demo-Faults", "{\"status\":{\"code\":500}}")).statusCode(500);
    complete(Map.of()).statusCode(200);
  }

  /// Lower bounds only: a slow machine may take longer, no machine may be faster.
  @Test
  void latencyAndTokenDelaysHoldTheAnswerBack() {
    for (String knob : List.of("latency_ms", "first_token_delay_ms")) {
      long began = System.nanoTime();
      complete(Map.of("X-Demo-Faults", "{\"" + knob + "\":200}")).statusCode(200);
      assertTrue(System.nanoTime() - began >= 200_000_000L, knob);
    }
    long began = System.nanoTime();
    complete(Map.of("X-Demo-Faults", "{\"tokens_per_second\":100}")).statusCode(200);
    assertTrue(System.nanoTime() - began >= 380_000_000L, "39 tokens at 100 a second");
  }

  @Test
  void resetsBeforeHeaders() throws IOException {
    set("{\"reset_before_headers\":1}");
    Sse.Answer answer = Sse.post(COUNT, Map.of());
    assertEquals("", answer.head());
    assertTrue(answer.reset());
    assertEquals(WHOLE, Sse.post(COUNT, Map.of()).text());
  }

  @Test
  void staysSilent() throws IOException {
    try (Socket socket = Sse.open(COUNT, Map.of("X-Demo-Faults", "{\"silence\":true}"))) {
      socket.setSoTimeout(300);
      assertThrows(SocketTimeoutException.class, () -> socket.getInputStream().read());
    }
  }

  @Test
  void cutsAfterExactlySoManyTokens() throws IOException {
    for (int tokens : new int[] {0, 1, 5}) {
      Sse.Answer answer = struck("{\"cut_after_tokens\":" + tokens + "}");
      assertEquals(WHOLE.substring(0, tokens), answer.text());
      assertTrue(answer.reset());
      assertFalse(answer.complete());
    }
  }

  @Test
  void cutsAnAnswerInOnePieceToo() {
    assertThrows(
        IOException.class,
        () -> {
          throw assertThrows(
              Exception.class, () -> complete(Map.of("X-Demo-Faults", "{\"cut_after_tokens\":3}")));
        });
  }

  @Test
  void stallsAfterExactlySoManyTokens() throws IOException {
    try (Socket socket = Sse.open(COUNT, Map.of("X-Demo-Faults", "{\"stall_after_tokens\":3}"))) {
      var seen = new StringBuilder();
      while (seen.toString().split("\"content\":", -1).length <= 1 + 3
          || !seen.toString().endsWith("}\n\n\r\n")) {
        seen.append((char) socket.getInputStream().read());
      }
      socket.setSoTimeout(300);
      assertThrows(
          SocketTimeoutException.class,
          () -> socket.getInputStream().read(),
          "nothing after the role and three tokens");
    }
  }

  @Test
  void sendsOneMalformedEventAndGoesOn() throws IOException {
    Sse.Answer answer = struck("{\"malformed_event_at\":2}");
    assertEquals(WHOLE, answer.text());
    assertTrue(answer.complete());
    assertEquals(
        answer.data().size() - 2, answer.frames().size(), "all but [DONE] and the broken one");
    assertThrows(IOException.class, () -> Sse.JSON.readTree(answer.data().get(3)));
  }

  @Test
  void leavesOutDone() throws IOException {
    Sse.Answer answer = struck("{\"missing_done\":true}");
    assertEquals(WHOLE, answer.text());
    assertTrue(answer.complete());
    assertTrue(answer.data().getLast().contains("\"finish_reason\":\"stop\""));
  }

  @Test
  void rejectsAPrefillAndNothingElse() {
    set("{\"reject_prefill\":true}");
    complete(Map.of()).statusCode(200);
    given()
        .contentType("application/json")
        .body(
            Map.of(
                "model",
                "parley-demo",
                "messages",
                List.of(ChatApiTest.user("count to 3"), ChatApiTest.assistant("1"))))
        .post("/v1/chat/completions")
        .then()
        .statusCode(400)
        .body("error.param", equalTo("messages"));
  }

  @Test
  void findsThePromptTooLong() {
    complete(Map.of("X-Demo-Faults", "{\"context_length_error_above\":6}"))
        .statusCode(400)
        .body("error.code", equalTo("context_length_exceeded"));
    complete(Map.of("X-Demo-Faults", "{\"context_length_error_above\":7}")).statusCode(200);
  }

  @Test
  void isUnavailableForModelsToo() {
    set("{\"unavailable_for_s\":60}");
    given().get("/v1/models").then().statusCode(503).header("Retry-After", "60");
    complete(Map.of()).statusCode(503);
    set("{\"unavailable_for_s\":null}");
    complete(Map.of()).statusCode(200);
  }

  @Test
  void sparesTheListOfModelsUnlessToldOtherwise() {
    set("{\"status\":500}");
    given().get("/v1/models").then().statusCode(200);
    set("{\"applies_to\":\"all\"}");
    given().get("/v1/models").then().statusCode(500);
  }

  private static ValidatableResponse set(String knobs) {
    return given()
        .contentType("application/json")
        .body(knobs)
        .post("/faults")
        .then()
        .statusCode(200);
  }

  private static ValidatableResponse complete(Map<String, String> headers) {
    return given()
        .contentType("application/json")
        .headers(headers)
        .body(Map.of("model", "parley-demo", "messages", List.of(ChatApiTest.user("count to 20"))))
        .post("/v1/chat/completions")
        .then();
  }

  private Sse.Answer struck(String faults) throws IOException {
    return Sse.post(COUNT, Map.of("X-Demo-Faults", faults));
  }

  private static String countTo(int last) {
    var text = new StringBuilder("1");
    for (int i = 2; i <= last; i++) {
      text.append('\n').append(i);
    }
    return text.toString();
  }
}
