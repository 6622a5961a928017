package dev.parley.chat.openai;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class CompletionRequestTest {

  private static CompletionRequest read(String body) {
    return assertInstanceOf(
            CompletionRequest.Reading.Read.class,
            CompletionRequest.read(body.getBytes(StandardCharsets.UTF_8)))
        .request();
  }

  private static String patched(String body, String model) {
    return new String(read(body).bodyFor(model), StandardCharsets.UTF_8);
  }

  @Test
  void onlyTheModelIsReplacedAndEveryOtherByteStays() {
    assertEquals(
        "{ \"x\" : 1.50e0 , \"model\" : \"b\" , \"中\":\"文😀\", \"y\":[1, 2]}",
        patched("{ \"x\" : 1.50e0 , \"model\" : \"a\\u0041\" , \"中\":\"文😀\", \"y\":[1, 2]}", "b"));
  }

  @Test
  void aModelInsideAnotherMemberIsNotOurs() {
    String body = "{\"metadata\":{\"model\":\"a\"},\"model\":\"b\"}";
    assertEquals("b", read(body).model());
    assertEquals("{\"metadata\":{\"model\":\"a\"},\"model\":\"c\"}", patched(body, "c"));
  }

  @Test
  void aMissingModelIsPutIn() {
    assertEquals("{\"model\":\"m\",\"a\":1}", patched("{\"a\":1}", "m"));
    assertEquals("{\"model\":\"m\"}", patched("{}", "m"));
    assertEquals("{\"model\":\"m\"}", patched("{\"model\":null}", "m"));
    assertEquals(" {\"model\":\"m\",\"a\":1}", patched(" {\"a\":1}", "m"));
  }

  @Test
  void usageIsAskedForOnlyWhenStreaming() {
    assertEquals(
        "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\",\"stream\":true}",
        patched("{\"model\":\"m\",\"stream\":true}", "m"));
    assertEquals(
        "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
        patched(
            "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":false}}", "m"));
    String asked = "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\":\"m\"}";
    assertEquals(asked, patched(asked, "m"));
    assertTrue(read(asked).usageAsked());
  }

  @Test
  void autoAndNothingMeanAny() {
    assertEquals("", read("{\"model\":\"auto\"}").model());
    assertEquals("", read("{\"model\":\"\"}").model());
    assertEquals("", read("{}").model());
  }

  @Test
  void whatIsNoJsonObjectIsRefused() {
    for (String bad : new String[] {"", "[]", "{", "{}x", "{\"a\":}", "\"m\"", "{\"model\":1}"}) {
      assertInstanceOf(
          CompletionRequest.Reading.Refused.class,
          CompletionRequest.read(bad.getBytes(StandardCharsets.UTF_8)),
          bad);
    }
    assertInstanceOf(
        CompletionRequest.Reading.Refused.class,
        CompletionRequest.read("{}".getBytes(StandardCharsets.UTF_16)));
  }

  @Test
  void failuresAreSortedByWhoseFaultTheyAre() {
    assertEquals(FailureClass.Next.NOWHERE, status(400).next());
    assertEquals(FailureClass.Next.NOWHERE, status(413).next());
    assertEquals(FailureClass.Next.NOWHERE, status(422).next());
    assertEquals(FailureClass.Kind.NEUTRAL, status(422).kind());
    for (int misconfigured : new int[] {401, 402, 403, 404}) {
      assertEquals(FailureClass.Kind.MISCONFIGURED, status(misconfigured).kind());
      assertEquals(FailureClass.Next.ELSEWHERE, status(misconfigured).next());
    }
    assertEquals(FailureClass.Kind.RATE_LIMITED, status(429).kind());
    assertEquals(5_000, status(429).retryAfterMillis());
    assertEquals(FailureClass.Kind.FAILURE, status(408).kind());
    assertEquals(FailureClass.Next.ELSEWHERE_OR_SAME, status(500).next());
    assertEquals(FailureClass.Next.ELSEWHERE, status(529).next());
    assertEquals(FailureClass.Kind.FAILURE, status(503).kind());
    assertEquals(
        FailureClass.Kind.RATE_LIMITED,
        FailureClass.of(new UpstreamFailure.Status(503, 900_000L, "", "", null)).kind());
    assertEquals(
        300_000,
        FailureClass.of(new UpstreamFailure.Status(503, 900_000L, "", "", null))
            .retryAfterMillis());
    assertEquals(
        FailureClass.Next.SHORTER,
        FailureClass.of(new UpstreamFailure.Status(400, null, "context_length_exceeded", "", null))
            .next());
    assertEquals(
        FailureClass.Next.ELSEWHERE, FailureClass.of(new UpstreamFailure.Stalled()).next());
  }

  private static FailureClass status(int status) {
    return FailureClass.of(new UpstreamFailure.Status(status, null, "", "", null));
  }

  @Test
  void retryAfterIsSecondsOrADate() {
    Instant now = Instant.parse("2026-01-01T00:00:00Z");
    assertEquals(1_500, RetryAfter.millis("1.5", now));
    assertEquals(10_000, RetryAfter.millis("Thu, 01 Jan 2026 00:00:10 GMT", now));
    assertNull(RetryAfter.millis("soon", now));
    assertNull(RetryAfter.millis(null, now));
    assertEquals("1", RetryAfter.header(0));
    assertEquals("3", RetryAfter.header(2_001));
  }
}
