package dev.parley.system;

import static dev.parley.system.Eventually.eventually;
import static dev.parley.system.Http.map;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// The promise of Parley, against real processes that are really killed.
@WithCluster
class ConversationSurvivesTest {

  private static final String COUNT_TO_60 =
      IntStream.rangeClosed(1, 60).mapToObj(Integer::toString).collect(Collectors.joining("\n"));

  private final Cluster cluster;

  ConversationSurvivesTest(Cluster cluster) {
    this.cluster = cluster;
  }

  @Test
  void theChainGameKeepsItsContextOverThreeTurns() {
    Chat chat = Chat.create(cluster.http("frontend"));
    Idioms idioms = new Idioms();
    String played = idioms.playedIn(done(chat.ask("成语接龙")).path("content").asText());
    for (int turn = 1; turn <= 3; turn++) {
      assertTrue(idioms.knows(played), played);
      String mine = idioms.answerTo(played);
      assertNotNull(mine, "nothing to answer " + played + " with");
      String answer = done(chat.ask(mine)).path("content").asText();
      played = idioms.playedIn(answer);
      assertEquals(mine.charAt(3), played.charAt(0), mine + " was answered: " + answer);
    }
  }

  @Test
  void theAnswerToldByTheEventStreamIsTheAnswerInTheHistory() {
    Chat chat = Chat.create(cluster.http("frontend"));
    try (Chat.Follower follower = chat.follow(0)) {
      String id = chat.send("count to 20");
      assertEquals(done(chat.await(id)).path("content").asText(), follower.textOf(id));
    }
  }

  @Test
  void aKilledStorageNodeChangesNothing() {
    Chat chat = Chat.create(cluster.http("frontend"));
    JsonNode before = done(chat.ask("my name is Ada"));
    cluster.kill("kv-2");
    assertTrue(done(chat.ask("what is my name?")).path("content").asText().contains("Ada"));
    String id = chat.send("count to 60");
    chat.await(id, message -> message.path("content").asText().length() > 10);
    cluster.kill("demo-backend-2");
    cluster.restart("kv-2");
    assertEquals(COUNT_TO_60, done(chat.await(id)).path("content").asText().strip());
    assertTrue(chat.history().body().contains(before.path("id").asText()));
  }

  @Test
  void aBackendKilledBeforeItsFirstTokenIsReplacedUnseen() {
    for (int i = 1; i <= 3; i++) {
      cluster
          .http("demo-backend-" + i)
          .post("/faults", map("first_token_delay_ms", 4_000))
          .json(200);
    }
    Chat chat = Chat.create(cluster.http("frontend"));
    String id = chat.send("count to 5");
    String victim = servingBackend(chat, id);
    for (int i = 1; i <= 3; i++) {
      cluster.http("demo-backend-" + i).delete("/faults");
    }
    cluster.kill(victim);
    JsonNode answer = done(chat.await(id));
    assertEquals("1\n2\n3\n4\n5", answer.path("content").asText().strip());
    assertFalse(answer.path("backend").asText().equals(victim));
  }

  @Test
  void aBackendKilledInTheMiddleOfAnAnswerIsContinuedByAnother() {
    Chat chat = Chat.create(cluster.http("frontend"));
    try (Chat.Follower follower = chat.follow(0)) {
      String id = chat.send("count to 60");
      chat.await(id, message -> message.path("content").asText().length() > 10);
      String victim = servingBackend(chat, id);
      cluster.kill(victim);
      JsonNode answer = done(chat.await(id));
      assertEquals(COUNT_TO_60, answer.path("content").asText().strip());
      assertFalse(answer.path("backend").asText().equals(victim));
      assertEquals(COUNT_TO_60, follower.textOf(id).strip());
    }
  }

  @Test
  void aChatReplicaKilledInTheMiddleOfAnAnswerIsTakenOverByTheOther() {
    Chat chat = Chat.create(cluster.http("chat-1"));
    String id = chat.send("count to 60");
    chat.await(id, message -> message.path("content").asText().length() > 10);
    cluster.kill("chat-1");
    JsonNode answer = done(chat.through(cluster.http("chat-2")).await(id));
    assertEquals(COUNT_TO_60, answer.path("content").asText().strip());
  }

  @Test
  void aKilledRegistryDoesNotKeepAnyoneFromChatting() {
    Chat chat = Chat.create(cluster.http("frontend"));
    done(chat.ask("hello"));
    cluster.kill("registry");
    done(chat.ask("count to 3"));
  }

  @Test
  void aStopAndANewStartOfEverythingKeepsTheHistory() {
    Chat chat = Chat.create(cluster.http("frontend"));
    JsonNode answer = done(chat.ask("my name is Grace"));
    String before = chat.history().body();
    cluster.down();
    cluster.up();
    assertEquals(before, chat.history().body());
    assertEquals("done", answer.path("state").asText());
    assertTrue(done(chat.ask("what is my name?")).path("content").asText().contains("Grace"));
  }

  @Test
  void withTwoOfThreeStorageNodesDownWritesAreRefusedAndNothingIsLost() {
    Chat chat = Chat.create(cluster.http("frontend"));
    JsonNode kept = done(chat.ask("count to 3"));
    cluster.kill("kv-1");
    cluster.kill("kv-3");
    Http.Answer refused =
        cluster
            .http("frontend")
            .post(
                "/api/conversations/" + chat.id + "/messages",
                map("client_id", "two-nodes-down", "content", "hello"));
    assertEquals(503, refused.status(), refused.body());
    assertTrue(refused.headers().firstValue("Retry-After").isPresent());
    assertFalse(refused.json().path("detail").asText().isEmpty());
    cluster.restart("kv-1");
    eventually(
        "the history is back", () -> chat.history().body().contains(kept.path("id").asText()));
    done(chat.ask("count to 3"));
  }

  private static String servingBackend(Chat chat, String id) {
    return chat.await(id, message -> !message.path("backend").asText("").isEmpty())
        .path("backend")
        .asText();
  }

  private static JsonNode done(JsonNode message) {
    assertEquals("done", message.path("state").asText(), message.toString());
    return message;
  }
}
