package dev.parley.registry.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.registry.FakeBackend;
import dev.parley.registry.backend.ApiKey;
import dev.parley.registry.backend.TargetAddresses;
import dev.parley.registry.fleet.ProbeResult;
import dev.parley.registry.fleet.ProbeTask;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ProberTest {

  private static final Duration SHORT = Duration.ofMillis(300);
  private static final Duration LONG = Duration.ofSeconds(20);

  private final FakeBackend backend = new FakeBackend();
  private final BackendHttp http = new BackendHttp(LONG, new TargetAddresses(true));
  private final Prober prober = new Prober(http, LONG, LONG);
  private final BackendTrial trial = new BackendTrial(http, prober, LONG, LONG);

  @AfterEach
  void close() {
    http.close();
    backend.close();
  }

  private ProbeResult ask(ProbeTask.Kind kind, String baseUrl, boolean declared) {
    return prober.ask(task(kind, baseUrl, null, declared));
  }

  private ProbeResult ask(ProbeTask.Kind kind) {
    return ask(kind, backend.baseUrl(), false);
  }

  private static ProbeTask task(
      ProbeTask.Kind kind, String baseUrl, @Nullable ApiKey key, boolean declared) {
    return new ProbeTask("b", "b", 0, kind, URI.create(baseUrl), key, "tiny", declared);
  }

  private static <T> T is(Class<T> type, Object value) {
    return assertInstanceOf(type, value, value::toString);
  }

  @Test
  void aListOfModelsIsHealthyAndRead() {
    backend.models = List.of("a", "b", "a");
    assertEquals(
        List.of("a", "b"), is(ProbeResult.Healthy.class, ask(ProbeTask.Kind.MODELS)).models());
  }

  @Test
  void theKeyIsShownToTheBackendAndOnlyIfThereIsOne() {
    prober.ask(task(ProbeTask.Kind.MODELS, backend.baseUrl(), new ApiKey("sk-test", "v"), false));
    ask(ProbeTask.Kind.MODELS);
    assertEquals(List.of("Bearer sk-test", "null"), backend.authorizations);
  }

  @Test
  void aMissingModelListIsNoFaultIfTheModelsAreDeclared() {
    backend.modelsStatus = 404;
    assertNull(
        is(ProbeResult.Healthy.class, ask(ProbeTask.Kind.MODELS, backend.baseUrl(), true))
            .models());
    is(ProbeResult.Failed.class, ask(ProbeTask.Kind.MODELS));
  }

  @Test
  void anErrorAndNonsenseAreFailures() {
    backend.modelsStatus = 500;
    is(ProbeResult.Failed.class, ask(ProbeTask.Kind.MODELS));
    backend.modelsStatus = 200;
    for (String nonsense : List.of("<html>", "[]", "{}", "{\"data\":{}}", "null", "")) {
      backend.modelsBody = nonsense.isEmpty() ? " " : nonsense;
      is(ProbeResult.Failed.class, ask(ProbeTask.Kind.MODELS));
    }
  }

  @Test
  void aRefusalIsTheOwnersAffair() {
    for (int status : List.of(401, 402, 403)) {
      backend.modelsStatus = status;
      is(ProbeResult.Refused.class, ask(ProbeTask.Kind.MODELS));
    }
  }

  @Test
  void askingForLessIsNoFailure() {
    backend.modelsStatus = 429;
    assertEquals(0, is(ProbeResult.Limited.class, ask(ProbeTask.Kind.MODELS)).retryAfterMs());
    backend.retryAfter = "7";
    backend.modelsStatus = 503;
    assertEquals(7000, is(ProbeResult.Limited.class, ask(ProbeTask.Kind.MODELS)).retryAfterMs());
  }

  @Test
  void redirectsAreNotFollowed() {
    backend.modelsStatus = 302;
    var failed = is(ProbeResult.Failed.class, ask(ProbeTask.Kind.MODELS));
    assertTrue(failed.detail().contains("redirect"));
    assertEquals(1, backend.authorizations.size());
  }

  @Test
  void aBodyWithoutEndIsCutOff() {
    backend.modelsBody = "x".repeat((4 << 20) + 1);
    var failed = is(ProbeResult.Failed.class, ask(ProbeTask.Kind.MODELS));
    assertTrue(failed.detail().contains("4 MiB"), failed::detail);
  }

  @Test
  void silenceIsAFailureAfterAWhile() {
    backend.silent = true;
    var impatient = new Prober(http, SHORT, SHORT);
    var failed =
        is(
            ProbeResult.Failed.class,
            impatient.ask(task(ProbeTask.Kind.MODELS, backend.baseUrl(), null, false)));
    assertTrue(failed.detail().contains("300 ms"), failed::detail);
  }

  @Test
  void nobodyThereIsAFailure() {
    String gone = backend.baseUrl();
    backend.close();
    assertEquals(
        "connection refused",
        is(ProbeResult.Failed.class, ask(ProbeTask.Kind.MODELS, gone, false)).detail());
  }

  @Test
  void aNameThatLeadsToAForbiddenAddressIsNotCalled() {
    try (var strict = new BackendHttp(LONG, new TargetAddresses(false))) {
      var failed =
          is(
              ProbeResult.Failed.class,
              new Prober(strict, LONG, LONG)
                  .ask(
                      task(
                          ProbeTask.Kind.MODELS,
                          backend.baseUrl().replace("127.0.0.1", "localhost"),
                          null,
                          false)));
      assertTrue(failed.detail().contains("may not have"), failed::detail);
      assertTrue(backend.authorizations.isEmpty());
    }
  }

  @Test
  void aTrialIsOneSmallRequest() {
    is(ProbeResult.Healthy.class, ask(ProbeTask.Kind.TRIAL));
    backend.completionStatus = 404;
    is(ProbeResult.Refused.class, ask(ProbeTask.Kind.TRIAL));
    backend.completionStatus = 500;
    is(ProbeResult.Failed.class, ask(ProbeTask.Kind.TRIAL));
  }

  @Test
  void whoSaysThreeNextContinuesABegunAnswer() {
    assertEquals(new ProbeResult.Continuation(true), ask(ProbeTask.Kind.CONTINUATION));
    backend.continues = false;
    assertEquals(new ProbeResult.Continuation(false), ask(ProbeTask.Kind.CONTINUATION));
    backend.completionStatus = 400;
    assertEquals(new ProbeResult.Continuation(false), ask(ProbeTask.Kind.CONTINUATION));
    backend.completionStatus = 500;
    assertEquals(new ProbeResult.Continuation(null), ask(ProbeTask.Kind.CONTINUATION));
  }

  @Test
  void aTestFindsOutEverything() {
    TrialReport report = trial.run(URI.create(backend.baseUrl()), null, List.of());
    assertTrue(report.reachable());
    assertEquals(List.of("tiny"), report.models());
    assertEquals(Boolean.TRUE, report.streaming());
    assertEquals(Boolean.TRUE, report.continuation());
    assertNotNull(report.latencyMs());
    assertNotNull(report.firstTokenMs());
    assertNull(report.error());
  }

  @Test
  void aTestOfNobodySaysSo() {
    String gone = backend.baseUrl();
    backend.close();
    TrialReport report = trial.run(URI.create(gone), null, List.of());
    assertFalse(report.reachable());
    assertEquals("connection refused", report.error());
  }

  @Test
  void aTestDoesNotRepeatTheKeyThatTheBackendRepeats() {
    backend.completionStatus = 401;
    backend.error = "wrong key sk-secret-0001";
    TrialReport report =
        trial.run(URI.create(backend.baseUrl()), new ApiKey("sk-secret-0001", "v"), List.of());
    assertNotNull(report.error());
    assertFalse(report.error().contains("sk-secret"), report::error);
    assertTrue(report.error().contains("401"), report::error);
  }

  @Test
  void aTestOfAModelThatIsNotListedSaysSo() {
    TrialReport report = trial.run(URI.create(backend.baseUrl()), null, List.of("missing-model"));
    assertEquals("it does not list the model missing-model", report.error());
  }

  @Test
  void linesMayBreakAnywhere() {
    byte[] bytes = "data: 好\r\ndata: 的\n".getBytes(java.nio.charset.StandardCharsets.UTF_8);
    for (int cut = 0; cut <= bytes.length; cut++) {
      var lines = new OpenAiProtocol.Lines();
      var all = new java.util.ArrayList<>(lines.take(java.util.Arrays.copyOf(bytes, cut)));
      all.addAll(lines.take(java.util.Arrays.copyOfRange(bytes, cut, bytes.length)));
      all.removeIf(String::isEmpty);
      assertEquals(List.of("data: 好", "data: 的"), all);
    }
  }
}
