package dev.parley.demo.api;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasKey;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.nullValue;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import io.restassured.response.ValidatableResponse;
import jakarta.inject.Inject;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@QuarkusTest
class ChatApiTest {
  @Inject Traffic traffic;

  @Test
  void listsItsModel() {
    given()
        .get("/v1/models")
        .then()
        .statusCode(200)
        .body("object", equalTo("list"))
        .body("data.id", equalTo(List.of("parley-demo")))
        .body("data[0].object", equalTo("model"));
  }

  @Test
  void answersInOnePiece() {
    complete(Map.of("messages", List.of(user("count to 3"))))
        .statusCode(200)
        .body("object", equalTo("chat.completion"))
        .body("model", equalTo("parley-demo"))
        .body("choices", hasSize(1))
        .body("choices[0].message.role", equalTo("assistant"))
        .body("choices[0].message.content", equalTo("1\n2\n3"))
        .body("choices[0].finish_reason", equalTo("stop"))
        .body("usage.completion_tokens", equalTo(5))
        .body("usage.prompt_tokens", equalTo(7))
        .body("usage.total_tokens", equalTo(12));
  }

  @Test
  void readsContentPartsAndIgnoresUnknownFields() {
    complete(
            Map.of(
                "temperature",
                0.3,
                "something_new",
                Map.of("a", 1),
                "messages",
                List.of(
                    Map.of("role", "system", "content", "Be brief."),
                    Map.of(
                        "role",
                        "user",
                        "content",
                        List.of(Map.of("type", "text", "text", "count to 2"))))))
        .statusCode(200)
        .body("choices[0].message.content", equalTo("1\n2"));
  }

  @Test
  void streamsRoleThenTokensThenReasonThenUsageThenDone() throws IOException {
    Sse.Answer answer =
        stream(
            Map.of(
                "messages", List.of(user("数到3")), "stream_options", Map.of("include_usage", true)));
    assertTrue(answer.head().startsWith("HTTP/1.1 200"), answer.head());
    assertTrue(answer.head().toLowerCase().contains("content-type: text/event-stream"));
    assertTrue(answer.complete());
    assertEquals("[DONE]", answer.data().getLast());
    List<JsonNode> frames = answer.frames();
    assertEquals("assistant", frames.getFirst().at("/choices/0/delta/role").asText());
    assertEquals("1\n2\n3", answer.text());
    assertEquals(1 + 5 + 1 + 1, frames.size(), "one frame per token");
    JsonNode finish = frames.get(frames.size() - 2);
    assertEquals("stop", finish.at("/choices/0/finish_reason").asText());
    assertTrue(finish.has("usage") && finish.get("usage").isNull());
    JsonNode usage = frames.getLast();
    assertEquals(0, usage.get("choices").size());
    assertEquals(5, usage.at("/usage/completion_tokens").asInt());
    assertEquals(1, frames.stream().map(frame -> frame.get("id").asText()).distinct().count());
  }

  @Test
  void sendsNoUsageToThoseWhoDidNotAsk() throws IOException {
    Sse.Answer answer = stream(Map.of("messages", List.of(user("count to 3"))));
    assertTrue(answer.frames().stream().noneMatch(frame -> frame.has("usage")));
  }

  @Test
  void streamsAndAnswersWholeAlike() throws IOException {
    for (String text : List.of("成语接龙", "idiom chain", "hello", "你好", "count to 300")) {
      Map<String, ?> request = Map.of("messages", List.of(user(text)));
      assertEquals(content(request), stream(request).text());
    }
  }

  @Test
  void continuesAPrefillExactlyFromEveryPlace() throws IOException {
    String answer = content(Map.of("messages", List.of(user("成语接龙"))));
    for (int cut = 0; cut <= answer.length(); cut++) {
      Map<String, ?> request =
          Map.of("messages", List.of(user("成语接龙"), assistant(answer.substring(0, cut))));
      assertEquals(answer.substring(cut), content(request));
      assertEquals(answer.substring(cut), stream(request).text());
    }
  }

