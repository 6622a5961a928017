package dev.parley.chat.openai;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.fasterxml.jackson.databind.JsonNode;
import org.jspecify.annotations.Nullable;

/// OpenAI's error object: `{"error": {message, type, param, code}}`, always with all four keys.
public record ErrorObject(
    int status, String message, String type, @Nullable String param, @Nullable String code) {

  public static ErrorObject invalid(int status, String message, @Nullable String param) {
    return new ErrorObject(status, message, "invalid_request_error", param, null);
  }

  public static ErrorObject unavailable(int status, String message, String code) {
    return new ErrorObject(status, message, "server_error", null, code);
  }

  public String json() {
    return "{\"error\":{\"message\":"
        + quoted(message)
        + ",\"type\":"
        + quoted(type)
        + ",\"param\":"
        + quoted(param)
        + ",\"code\":"
        + quoted(code)
        + "}}";
  }

  /// The `code` of somebody else's error object, else its `type`, else empty. Never throws: what
  /// backends put under `error` may be a string, a number or anything.
  public static String code(JsonNode error) {
    if (error.path("code").isTextual()) {
      return error.path("code").asText();
    }
    return error.path("type").asText("");
  }

  public static String message(JsonNode error) {
    if (error.isTextual()) {
      return error.asText();
    }
    return error.path("message").asText("the backend reported an error");
  }

  private static String quoted(@Nullable String text) {
    if (text == null) {
      return "null";
    }
    return '"' + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + '"';
  }
}
