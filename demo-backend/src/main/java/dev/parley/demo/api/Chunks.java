package dev.parley.demo.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.vertx.core.buffer.Buffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The JSON of one completion: the whole object, or the frames of its stream.
record Chunks(String id, long created, String model, int promptTokens, boolean usageAsked) {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  /// The answer in one piece.
  JsonNode whole(String text, String finishReason, int completionTokens) {
    ObjectNode body = envelope("chat.completion");
    ObjectNode choice = body.putArray("choices").addObject().put("index", 0);
    choice.putObject("message").put("role", "assistant").put("content", text);
    choice.putNull("logprobs").put("finish_reason", finishReason);
    body.set("usage", usageNode(completionTokens));
    return body;
  }

  Buffer role() {
    return frame(NODES.objectNode().put("role", "assistant").put("content", ""), null);
  }

  Buffer content(String token) {
    return frame(NODES.objectNode().put("content", token), null);
  }

  Buffer finish(String reason) {
    return frame(NODES.objectNode(), reason);
  }

  /// The extra frame for a client that asked for usage.
  Optional<Buffer> usage(int completionTokens) {
    if (!usageAsked) {
      return Optional.empty();
    }
    ObjectNode body = envelope("chat.completion.chunk");
    body.putArray("choices");
    body.set("usage", usageNode(completionTokens));
    return Optional.of(event(Http.text(body)));
  }

  Buffer malformed() {
    return event("{\"id\":\"" + id + "\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
  }

  Buffer done() {
    return event("[DONE]");
  }

  private Buffer frame(ObjectNode delta, @Nullable String finishReason) {
    ObjectNode body = envelope("chat.completion.chunk");
    ObjectNode choice = body.putArray("choices").addObject().put("index", 0);
    choice.set("delta", delta);
    choice.putNull("logprobs").put("finish_reason", finishReason);
    if (usageAsked) {
      body.putNull("usage");
    }
    return event(Http.text(body));
  }

  private ObjectNode envelope(String object) {
    return NODES
        .objectNode()
        .put("id", id)
        .put("object", object)
        .put("created", created)
        .put("model", model);
  }

  private ObjectNode usageNode(int completionTokens) {
    return NODES
        .objectNode()
        .put("prompt_tokens", promptTokens)
        .put("completion_tokens", completionTokens)
        .put("total_tokens", promptTokens + completionTokens);
  }

  private static Buffer event(String data) {
    return Buffer.buffer("data: " + data + "\n\n");
  }
}