  @Test
  void keepsTheGameOverThreeTurnsFromTheMessagesAlone() {
    List<Map<String, String>> messages = new ArrayList<>();
    messages.add(user("成语接龙"));
    messages.add(assistant("好！\n\n「一心一意」（yī xīn yī yì）"));
    messages.add(user("意气风发"));
    String second = content(Map.of("messages", messages));
    assertTrue(second.contains("「发"), second);
    messages.add(assistant(second));
    messages.add(user("意气风发"));
    assertTrue(content(Map.of("messages", messages)).contains("用过了"));
  }

  @Test
  void stopsAtTheTokenLimitAndAtStopSequences() {
    complete(Map.of("messages", List.of(user("count to 60")), "max_tokens", 4))
        .body("choices[0].message.content", equalTo("1\n2\n"))
        .body("choices[0].finish_reason", equalTo("length"))
        .body("usage.completion_tokens", equalTo(4));
    complete(Map.of("messages", List.of(user("count to 60")), "max_completion_tokens", 2))
        .body("choices[0].message.content", equalTo("1\n"));
    complete(Map.of("messages", List.of(user("count to 60")), "stop", "\n4"))
        .body("choices[0].message.content", equalTo("1\n2\n3"))
        .body("choices[0].finish_reason", equalTo("stop"));
    complete(Map.of("messages", List.of(user("count to 60")), "stop", List.of("9", "5")))
        .body("choices[0].message.content", equalTo("1\n2\n3\n4\n"));
  }

