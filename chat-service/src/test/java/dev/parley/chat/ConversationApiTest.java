package dev.parley.chat;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.empty;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasItem;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.notNullValue;
import static org.hamcrest.Matchers.nullValue;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.conversation.Conversation;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.chat.conversation.Generation;
import dev.parley.chat.conversation.Keys;
import dev.parley.chat.conversation.Message;
import dev.parley.chat.conversation.Parameters;
import dev.parley.chat.conversation.State;
import dev.parley.kv.client.Condition;
import dev.parley.kv.client.InMemoryKvStore;
import dev.parley.kv.client.KvStore;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.Response;
import io.restassured.response.ValidatableResponse;
import jakarta.inject.Inject;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@QuarkusTest
@Timeout(60)
@QuarkusTestResource(RegistryResource.class)
@SuppressWarnings("NullAway.Init") // Set by the test framework.
class ConversationApiTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  @Inject InMemoryKvStore kv;
  @Inject ConversationStore store;
  FakeRegistry registry;
  FakeBackend a;
  FakeBackend b;

  @BeforeEach
  void fleet() throws IOException {
    a = new FakeBackend("a" + System.nanoTime());
    b = new FakeBackend("b" + System.nanoTime());
    registry.knows(a, b);
    Fleet.awaitSeen(a);
  }

  @AfterEach
  void dismiss() {
    kv.available(true);
    registry.refuses(_ -> false);
    a.close();
    b.close();
  }

  private static Response send(String path, String json) {
    return given().contentType("application/json").body(json).post("/api/conversations" + path);
  }

  private static String create() {
    return send("", "{}").then().statusCode(201).extract().path("id");
  }

  private static ValidatableResponse say(String id, String content) throws IOException {
    return say(id, UUID.randomUUID().toString(), content);
  }

  private static ValidatableResponse say(String id, String clientId, String content)
      throws IOException {
    String body =
        JSON.createObjectNode().put("client_id", clientId).put("content", content).toString();
    return send("/" + id + "/messages", body).then();
  }

  private static JsonNode messages(String id) throws IOException {
    return JSON.readTree(given().get("/api/conversations/" + id + "/messages").asString())
        .path("messages");
  }

  @Test
  void aTurnIsAcknowledgedStreamedAndKept() throws Exception {
    String id = create();
    say(id, "Hello there, how are you?")
        .statusCode(202)
        .body("message.role", equalTo("user"))
        .body("message.ordinal", equalTo(1))
        .body("generation.id", notNullValue());
    try (EventStream events = new EventStream(id, 0L)) {
      JsonNode last = events.untilState("done").data().path("message");
      assertEquals("one two three ", events.text.toString());
      assertEquals("one two three ", last.path("content").asText());
      assertEquals(a.name, last.path("backend").asText());
      assertEquals(7, last.path("usage").path("completion_tokens").asInt());
      assertEquals((2L << 24) + (1 << 24) - 1, events.seq);
    }
    JsonNode kept = messages(id);
    assertEquals("one two three ", kept.path(1).path("content").asText());
    assertEquals("done", kept.path(1).path("state").asText());
    given()
        .get("/api/conversations/" + id)
        .then()
        .body("title", equalTo("Hello there, how are you?"))
        .body("owner", equalTo("local"));
  }

  @Test
  void theSecondTurnShowsTheModelTheFirst() throws Exception {
    String id = create();
    for (String said : List.of("first question", "second question")) {
      String mid = say(id, said).statusCode(202).extract().path("generation.id");
      awaitDone(id, mid);
    }
    String asked = a.bodies.getLast();
    assertTrue(asked.contains("first question") && asked.contains("one two three "), asked);
    JsonNode context = messages(id).path(3).path("context");
    assertEquals(0, context.path("dropped_messages").asInt());
    assertTrue(context.path("tokens").asInt() > 10);
  }

  private static void awaitDone(String id, String mid) throws Exception {
    try (EventStream events = new EventStream(id, 0L)) {
      events.until(
          event ->
              event.data().path("message").path("id").asText().equals(mid)
                  && event.data().path("message").path("state").asText().equals("done"));
    }
  }

  @Test
  void theSameClientIdIsOneMessage() throws Exception {
    String id = create();
    String first = say(id, "same", "once").statusCode(202).extract().path("generation.id");
    String again = say(id, "same", "once").statusCode(202).extract().path("generation.id");
    assertEquals(first, again);
    awaitDone(id, first);
    assertEquals(first, say(id, "same", "once").statusCode(202).extract().path("generation.id"));
    assertEquals(2, messages(id).size());
  }

  @Test
  void aBackendLostInTheMiddleIsContinuedByAnotherWithoutASeam() throws Exception {
    a.next(
        reply -> {
          reply.delta("one ");
          reply.delta("tw");
        });
    String id = create();
    say(id, "count").statusCode(202);
    try (EventStream events = new EventStream(id, 0L)) {
      JsonNode last = events.untilState("done").data().path("message");
      assertEquals("one two three ", events.text.toString());
      assertEquals("truncated", last.path("attempts").path(0).path("outcome").asText());
      assertEquals(b.name, last.path("attempts").path(1).path("backend").asText());
      assertEquals(6, last.path("attempts").path(1).path("offset").asInt());
      assertTrue(last.path("usage").path("estimated").asBoolean());
    }
    assertTrue(b.bodies.getLast().contains("{\"role\":\"assistant\",\"content\":\"one tw\"}"));
  }

  @Test
  void aBackendThatCannotContinueIsUsedAsLongAsItRepeats() throws Exception {
    registry.continuation(b.name, false);
    registry.continuation(a.name, false);
    a.next(reply -> reply.delta("one two "));
    b.next(reply -> reply.tell("one ", "two ", "three ", "four"));
    String id = create();
    awaitRefresh();
    say(id, "count").statusCode(202);
    try (EventStream events = new EventStream(id, 0L)) {
      events.untilState("done");
      assertEquals("one two three four", events.text.toString());
    }
    assertFalse(b.bodies.getLast().contains("\"role\":\"assistant\""));
  }

  private void awaitRefresh() {
    int seen = registry.selections.get();
    Fleet.until(() -> registry.selections.get() >= seen + 3);
  }

  @Test
  void aFailureBeforeTheFirstTokenIsNotSeen() throws Exception {
    a.next(reply -> reply.status(500, "{}"));
    String id = create();
    say(id, "hi").statusCode(202);
    try (EventStream events = new EventStream(id, 0L)) {
      events.untilState("done");
      assertEquals("one two three ", events.text.toString());
      assertTrue(
          events.seen.stream()
              .noneMatch(e -> e.data().path("state").asText().equals("recovering")));
    }
  }

  @Test
  void aStreamResumedAnywhereBringsExactlyTheRest() throws Exception {
    CountDownLatch goOn = new CountDownLatch(1);
    a.next(
        reply -> {
          reply.delta("成语");
          reply.delta("接龙😀");
          goOn.await();
          reply.delta("：一马当先");
          reply.finish("stop");
        });
    String id = create();
    say(id, "hi").statusCode(202);
    long seq;
    try (EventStream events = new EventStream(id, 0L)) {
      events.untilText("接龙😀");
      seq = events.seq;
    }
    assertEquals((2L << 24) + 6, seq);
    try (EventStream events = new EventStream(id, seq)) {
      events.text.append("成语接龙😀");
      goOn.countDown();
      JsonNode last = events.untilState("done").data().path("message");
      assertEquals(last.path("content").asText(), events.text.toString());
      assertEquals("成语接龙😀：一马当先", events.text.toString());
    }
    for (int cut = 0; cut <= 6; cut++) {
      try (EventStream events = new EventStream(id, (2L << 24) + cut)) {
        events.text.append("成语接龙😀：一马当先", 0, cut);
        events.untilState("done");
        assertEquals("成语接龙😀：一马当先", events.text.toString());
      }
    }
  }

  @Test
  void stopKeepsTheTextThatThereIs() throws Exception {
    CountDownLatch gone = new CountDownLatch(1);
    a.next(
        reply -> {
          reply.delta("begun ");
          reply.untilClientGone(gone);
        });
    String id = create();
    say(id, "hi").statusCode(202);
    try (EventStream events = new EventStream(id, 0L)) {
      events.untilText("begun ");
      send("/" + id + "/stop", "{}").then().statusCode(202);
      JsonNode last = events.untilState("stopped").data().path("message");
      assertEquals("begun ", last.path("content").asText());
    }
    gone.await();
  }

  @Test
  void aStopWrittenByAnotherReplicaIsObeyed() throws Exception {
    CountDownLatch gone = new CountDownLatch(1);
    a.next(
        reply -> {
          reply.delta("begun ");
          reply.untilClientGone(gone);
        });
    String id = create();
    String mid = say(id, "hi").statusCode(202).extract().path("generation.id");
    try (EventStream events = new EventStream(id, 0L)) {
      events.untilText("begun ");
      Fleet.until(
          () -> {
            var found = store.get(Keys.generation(id, mid), Generation.class).orElseThrow();
            return store.put(
                    Keys.generation(id, mid),
                    found.value().stopping(),
                    Condition.version(found.version()))
                instanceof dev.parley.kv.client.WriteOutcome.Applied;
          });
      events.untilState("stopped");
    }
  }

  @Test
  void closingTheStreamCancelsNothing() throws Exception {
    CountDownLatch goOn = new CountDownLatch(1);
    a.next(
        reply -> {
          reply.delta("still ");
          goOn.await();
          reply.delta("here");
          reply.finish("stop");
        });
    String id = create();
    say(id, "hi").statusCode(202);
    try (EventStream events = new EventStream(id, 0L)) {
      events.untilText("still ");
    }
    goOn.countDown();
    try (EventStream events = new EventStream(id, 0L)) {
      events.until(_ -> events.text.toString().equals("still here"));
    }
  }

  @Test
  void anAnswerWhoseReplicaDiedIsAdoptedAndContinued() throws Exception {
    String id = create();
    String mid = "m" + System.nanoTime();
    Instant now = Instant.now();
    Conversation conversation =
        store
            .get(Keys.conversation(id), Conversation.class)
            .orElseThrow()
            .value()
            .withTurn("c1", "u1", mid, "count", 0, now);
    Message answer = Message.queued(mid, 2, null, "c1", now);
    Message running =
        answer
            .withState(State.GENERATING)
            .withAttempts(List.of(new Message.Attempt(a.name, "id-a", "m", "running", 0, now)));
    store.put(Keys.conversation(id), conversation, Condition.ALWAYS).orThrow();
    store
        .put(
            Keys.message(id, 1), Message.fromUser("u1", 1, "count", "c1", now, 1), Condition.ALWAYS)
        .orThrow();
    store.put(Keys.message(id, 2), answer, Condition.ALWAYS).orThrow();
    store
        .put(
            Keys.generation(id, mid),
            new Generation(
                id, 4, "dead", State.GENERATING, 9, false, "", Parameters.NONE, running, now),
            Condition.ALWAYS)
        .orThrow();
    store.put(Keys.chunk(id, mid, 0), new Generation.Chunk(4, "one "), Condition.ALWAYS).orThrow();
    store.put(Keys.chunk(id, mid, 1), new Generation.Chunk(4, "tw"), Condition.ALWAYS).orThrow();
    store.put(Keys.pointer(mid), new Generation.Pointer(id, mid, 2), Condition.ALWAYS).orThrow();
    // This client has seen two characters that the dead replica never made durable.
    try (EventStream events = new EventStream(id, (2L << 24) + 8)) {
      events.text.append("one twXX");
      JsonNode last = events.untilState("done").data().path("message");
      assertEquals("one two three ", events.text.toString());
      assertEquals("one two three ", last.path("content").asText());
      assertEquals("replica-lost", last.path("attempts").path(0).path("outcome").asText());
      assertEquals(6, last.path("takeovers").path(0).asInt());
    }
    Fleet.until(() -> store.get(Keys.pointer(mid), Generation.Pointer.class).isEmpty());
  }

  @Test
  void anOwnerThatWasReplacedStopsAtItsNextWrite() throws Exception {
    CountDownLatch gone = new CountDownLatch(1);
    a.next(
        reply -> {
          reply.delta("mine ");
          reply.untilClientGone(gone);
        });
    String id = create();
    String mid = say(id, "hi").statusCode(202).extract().path("generation.id");
    try (EventStream events = new EventStream(id, 0L)) {
      events.untilText("mine ");
      Fleet.until(
          () -> {
            var found = store.get(Keys.generation(id, mid), Generation.class).orElseThrow();
            return store.put(
                    Keys.generation(id, mid),
                    found.value().adoptedBy("other", found.value().message()),
                    Condition.version(found.version()))
                instanceof dev.parley.kv.client.WriteOutcome.Applied;
          });
      gone.await();
    }
  }

  @Test
  void withoutABackendTheQuestionIsKeptAndTheAnswerCanBeTriedAgain() throws Exception {
    registry.knowsNone("no-backends");
    Fleet.awaitNone();
    String id = create();
    say(id, "anybody?").statusCode(202);
    try (EventStream events = new EventStream(id, 0L)) {
      JsonNode error = events.untilState("failed").data().path("message").path("error");
      assertEquals("no-backends", error.path("type").asText());
      assertTrue(error.path("retryable").asBoolean());
      registry.knows(a);
      Fleet.awaitSeen(a);
      send("/" + id + "/regenerate", "{\"client_id\":\"again\"}").then().statusCode(202);
      events.untilState("done");
      assertEquals("one two three ", events.text.toString());
      assertTrue(
          events.seen.stream()
              .anyMatch(
                  e ->
                      !e.data().path("message").path("superseded_by").isNull()
                          && !e.data().path("message").path("superseded_by").isMissingNode()));
    }
    JsonNode all = messages(id);
    assertEquals("anybody?", all.path(0).path("content").asText());
    assertEquals(all.path(2).path("id").asText(), all.path(1).path("superseded_by").asText());
    assertFalse(a.bodies.getLast().contains("\"role\":\"assistant\""));
  }

  @Test
  void anEditReplacesEverythingAfterIt() throws Exception {
    String id = create();
    String mid = say(id, "wrng").statusCode(202).extract().path("generation.id");
    awaitDone(id, mid);
    String said = messages(id).path(0).path("id").asText();
    String body = "{\"client_id\":\"e1\",\"content\":\"right\"}";
    String next =
        send("/" + id + "/messages/" + said + "/edit", body)
            .then()
            .statusCode(202)
            .extract()
            .path("generation.id");
    awaitDone(id, next);
    assertFalse(a.bodies.getLast().contains("wrng"));
    JsonNode all = messages(id);
    assertEquals(4, all.size());
    assertFalse(all.path(0).path("superseded_by").isNull());
    assertTrue(all.path(2).path("superseded_by").isNull());
  }

  @Test
  void aSecondMessageWaitsForTheFirstAnswer() throws Exception {
    CountDownLatch goOn = new CountDownLatch(1);
    a.next(
        reply -> {
          goOn.await();
          reply.tell("late");
        });
    String id = create();
    say(id, "hi").statusCode(202);
    say(id, "and").statusCode(409).body("type", containsString("generation-in-progress"));
    goOn.countDown();
  }

  @Test
  void everyBadRequestSaysWhatIsWrong() throws Exception {
    String id = create();
    String path = "/" + id + "/messages";
    send(path, "{\"client_id\":").then().statusCode(400).contentType("application/problem+json");
    send(path, "{\"client_id\":\"x\",\"content\":\"  \"}")
        .then()
        .statusCode(400)
        .body("field", equalTo("content"));
    send(path, "{\"content\":\"x\"}").then().statusCode(400).body("field", equalTo("client_id"));
    send(path, "{\"client_id\":\"x\",\"content\":\"x\",\"colour\":1}")
        .then()
        .statusCode(400)
        .body("field", equalTo("colour"));
    send(path, "{\"client_id\":\"x\",\"content\":\"x\",\"parameters\":{\"heat\":1}}")
        .then()
        .statusCode(400)
        .body("field", equalTo("parameters.heat"));
    send(path, "{\"client_id\":\"x\",\"content\":\"x\",\"parameters\":{\"temperature\":9}}")
        .then()
        .statusCode(400)
        .body("field", equalTo("parameters.temperature"));
    send(path, "{\"client_id\":\"x\",\"content\":\"x\",\"model\":\"nope\"}")
        .then()
        .statusCode(404)
        .body("type", containsString("unknown-model"));
    send("/c0/messages", "{\"client_id\":\"x\",\"content\":\"x\"}").then().statusCode(404);
    given().get("/api/conversations/c0").then().statusCode(404);
    given().get("/api/conversations/c0/messages").then().statusCode(404);
    given().get("/api/conversations/c0/events").then().statusCode(404);
    given().get("/api/conversations/" + id + "/events?after=x").then().statusCode(400);
    given()
        .contentType("text/plain")
        .body("x")
        .post("/api/conversations/" + id + "/messages")
        .then()
        .statusCode(415);
    given()
        .delete("/api/conversations")
        .then()
        .statusCode(405)
        .contentType("application/problem+json");
    say(id, "x".repeat(1_100_000)).statusCode(413).body("type", containsString("too-large"));
    say(id, "\"".repeat(700_000)).statusCode(413);
    assertEquals(0, messages(id).size());
  }

  @Test
  void withTheStoreAwayNothingIsAcknowledgedAndNothingIsLost() throws Exception {
    String id = create();
    kv.available(false);
    say(id, "c9", "hello")
        .statusCode(503)
        .header("retry-after", notNullValue())
        .body("type", containsString("store-unavailable"));
    given().get("/api/conversations").then().statusCode(503);
    given().get("/q/health/live").then().statusCode(200);
    given().get("/q/health/ready").then().statusCode(503);
    kv.available(true);
    String mid = say(id, "c9", "hello").statusCode(202).extract().path("generation.id");
    awaitDone(id, mid);
    assertEquals(2, messages(id).size());
  }

  @Test
  void aStoreThatGoesAwayDuringAnAnswerIsWaitedFor() throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    a.next(
        reply -> {
          reply.delta("before ");
          begun.countDown();
          goOn.await();
          reply.delta("after");
          reply.finish("stop");
        });
    String id = create();
    say(id, "hi").statusCode(202);
    begun.await();
    try (EventStream events = new EventStream(id, 0L)) {
      events.untilText("before ");
      kv.available(false);
      goOn.countDown();
      events.untilText("after");
      kv.available(true);
      assertEquals(
          "before after",
          events.untilState("done").data().path("message").path("content").asText());
    }
  }

  @Test
  void conversationsAreListedRenamedPinnedAndDeleted() throws Exception {
    String marker = "marker" + System.nanoTime();
    String first = send("", "{\"title\":\"" + marker + " one\"}").then().extract().path("id");
    String second = send("", "{\"title\":\"" + marker + " two\"}").then().extract().path("id");
    String next =
        given()
            .get("/api/conversations?limit=1&q=" + marker)
            .then()
            .body("conversations", hasSize(1))
            .body("conversations[0].id", equalTo(second))
            .extract()
            .path("next");
    given()
        .get("/api/conversations?limit=1&q=" + marker + "&after=" + next)
        .then()
        .body("conversations[0].id", equalTo(first))
        .body("next", nullValue());
    given()
        .contentType("application/json")
        .body(
            "{\"title\":\"" + marker + " renamed\",\"pinned\":true,\"system_prompt\":\"be kind\"}")
        .patch("/api/conversations/" + first)
        .then()
        .statusCode(200)
        .body("pinned", equalTo(true));
    given()
        .get("/api/conversations?q=" + marker)
        .then()
        .body("conversations.title", hasItem(marker + " renamed"));
    say(first, "hello").statusCode(202);
    given().delete("/api/conversations/" + first).then().statusCode(204);
    given().get("/api/conversations/" + first).then().statusCode(404);
    given()
        .get("/api/conversations?q=" + marker)
        .then()
        .body("conversations.id", not(hasItem(first)));
    Fleet.until(() -> store.keys(Keys.within(first), null).isEmpty());
    send("/" + second + "/regenerate", "{\"client_id\":\"r\"}").then().statusCode(400);
    given().get("/api/conversations/" + second + "/messages").then().body("messages", empty());
  }

  @Test
  void theSystemPromptAndParametersReachTheModel() throws Exception {
    String id =
        send("", "{\"system_prompt\":\"be kind\",\"parameters\":{\"temperature\":0.5}}")
            .then()
            .extract()
            .path("id");
    awaitDone(id, say(id, "hi").extract().path("generation.id"));
    String asked = a.bodies.getLast();
    assertTrue(asked.contains("{\"role\":\"system\",\"content\":\"be kind\"}"), asked);
    assertTrue(asked.contains("\"temperature\":0.5"), asked);
  }

  @Test
  void theSeedsCallAnswersInOneGo() {
    given()
        .contentType("application/json")
        .body("{\"message\":\"hi\"}")
        .post("/chat")
        .then()
        .statusCode(200)
        .body("message.role", equalTo("assistant"))
        .body("message.content", equalTo("one two three "))
        .body("reply", equalTo("one two three "))
        .body("backend_id", equalTo("id-" + a.name));
    for (String bad : List.of("{\"message\":7}", "{}", "{\"message\":\"\"}", "[", "{\"m\":1}")) {
      given().contentType("application/json").body(bad).post("/chat").then().statusCode(400);
    }
  }

  @Test
  void outcomesReachTheRegistry() {
    given().contentType("application/json").body("{\"message\":\"hi\"}").post("/chat");
    Fleet.until(
        () ->
            registry.reports.stream()
                .flatMap(report -> report.path("outcomes").valueStream())
                .anyMatch(
                    outcome ->
                        outcome.path("backend_id").asText().equals("id-" + a.name)
                            && outcome.path("kind").asText().equals("success")));
  }

  @Test
  void aBackendLostInsideACharacterLeavesNoHalfOfItBehind() throws Exception {
    a.next(
        reply ->
            reply.raw(
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\ud83d\"},"
                    + "\"finish_reason\":null}]}\n\n"));
    b.next(reply -> reply.tell("a", "😀b"));
    String id = create();
    say(id, "hi").statusCode(202);
    try (EventStream events = new EventStream(id, 0L)) {
      JsonNode last = events.untilState("done").data().path("message");
      assertEquals("a😀b", last.path("content").asText());
    }
  }

  @Test
  void anAnswerBeyondWhatTheStoreTakesEndsWithTheBeginningThatFits() throws Exception {
    for (String letter : List.of("x", "😀")) {
      a.next(
          reply -> {
            reply.delta(letter.repeat(letter.equals("x") ? 1_100_000 : 100_000));
            reply.finish("stop");
          });
      String id = create();
      String mid = say(id, "hi").statusCode(202).extract().path("generation.id");
      Fleet.until(() -> settledState(id) != null);
      assertEquals("failed", settledState(id));
      byte[] stored = kv.get(Keys.message(id, 2)).orElseThrow().value();
      assertTrue(stored.length <= KvStore.MAX_VALUE_BYTES, () -> letter + ": " + stored.length);
      JsonNode message = JSON.readTree(stored);
      assertEquals("too-long", message.path("error").path("type").asText());
      assertTrue(message.path("content").asText().startsWith(letter.repeat(70_000)));
      Fleet.until(() -> store.keys(Keys.generation(id, mid) + "/", null).isEmpty());
    }
  }

  private @Nullable String settledState(String id) {
    State state = store.get(Keys.message(id, 2), Message.class).orElseThrow().value().state();
    return state.terminal() ? state.name().toLowerCase(Locale.ROOT) : null;
  }

  @Test
  void aTurnThatIsBeingWrittenHoldsBackTheNextAndOneThatWasNeverWrittenDoesNot() throws Exception {
    for (boolean fresh : List.of(true, false)) {
      String id = create();
      Instant at = Instant.now().minusSeconds(fresh ? 0 : 600);
      Conversation decided =
          store
              .get(Keys.conversation(id), Conversation.class)
              .orElseThrow()
              .value()
              .withTurn("c1", "u1", "m" + System.nanoTime(), "first", 0, at);
      store.put(Keys.conversation(id), decided, Condition.ALWAYS).orThrow();
      say(id, "second").statusCode(fresh ? 409 : 202);
      if (fresh) {
        say(id, "c1", "first").statusCode(202);
      }
    }
  }

  @Test
  void whatAReplicaLeftWhenItDiedWhileClearingAwayIsCleared() throws Exception {
    String id = create();
    String mid = say(id, "hi").statusCode(202).extract().path("generation.id");
    awaitDone(id, mid);
    Fleet.until(() -> store.get(Keys.pointer(mid), Generation.Pointer.class).isEmpty());
    store.put(Keys.chunk(id, mid, 1), new Generation.Chunk(1, "two "), Condition.ALWAYS).orThrow();
    store.put(Keys.pointer(mid), new Generation.Pointer(id, mid, 2), Condition.ALWAYS).orThrow();
    Fleet.until(() -> store.get(Keys.pointer(mid), Generation.Pointer.class).isEmpty());
    assertTrue(store.chunks(id, mid, 1).isEmpty());
    assertEquals("one two three ", messages(id).path(1).path("content").asText());
  }

  @Test
  void anIdThatCannotBeOneIsUnknownEverywhere() {
    String id = "c".repeat(600);
    given().get("/api/conversations/" + id).then().statusCode(404);
    given().delete("/api/conversations/" + id).then().statusCode(404);
    given()
        .get("/api/conversations/" + id + "/events")
        .then()
        .statusCode(404)
        .body("type", containsString("unknown-conversation"));
  }

  @Test
  void aReportThatTheRegistryRefusesDoesNotHoldBackTheNext() {
    registry.refuses(report -> report.toString().contains("id-" + a.name));
    given().contentType("application/json").body("{\"message\":\"hi\"}").post("/chat");
    Fleet.until(() -> registry.refused.get() > 0);
    registry.knows(b);
    Fleet.awaitSeen(b);
    Fleet.until(
        () -> {
          given().contentType("application/json").body("{\"message\":\"hi\"}").post("/chat");
          return registry.reports.stream()
              .anyMatch(report -> report.path("outcomes").toString().contains("id-" + b.name));
        });
  }
}
