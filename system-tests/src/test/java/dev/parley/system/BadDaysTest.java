package dev.parley.system;

import static dev.parley.system.Eventually.eventually;
import static dev.parley.system.Http.map;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/// Bad input and bad days, through the one public origin.
@WithCluster
class BadDaysTest {

  private final Http http;
  private final Cluster cluster;

  BadDaysTest(Cluster cluster) {
    this.cluster = cluster;
    this.http = cluster.http("frontend");
  }

  @Test
  void malformedJsonIsABadRequest() {
    assertEquals(400, http.post("/api/conversations", "{\"title\":").status());
    assertEquals(400, http.post("/api/backends", "{\"name\":").status());
    JsonNode error = http.post("/v1/chat/completions", "{\"messages\":").json(400).path("error");
    assertTrue(
        error.has("message") && error.has("type") && error.has("param") && error.has("code"));
  }

  @Test
  void anEmptyMessageIsRefusedByName() {
    Chat chat = Chat.create(http);
    JsonNode problem = send(chat, "  ").json(400);
    assertEquals("content", problem.path("field").asText());
  }

  @Test
  void aMessageOverOneMebibyteIsTooLarge() {
    Chat chat = Chat.create(http);
    assertEquals(413, send(chat, "x".repeat((1 << 20) + 1)).status());
    assertEquals(0, chat.history().json(200).path("messages").size());
  }

  @Test
  void whatIsUnknownIsNotFound() {
    assertEquals(404, http.get("/api/conversations/nosuch/messages").status());
    assertEquals(404, http.get("/api/backends/nosuch").status());
    JsonNode error =
        http.post(
                "/v1/chat/completions",
                map(
                    "model",
                    "no-such-model",
                    "messages",
                    List.of(map("role", "user", "content", "hi"))))
            .json(404)
            .path("error");
    assertEquals("model_not_found", error.path("code").asText());
  }

  @Test
  void aBackendThatCannotBeRightIsRefusedByField() {
    assertEquals("base_url", refusedField(map("name", "x", "base_url", "ftp://127.0.0.1/v1")));
    assertEquals("base_url", refusedField(map("name", "x", "base_url", "not a url")));
    assertEquals(
        "base_url", refusedField(map("name", "x", "base_url", "http://169.254.169.254/v1")));
    assertEquals(
        "weight", refusedField(map("name", "x", "base_url", "http://127.0.0.1:1/v1", "weight", 0)));
    assertEquals(
        "name", refusedField(map("name", "demo-backend-1", "base_url", "http://127.0.0.1:1/v1")));
    assertEquals(
        "colour",
        refusedField(map("name", "x", "base_url", "http://127.0.0.1:1/v1", "colour", "red")));
  }

  @Test
  void aKeyOnceWrittenIsNeverShownAgain() {
    String secret = "sk-" + UUID.randomUUID();
    JsonNode created =
        http.post(
                "/api/backends",
                map(
                    "name",
                    "keyed-" + secret.substring(30),
                    "base_url",
                    "http://127.0.0.1:1/v1",
                    "api_key",
                    secret))
            .json(201);
    try {
      String id = created.path("id").asText();
      String everything =
          created + http.get("/api/backends").body() + http.get("/api/backends/" + id).body();
      assertTrue(everything.contains(secret.substring(secret.length() - 4)));
      assertTrue(!everything.contains(secret), "the key is in a response");
    } finally {
      http.delete("/api/backends/" + created.path("id").asText());
    }
  }

  @Test
  void aForeignPageCannotWrite() {
    var request =
        http.request("/api/conversations")
            .header("Origin", "http://evil.example")
            .header("Content-Type", "application/json")
            .POST(java.net.http.HttpRequest.BodyPublishers.ofString("{}"));
    assertEquals(403, http.send(request).status());
  }

  @Test
  void withAllBackendsDownTheMessageIsKeptAndARetryAnswersIt() {
    Chat chat = Chat.create(http);
    for (int i = 1; i <= 3; i++) {
      cluster.kill("demo-backend-" + i);
    }
    JsonNode failed = chat.ask("count to 3");
    assertEquals("failed", failed.path("state").asText(), failed.toString());
    assertTrue(failed.path("error").path("retryable").asBoolean(), failed.toString());
    assertTrue(chat.history().body().contains("count to 3"));
    for (int i = 1; i <= 3; i++) {
      cluster.restart("demo-backend-" + i);
    }
    List<JsonNode> answers = new ArrayList<>();
    eventually(
        "the answer to the kept message",
        () -> {
          JsonNode accepted =
              http.post(
                      "/api/conversations/" + chat.id + "/regenerate",
                      map("client_id", UUID.randomUUID().toString()))
                  .json(202);
          answers.add(
              chat.await(
                  accepted.path("generation").path("id").asText(),
                  message -> List.of("done", "failed").contains(message.path("state").asText())));
          return answers.getLast().path("state").asText().equals("done");
        });
    assertEquals("1\n2\n3", answers.getLast().path("content").asText().strip());
  }

  private String refusedField(Object backend) {
    return http.post("/api/backends", backend).json(400).path("field").asText();
  }

  private Http.Answer send(Chat chat, String content) {
    return http.post(
        "/api/conversations/" + chat.id + "/messages",
        map("client_id", UUID.randomUUID().toString(), "content", content));
  }
}
