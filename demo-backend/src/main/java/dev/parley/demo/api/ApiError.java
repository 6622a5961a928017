package dev.parley.demo.api;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.jspecify.annotations.Nullable;

/// An expected failure as OpenAI's API words it.
///
/// @param retryAfterSeconds what Retry-After says, or negative for no such header
record ApiError(
    int status,
    String message,
    String type,
    @Nullable String param,
    @Nullable String code,
    int retryAfterSeconds) {

  private static final String INVALID = "invalid_request_error";

  static ApiError invalid(String message, @Nullable String param) {
    return new ApiError(400, message, INVALID, param, null, -1);
  }

  static ApiError of(int status, String message, @Nullable String code) {
    return new ApiError(status, message, INVALID, null, code, -1);
  }

  static ApiError unknownModel(String model) {
    return new ApiError(
        404,
        "The model `" + model + "` does not exist on this demonstration backend.",
        INVALID,
        "model",
        "model_not_found",
        -1);
  }

  static ApiError contextTooLong(int allowed, int asked) {
    return new ApiError(
        400,
        "This model's maximum context length is "
            + allowed
            + " tokens. However, your messages resulted in "
            + asked
            + " tokens. Please reduce the length of the messages.",
        INVALID,
        "messages",
        "context_length_exceeded",
        -1);
  }

  static ApiError overloaded(String message, int retryAfterSeconds) {
    return new ApiError(
        503, message, "server_error", null, "service_unavailable", retryAfterSeconds);
  }

  /// The error a fault knob asked for.
  static ApiError wanted(int status, int retryAfterSeconds) {
    String type =
        switch (status) {
          case 401 -> "authentication_error";
          case 403 -> "permission_error";
          case 429 -> "rate_limit_error";
          default -> status >= 500 ? "server_error" : INVALID;
        };
    String code =
        switch (status) {
          case 401 -> "invalid_api_key";
          case 402 -> "insufficient_quota";
          case 404 -> "model_not_found";
          case 429 -> "rate_limit_exceeded";
          default -> null;
        };
    return new ApiError(
        status,
        "The fault knob \"status\" is set to " + status + ".",
        type,
        null,
        code,
        retryAfterSeconds);
  }

  ObjectNode json() {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    body.putObject("error")
        .put("message", message)
        .put("type", type)
        .put("param", param)
        .put("code", code);
    return body;
  }
}
