package dev.parley.chat;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasKey;
import static org.hamcrest.Matchers.notNullValue;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.response.Response;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@QuarkusTest
@Timeout(60)
@QuarkusTestResource(RegistryResource.class)
@SuppressWarnings("NullAway.Init") // Set by the test framework.
class OpenAiApiTest {

  private static final String CHAT = "/v1/chat/completions";
  private static final String ASK =
      "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
  private static final String ASK_STREAMED = "{\"stream\":true,\"model\":\"m\",\"messages\":[]}";

  FakeRegistry registry;
  FakeBackend a;
  FakeBackend b;

  @ConfigProperty(name = "quarkus.http.test-port")
  int port;

  @BeforeEach
  void fleet() throws IOException {
    a = new FakeBackend("a" + System.nanoTime());
    b = new FakeBackend("b" + System.nanoTime());
    registry.knows(a, b);
    Fleet.awaitSeen(a);
  }

  @AfterEach
  void dismiss() {
    a.close();
    b.close();
    registry.down(false);
  }

  private static Response post(String body) {
    return given().contentType("application/json").body(body).post(CHAT);
  }

  @Test
  void aPlainAnswerPassesThroughByteForByteAndNamesItsBackend() {
    Response response = post(ASK);
    assertEquals(200, response.statusCode());
    assertTrue(response.asString().endsWith("\"strange\":1.50}"));
    assertEquals(a.name, response.header("x-parley-backend"));
    assertEquals("1", response.header("x-parley-attempts"));
    assertEquals(ASK, a.bodies.getLast());
  }

  @Test
  void aStreamKeepsUnknownFieldsAndHidesTheUsageNobodyAskedFor() {
    String body = post(ASK_STREAMED).asString();
    assertTrue(body.contains("\"odd_field\":{\"a\":1.50}"), body);
    assertFalse(body.contains("prompt_tokens"), body);
    assertTrue(body.endsWith("data: [DONE]\n\n"), body);
    assertTrue(a.bodies.getLast().contains("\"include_usage\":true"));
  }

  @Test
  void theUsageChunkArrivesWhenTheClientAsksForIt() {
    String asked =
        "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\":\"m\",\"messages\":[]}";
    assertTrue(post(asked).asString().contains("\"completion_tokens\":7"));
    assertEquals(asked, a.bodies.getLast());
  }

  @Test
  void aBackendThatBreaksBeforeItsFirstTokenIsReplacedUnseen() {
    a.next(
        reply -> {
          reply.role();
        });
    Response response = post(ASK_STREAMED);
    assertEquals(200, response.statusCode());
    assertEquals(b.name, response.header("x-parley-backend"));
    assertEquals("2", response.header("x-parley-attempts"));
    assertFalse(response.asString().contains("\"role\""), response.asString());
    assertFalse(response.asString().contains("error"), response.asString());
  }

  @Test
  void aModelThatEveryBackendDeniesIsTheClientsNotFound() {
    String denial =
        "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\",\"param\":\"model\","
            + "\"code\":\"model_not_found\"}}";
    a.next(reply -> reply.status(404, denial));
    b.next(reply -> reply.status(404, denial));
    Response response = post(ASK);
    assertEquals(404, response.statusCode(), response.asString());
    assertEquals("model_not_found", response.jsonPath().getString("error.code"));
    assertEquals(200, post(ASK).statusCode());
  }

  @Test
  void aSilentBackendIsReplacedWhenTheFirstTokenClockRunsOut() {
    CountDownLatch end = new CountDownLatch(1);
    a.next(reply -> reply.hang(end));
    assertEquals(b.name, post(ASK_STREAMED).header("x-parley-backend"));
    end.countDown();
  }

  @Test
  void aStreamCutInTheMiddleEndsWithAnErrorAndWithoutDone() {
    a.next(reply -> reply.delta("half "));
    String body = post(ASK_STREAMED).asString();
    assertTrue(body.contains("half "), body);
    assertTrue(body.contains("data: {\"error\":{\"message\""), body);
    assertFalse(body.contains("[DONE]"), body);
  }

