package dev.parley.chat.openai;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// What a failure says about the backend, and where the request may go next.
///
/// @param kind as reported to the registry
/// @param reason a short stable word for reports, attempts and metrics
/// @param retryAfterMillis for [Kind#RATE_LIMITED]: how long the backend wants to be left alone
public record FailureClass(Kind kind, Next next, String reason, @Nullable Long retryAfterMillis) {

  /// A backend that says 429 without a time is left alone for this long; none longer than the cap.
  static final long DEFAULT_RETRY_AFTER_MILLIS = 5_000;

  static final long MAX_RETRY_AFTER_MILLIS = 300_000;

  public enum Kind {
    SUCCESS,
    FAILURE,
    RATE_LIMITED,
    MISCONFIGURED,
    NEUTRAL;

    public String wire() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  public enum Next {
    /// Another backend; if there is none, the same one once more.
    ELSEWHERE_OR_SAME,
    /// Another backend only.
    ELSEWHERE,
    /// The request is too long for this backend.
    SHORTER,
    /// The request itself is at fault: every backend would say the same.
    NOWHERE
  }

  /// What OpenAI and its many imitators call it.
  private static final String UNKNOWN_MODEL = "model_not_found";

  private static final String UNKNOWN_MODEL_REASON = "unknown-model";

  /// Whether the backend has no such model.
  public boolean unknownModel() {
    return reason.equals(UNKNOWN_MODEL_REASON);
  }

  public static FailureClass of(UpstreamFailure failure) {
    return switch (failure) {
      case UpstreamFailure.Connect _ -> failed(Next.ELSEWHERE, "connect");
      case UpstreamFailure.Reset _ -> failed(Next.ELSEWHERE_OR_SAME, "reset");
      case UpstreamFailure.FirstTokenTimeout _ -> failed(Next.ELSEWHERE, "first-token-timeout");
      case UpstreamFailure.Stalled _ -> failed(Next.ELSEWHERE, "stalled");
      case UpstreamFailure.TotalTimeout _ -> failed(Next.NOWHERE, "total-timeout");
      case UpstreamFailure.Truncated _ -> failed(Next.ELSEWHERE_OR_SAME, "truncated");
      case UpstreamFailure.Unreadable _ -> failed(Next.ELSEWHERE, "unreadable");
      case UpstreamFailure.ErrorBody(var code, var message) -> ofError(code, message);
      case UpstreamFailure.Status status -> ofStatus(status);
    };
  }

  private static FailureClass ofStatus(UpstreamFailure.Status status) {
    int code = status.status();
    String reason = "status-" + code;
    return switch (code) {
      case 400, 413, 422 ->
          tooLong(status.code(), status.message())
              ? new FailureClass(Kind.NEUTRAL, Next.SHORTER, "context-length", null)
              : new FailureClass(Kind.NEUTRAL, Next.NOWHERE, reason, null);
      case 404 ->
          // One model that a backend lacks says nothing about its others, and the name may be the
          // client's invention: it must not get the backend ejected.
          status.code().equals(UNKNOWN_MODEL)
              ? new FailureClass(Kind.NEUTRAL, Next.ELSEWHERE, UNKNOWN_MODEL_REASON, null)
              : new FailureClass(Kind.MISCONFIGURED, Next.ELSEWHERE, reason, null);
      case 401, 402, 403, 405 -> new FailureClass(Kind.MISCONFIGURED, Next.ELSEWHERE, reason, null);
      case 408 -> failed(Next.ELSEWHERE, reason);
      case 429 -> rateLimited(reason, status.retryAfterMillis());
      case 503 ->
          status.retryAfterMillis() == null
              ? failed(Next.ELSEWHERE_OR_SAME, reason)
              : rateLimited(reason, status.retryAfterMillis());
      case 529 -> failed(Next.ELSEWHERE, reason);
      default -> {
        if (code >= 500) {
          yield failed(Next.ELSEWHERE_OR_SAME, reason);
        }
        yield code >= 400
            ? new FailureClass(Kind.NEUTRAL, Next.NOWHERE, reason, null)
            : new FailureClass(Kind.MISCONFIGURED, Next.ELSEWHERE, reason, null);
      }
    };
  }

  private static FailureClass ofError(String code, String message) {
    if (tooLong(code, message)) {
      return new FailureClass(Kind.NEUTRAL, Next.SHORTER, "context-length", null);
    }
    if (code.contains("content_filter")) {
      return new FailureClass(Kind.NEUTRAL, Next.NOWHERE, "content-filter", null);
    }
    if (code.contains("rate_limit")) {
      return rateLimited("rate-limit-error", null);
    }
    return failed(Next.ELSEWHERE, "error-body");
  }

  private static boolean tooLong(String code, String message) {
    String said = message.toLowerCase(Locale.ROOT);
    return code.contains("context_length")
        || said.contains("maximum context length")
        || said.contains("context_length_exceeded");
  }

  private static FailureClass rateLimited(String reason, @Nullable Long retryAfterMillis) {
    long wait =
        retryAfterMillis == null
            ? DEFAULT_RETRY_AFTER_MILLIS
            : Math.clamp(retryAfterMillis, 0, MAX_RETRY_AFTER_MILLIS);
    return new FailureClass(Kind.RATE_LIMITED, Next.ELSEWHERE, reason, wait);
  }

  private static FailureClass failed(Next next, String reason) {
    return new FailureClass(Kind.FAILURE, next, reason, null);
  }
}