  @Test
  void refusesWhatIsNoRequestInOpenAisWords() {
    refused(
        given().contentType("application/json").body("{\"model\":").post(PATH), 400, null, null);
    refused(given().contentType("application/json").body("[]").post(PATH), 400, null, null);
    refused(given().contentType("application/json").body("{} {}").post(PATH), 400, null, null);
    refused(given().contentType("application/json").body("").post(PATH), 400, null, null);
    refused(given().contentType("text/plain").body("{}").post(PATH), 415, null, null);
    refused(post(Map.of("messages", List.of(user("x")))), 400, "model", null);
    refused(post(Map.of("model", "parley-demo")), 400, "messages", null);
    refused(post(Map.of("model", "parley-demo", "messages", List.of())), 400, "messages", null);
    refused(
        post(Map.of("model", "gpt-9", "messages", List.of(user("x")))),
        404,
        "model",
        "model_not_found");
    refused(get("/v1/nothing"), 404, null, "not_found");
    refused(get("/v1/chat/completions"), 405, null, "method_not_allowed");
    refused(given().delete("/v1/models"), 405, null, "method_not_allowed");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"role\":\"robot\",\"content\":\"x\"} | messages[0].role",
        "{\"role\":\"user\"}                    | messages[0].content",
        "{\"role\":\"user\",\"content\":7}      | messages[0].content",
        "7                                      | messages[0]"
      })
  void namesTheBadPartOfAMessage(String message, String param) {
    refused(
        given()
            .contentType("application/json")
            .body("{\"model\":\"parley-demo\",\"messages\":[" + message + "]}")
            .post(PATH),
        400,
        param,
        null);
  }

  @ParameterizedTest
  @CsvSource({
    "max_tokens, 0",
    "max_tokens, 1.5",
    "n, 2",
    "stream, 1",
    "stop, 7",
    "seed, 0.5",
    "stop, ''"
  })
  void namesTheBadField(String field, String value) {
    Object bad = value.isEmpty() ? "" : Double.valueOf(value);
    Object given = bad instanceof Double number && number % 1 == 0 ? number.intValue() : bad;
    refused(
        post(Map.of("model", "parley-demo", "messages", List.of(user("x")), field, given)),
        400,
        field,
        null);
  }

  @Test
  void refusesABodyLargerThanAllowedBeforeAndWhileItComes() throws Exception {
    try (HttpClient client = HttpClient.newHttpClient()) {
      byte[] tooLarge = new byte[(32 << 20) + 1];
      for (HttpRequest.BodyPublisher body :
          List.of(
              HttpRequest.BodyPublishers.ofByteArray(tooLarge),
              HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(tooLarge)))) {
        HttpResponse<String> response =
            client.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + RestAssured.port + PATH))
                    .header("Content-Type", "application/json")
                    .POST(body)
                    .build(),
                HttpResponse.BodyHandlers.ofString());
        assertEquals(413, response.statusCode());
        assertTrue(response.body().contains("body_too_large"), response.body());
      }
    }
  }

  @Test
  void takesABodyOfSeveralMegabytes() {
    complete(Map.of("messages", List.of(user("字".repeat(1_500_000)), user("count to 2"))))
        .statusCode(200)
        .body("choices[0].message.content", equalTo("1\n2"));
  }

  @Test
  void returnsTheRequestIdOrMakesOne() {
    given()
        .header("X-Request-Id", "abc-1")
        .get("/v1/models")
        .then()
        .header("X-Request-Id", "abc-1");
    given()
        .header("X-Request-Id", "not good!")
        .get("/v1/models")
        .then()
        .header("X-Request-Id", org.hamcrest.Matchers.matchesPattern("[0-9a-f-]{36}"));
  }

  @Test
  @Timeout(value = 30, unit = TimeUnit.SECONDS)
  void stopsGeneratingWhenTheClientGoesAway() throws IOException {
    Map<String, Object> request = new HashMap<>();
    request.put("model", "parley-demo");
    request.put("stream", true);
    request.put("messages", List.of(user("count to 9999")));
    try (Socket socket = Sse.open(request, Map.of("X-Demo-Faults", "{\"tokens_per_second\":20}"))) {
      assertTrue(socket.getInputStream().read() > 0);
      until(() -> traffic.active() == 1);
    }
    until(() -> traffic.active() == 0);
  }

  @Test
  void isReadyAndCounts() {
    until(() -> given().get("/q/health/ready").statusCode() == 200);
    given().get("/q/health/live").then().statusCode(200);
    given().get("/q/metrics").then().body(containsString("parley_demo_active_requests"));
  }

  private static final String PATH = "/v1/chat/completions";

  private static void until(BooleanSupplier condition) {
    while (!condition.getAsBoolean()) {
      Thread.onSpinWait();
    }
  }

  private static io.restassured.response.Response get(String path) {
    return given().get(path);
  }

  private static io.restassured.response.Response post(Map<String, ?> body) {
    return given().contentType("application/json").body(body).post(PATH);
  }

  private static void refused(
      io.restassured.response.Response response,
      int status,
      @Nullable String param,
      @Nullable String code) {
    response
        .then()
        .statusCode(status)
        .contentType("application/json")
        .body("error.message", org.hamcrest.Matchers.not(nullValue()))
        .body("error.type", equalTo("invalid_request_error"))
        .body("error", hasKey("param"))
        .body("error", hasKey("code"))
        .body("error.param", equalTo(param))
        .body("error.code", equalTo(code));
  }

  private static Map<String, Object> asked(Map<String, ?> request) {
    Map<String, Object> body = new HashMap<>(request);
    body.put("model", "parley-demo");
    return body;
  }

  private static ValidatableResponse complete(Map<String, ?> request) {
    return post(asked(request)).then();
  }

  private static String content(Map<String, ?> request) {
    return complete(request).statusCode(200).extract().path("choices[0].message.content");
  }

  private Sse.Answer stream(Map<String, ?> request) throws IOException {
    Map<String, Object> body = asked(request);
    body.put("stream", true);
    return Sse.post(body, Map.of());
  }

  static Map<String, String> user(String text) {
    return Map.of("role", "user", "content", text);
  }

  static Map<String, String> assistant(String text) {
    return Map.of("role", "assistant", "content", text);
  }
}