  @Test
  void anEndWithoutDoneAfterTheFinishReasonIsSuccess() {
    a.next(
        reply -> {
          reply.delta("whole");
          reply.raw(
              "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
        });
    String body = post(ASK_STREAMED).asString();
    assertTrue(body.endsWith("data: [DONE]\n\n"), body);
    assertFalse(body.contains("error"), body);
  }

  @Test
  void aMalformedEventIsSkippedAndTheStreamGoesOn() {
    a.next(
        reply -> {
          reply.delta("before ");
          reply.raw("data: {broken\n\n");
          reply.delta("after");
          reply.finish("stop");
        });
    String body = post(ASK_STREAMED).asString();
    assertTrue(body.contains("before ") && body.contains("after"), body);
    assertFalse(body.contains("broken"), body);
  }

  @Test
  void theClientsOwnMistakeIsPassedOnAsTheBackendSaidIt() {
    String error =
        "{\"error\":{\"message\":\"bad temperature\",\"type\":\"t\",\"param\":null,\"code\":null}}";
    a.next(reply -> reply.status(400, error));
    Response response = post(ASK);
    assertEquals(400, response.statusCode());
    assertEquals(error, response.asString());
    assertEquals(0, b.bodies.size());
  }

  @Test
  void ourCredentialBeingRefusedIsNeverTheClientsProblem() {
    a.next(reply -> reply.status(401, "{\"error\":{\"message\":\"no\"}}"));
    assertEquals(b.name, post(ASK).header("x-parley-backend"));
  }

  @Test
  void whenAllAreRateLimitedTheClientIsToldHowLongToWait() {
    a.always(reply -> reply.status(429, "{}", "Retry-After", "7"));
    b.always(reply -> reply.status(429, "{}", "Retry-After", "7"));
    Response response = post(ASK);
    assertEquals(429, response.statusCode());
    assertEquals("7", response.header("retry-after"));
    assertEquals("false", response.header("x-should-retry"));
  }

  @Test
  void aModelLeftOpenIsFilledInForTheBackend() {
    assertEquals(200, post("{\"messages\":[]}").statusCode());
    assertEquals("{\"model\":\"m\",\"messages\":[]}", a.bodies.getLast());
    assertEquals(200, post("{\"model\":\"auto\",\"x\":1.0}").statusCode());
    assertEquals("{\"model\":\"m\",\"x\":1.0}", a.bodies.getLast());
  }

  @Test
  void everyBadRequestIsAnsweredWithAnErrorObject() {
    post("{\"model\":")
        .then()
        .statusCode(400)
        .body("error", hasKey("param"))
        .body("error.type", equalTo("invalid_request_error"));
    post("{\"model\":7}").then().statusCode(400).body("error.param", equalTo("model"));
    post("{\"model\":\"nope\",\"messages\":[]}")
        .then()
        .statusCode(404)
        .body("error.code", equalTo("model_not_found"));
    given()
        .contentType("text/plain")
        .body("{}")
        .post(CHAT)
        .then()
        .statusCode(415)
        .body("error.message", notNullValue());
    given()
        .get(CHAT)
        .then()
        .statusCode(405)
        .header("allow", "POST")
        .body("error.message", notNullValue());
    given().get("/v1/nothing").then().statusCode(404).body("error.code", equalTo("unknown_url"));
  }

  @Test
  void withoutBackendsTheAnswerIs503WithATime() {
    registry.knowsNone("no-backends");
    Fleet.awaitNone();
    post(ASK)
        .then()
        .statusCode(503)
        .header("retry-after", "3")
        .body("error.code", equalTo("no_backends"));
  }

  @Test
  void modelsAreListed() {
    given().get("/v1/models").then().statusCode(200).body("data[0].id", equalTo("m"));
    given().get("/v1/models/m").then().statusCode(200).body("object", equalTo("model"));
    given().get("/v1/models/none").then().statusCode(404);
  }

  @Test
  void withTheRegistryGoneTheLastKnownBackendsServe() {
    assertEquals(200, post(ASK).statusCode());
    registry.down(true);
    for (int i = 0; i < 5; i++) {
      assertEquals(200, post(ASK).statusCode());
    }
  }

  @Test
  void aKeyIsFetchedWithTheServiceTokenAndSentToItsBackend() throws IOException {
    try (FakeBackend keyed = new FakeBackend("keyed")) {
      registry.knows(keyed);
      Fleet.awaitSeen(keyed);
      assertEquals(200, post(ASK).statusCode());
      assertEquals("Bearer sk-secret", keyed.authorizations.getLast());
    }
  }

  @Test
  void aClientThatGoesAwayCancelsTheBackend() throws Exception {
    CountDownLatch gone = new CountDownLatch(1);
    a.next(
        reply -> {
          reply.delta("first");
          reply.untilClientGone(gone);
        });
    try (Socket socket =
        new Socket(
            "127.0.0.1",
            given().get("/q/health/live").statusCode() == 200
                ? io.restassured.RestAssured.port
                : port)) {
      socket
          .getOutputStream()
          .write(
              ("POST "
                      + CHAT
                      + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                      + "Content-Length: "
                      + ASK_STREAMED.length()
                      + "\r\n\r\n"
                      + ASK_STREAMED)
                  .getBytes(StandardCharsets.UTF_8));
      InputStream in = socket.getInputStream();
      StringBuilder seen = new StringBuilder();
      while (seen.indexOf("first") < 0) {
        seen.append((char) in.read());
      }
    }
    assertTrue(gone.await(5, TimeUnit.SECONDS));
  }

  @Test
  void aBackendThatSaysItIsDoneAndNeverEndsDoesNotKeepTheConnection() throws Exception {
    CountDownLatch gone = new CountDownLatch(1);
    a.next(
        reply -> {
          reply.delta("all");
          reply.finish("stop");
          reply.untilClientGone(gone);
        });
    String body = post(ASK_STREAMED).asString();
    assertTrue(body.endsWith("data: [DONE]\n\n"), body);
    assertTrue(gone.await(20, TimeUnit.SECONDS));
  }

  @Test
  void anAnswerWithoutAContentTypeIsJson() {
    a.next(reply -> reply.untyped("{\"choices\":[]}"));
    Response response = post(ASK);
    assertEquals(200, response.statusCode());
    assertEquals("application/json", response.contentType());
  }

  @Test
  void aModelNameThatNoBackendCanHaveIsRefusedBeforeAnybodyIsAsked() {
    post("{\"model\":\"" + "m".repeat(257) + "\",\"messages\":[]}")
        .then()
        .statusCode(400)
        .body("error.param", equalTo("model"));
  }
}
