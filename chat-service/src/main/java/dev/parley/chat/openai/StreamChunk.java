package dev.parley.chat.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// What one `data:` of a completion stream means.
public sealed interface StreamChunk {

  /// The stream's closing mark.
  record Done() implements StreamChunk {}

  /// Not JSON, or not an object: skipped, and the stream goes on.
  record Malformed() implements StreamChunk {}

  /// An error object in the place of a chunk.
  record Failed(String code, String message) implements StreamChunk {}

  /// A part of an answer.
  ///
  /// @param raw the bytes as they came
  /// @param text content of the first choice, possibly empty
  /// @param carriesContent whether any choice has content, reasoning, a refusal or a tool call
  /// @param finished how many choices say in it why they ended
  /// @param usageOnly the extra chunk with figures and no choices
  /// @param usageNull whether it says `"usage": null`
  @SuppressWarnings("ArrayRecordComponent") // Bytes in passing, never compared by value.
  record Part(
      byte[] raw,
      String text,
      boolean carriesContent,
      int finished,
      @Nullable String finishReason,
      @Nullable Usage usage,
      boolean usageOnly,
      boolean usageNull,
      @Nullable String model)
      implements StreamChunk {}

  static StreamChunk parse(byte[] data, ObjectMapper mapper) {
    if (isDone(data)) {
      return new Done();
    }
    JsonNode root;
    try {
      root = mapper.readTree(data);
    } catch (IOException malformed) {
      return new Malformed();
    }
    if (root == null || !root.isObject()) {
      return new Malformed();
    }
    JsonNode error = root.get("error");
    if (error != null && !error.isNull()) {
      return new Failed(ErrorObject.code(error), ErrorObject.message(error));
    }
    return part(data, root);
  }

  private static Part part(byte[] data, JsonNode root) {
    JsonNode choices = root.path("choices");
    StringBuilder text = new StringBuilder();
    boolean content = false;
    int finished = 0;
    String reason = null;
    for (JsonNode choice : choices) {
      JsonNode delta = choice.path("delta");
      content |= carriesContent(choice, delta);
      if (choice.path("index").asInt(0) == 0) {
        text.append(delta.path("content").asText(""));
        text.append(choice.path("text").asText(""));
      }
      JsonNode why = choice.get("finish_reason");
      if (why != null && why.isTextual()) {
        finished++;
        reason = why.asText();
      }
    }
    JsonNode usage = root.get("usage");
    Usage counted = usage != null && usage.isObject() ? usage(usage) : null;
    String model = root.path("model").isTextual() ? root.path("model").asText() : null;
    return new Part(
        data,
        text.toString(),
        content,
        finished,
        reason,
        counted,
        choices.isEmpty() && counted != null,
        usage != null && usage.isNull(),
        model);
  }

  /// Reads the figures of a `usage` object.
  static Usage usage(JsonNode usage) {
    return new Usage(
        usage.path("prompt_tokens").asLong(0), usage.path("completion_tokens").asLong(0), false);
  }

  private static boolean carriesContent(JsonNode choice, JsonNode delta) {
    return filled(delta.get("content"))
        || filled(delta.get("reasoning_content"))
        || filled(delta.get("reasoning"))
        || filled(delta.get("refusal"))
        || filled(delta.get("tool_calls"))
        || filled(delta.get("function_call"))
        || filled(delta.get("audio"))
        || filled(choice.get("text"));
  }

  private static boolean filled(@Nullable JsonNode node) {
    if (node == null || node.isNull()) {
      return false;
    }
    return node.isTextual() ? !node.asText().isEmpty() : !node.isEmpty();
  }

  private static boolean isDone(byte[] data) {
    return data.length <= 16
        && new String(data, StandardCharsets.US_ASCII).strip().equals("[DONE]");
  }
}
