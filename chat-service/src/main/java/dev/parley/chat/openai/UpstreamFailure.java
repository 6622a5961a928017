package dev.parley.chat.openai;

import org.jspecify.annotations.Nullable;

/// Every way in which one attempt at one backend can go wrong. See [FailureClass] for what follows.
public sealed interface UpstreamFailure {

  /// No connection could be made: refused, no such host, timed out, TLS.
  record Connect(String detail) implements UpstreamFailure {}

  /// The connection broke before a status came.
  record Reset(String detail) implements UpstreamFailure {}

  /// An answer that is not 200.
  ///
  /// @param code the error object's `code`, else its `type`, else empty
  /// @param body what came, if it was an OpenAI error object; else null
  record Status(
      int status,
      @Nullable Long retryAfterMillis,
      String code,
      String message,
      @Nullable String body)
      implements UpstreamFailure {}

  /// Connected, but no content within the clock.
  record FirstTokenTimeout() implements UpstreamFailure {}

  /// Content came, then none for too long.
  record Stalled() implements UpstreamFailure {}

  /// The whole answer took too long.
  record TotalTimeout() implements UpstreamFailure {}

  /// The stream ended, or broke, without saying why the answer is complete.
  record Truncated(String detail) implements UpstreamFailure {}

  /// A 200 whose body, or a frame of it, is an error object.
  record ErrorBody(String code, String message) implements UpstreamFailure {}

  /// Something that is no answer: a line beyond the limit, a body that is not JSON.
  record Unreadable(String detail) implements UpstreamFailure {}
}
