package dev.parley.registry.probe;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.registry.backend.BackendDraft;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The few words of the OpenAI protocol that a probe needs.
final class OpenAiProtocol {

  private static final ObjectMapper JSON = new ObjectMapper();

  /// Enough for a model that says a word before it answers.
  private static final int FEW_TOKENS = 8;

  private OpenAiProtocol() {}

  /// The ids in a model list, in their order and bounded, or null if this is no model list.
  static @Nullable List<String> models(byte[] body) {
    JsonNode data;
    try {
      JsonNode root = JSON.readTree(body);
      data = root == null ? null : root.path("data");
    } catch (IOException e) {
      return null;
    }
    if (data == null || !data.isArray()) {
      return null;
    }
    Set<String> ids = new LinkedHashSet<>();
    for (JsonNode row : data) {
      String id = row.path("id").asText("");
      if (!id.isEmpty()
          && id.length() <= BackendDraft.MAX_MODEL_LENGTH
          && id.chars().noneMatch(Character::isISOControl)
          && ids.size() < BackendDraft.MAX_MODELS) {
        ids.add(id);
      }
    }
    return List.copyOf(ids);
  }

  /// A very small request.
  static byte[] hello(String model, boolean stream) {
    return write(
        Map.of(
            "model",
            model,
            "messages",
            List.of(Map.of("role", "user", "content", "Say OK.")),
            "max_tokens",
            FEW_TOKENS,
            "stream",
            stream));
  }

  /// A request whose answer was begun: one who continues it says 3 next.
  static byte[] begunAnswer(String model) {
    return write(
        Map.of(
            "model",
            model,
            "messages",
            List.of(
                Map.of("role", "user", "content", "Count from 1 to 5, one number a line."),
                Map.of("role", "assistant", "content", "1\n2\n")),
            "max_tokens",
            FEW_TOKENS,
            "temperature",
            0,
            "stream",
            false));
  }

  /// Whether the answer to [#begunAnswer] takes up where it stopped.
  static boolean continued(byte[] body) {
    String text = answer(body);
    return text != null && text.stripLeading().startsWith("3");
  }

  /// The text of a whole answer, or null if this is none.
  static @Nullable String answer(byte[] body) {
    try {
      JsonNode message = JSON.readTree(body).path("choices").path(0).path("message");
      return message.isObject() ? message.path("content").asText("") : null;
    } catch (IOException e) {
      return null;
    }
  }

  /// What an error body says, or "".
  static String errorMessage(byte[] body) {
    try {
      JsonNode root = JSON.readTree(body);
      JsonNode error = root == null ? null : root.path("error");
      if (error == null) {
        return "";
      }
      return error.isTextual() ? error.asText() : error.path("message").asText("");
    } catch (IOException e) {
      return "";
    }
  }

  /// Whether one line of an event stream carries a piece of text, reasoning included.
  static boolean isDelta(String line) {
    if (!line.startsWith("data:")) {
      return false;
    }
    try {
      JsonNode delta =
          JSON.readTree(line.substring("data:".length()).strip())
              .path("choices")
              .path(0)
              .path("delta");
      return !delta.path("content").asText("").isEmpty()
          || !delta.path("reasoning_content").asText("").isEmpty()
          || !delta.path("reasoning").asText("").isEmpty();
    } catch (IOException e) {
      return false;
    }
  }

  /// Cuts bytes into lines; a character may be split between two pieces, a line never is.
  static final class Lines {
    private final ByteArrayOutputStream rest = new ByteArrayOutputStream();

    /// The lines that end within this piece.
    List<String> take(byte[] piece) {
      List<String> lines = new ArrayList<>();
      for (byte b : piece) {
        if (b == '\n' || b == '\r') {
          lines.add(rest.toString(StandardCharsets.UTF_8));
          rest.reset();
        } else {
          rest.write(b);
        }
      }
      return lines;
    }
  }

  private static byte[] write(Map<String, ?> request) {
    try {
      return JSON.writeValueAsBytes(request);
    } catch (JacksonException e) {
      throw new IllegalStateException(e);
    }
  }
}
