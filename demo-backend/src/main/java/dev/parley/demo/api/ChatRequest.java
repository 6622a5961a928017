package dev.parley.demo.api;

import com.fasterxml.jackson.databind.JsonNode;
import dev.parley.demo.reply.Tokens;
import dev.parley.demo.reply.Turn;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The part of a chat completion request that this backend honours; unknown fields are ignored.
///
/// @param conversation the messages without a prefill
/// @param prefill the text of the last message if it is the assistant's, else null
record ChatRequest(
    String model,
    List<Turn> conversation,
    @Nullable String prefill,
    int promptTokens,
    boolean stream,
    boolean includeUsage,
    int maxTokens,
    List<String> stops,
    long seed) {

  /// What chat templates add to each message, roughly.
  private static final int TOKENS_AROUND_A_MESSAGE = 4;

  private static final int MOST_STOPS = 4;

  /// A request that cannot be honoured.
  static final class Refused extends Exception {
    private static final long serialVersionUID = 1;

    private final transient ApiError error;

    Refused(ApiError error) {
      super(error.message());
      this.error = error;
    }

    ApiError error() {
      return error;
    }
  }

  static ChatRequest read(JsonNode body, List<String> models) throws Refused {
    if (!body.isObject()) {
      throw refused("The body must be a JSON object.", null);
    }
    JsonNode model = body.path("model");
    if (!model.isTextual() || model.asText().isEmpty()) {
      throw refused("You must provide a model parameter.", "model");
    }
    JsonNode messages = body.path("messages");
    if (!messages.isArray() || messages.isEmpty()) {
      throw refused("'messages' must be an array of at least one message.", "messages");
    }
    if (!models.contains(model.asText())) {
      throw new Refused(ApiError.unknownModel(model.asText()));
    }
    if (number(body, "n", 1, 1, Integer.MAX_VALUE) > 1) {
      throw refused("This backend gives one choice: 'n' must be 1.", "n");
    }
    List<Turn> turns = new ArrayList<>();
    int promptTokens = 0;
    for (int i = 0; i < messages.size(); i++) {
      Turn turn = turn(messages.get(i), "messages[" + i + "]");
      promptTokens += TOKENS_AROUND_A_MESSAGE + Tokens.count(turn.text());
      turns.add(turn);
    }
    Turn last = turns.getLast();
    String prefill = last.role() == Turn.Role.ASSISTANT ? last.text() : null;
    long maxTokens =
        number(
            body,
            "max_completion_tokens",
            number(body, "max_tokens", Integer.MAX_VALUE, 1, Integer.MAX_VALUE),
            1,
            Integer.MAX_VALUE);
    return new ChatRequest(
        model.asText(),
        List.copyOf(prefill == null ? turns : turns.subList(0, turns.size() - 1)),
        prefill,
        promptTokens,
        flag(body, "stream", "stream"),
        flag(body.path("stream_options"), "include_usage", "stream_options.include_usage"),
        (int) maxTokens,
        stops(body.path("stop")),
        number(body, "seed", 0, Long.MIN_VALUE, Long.MAX_VALUE));
  }

  private static Turn turn(JsonNode message, String where) throws Refused {
    if (!message.isObject()) {
      throw refused("'" + where + "' must be an object.", where);
    }
    String given = message.path("role").asText("");
    Turn.Role role =
        switch (given) {
          case "user" -> Turn.Role.USER;
          case "assistant" -> Turn.Role.ASSISTANT;
          case "system", "developer", "tool", "function" -> Turn.Role.OTHER;
          default ->
              throw refused(
                  "'" + where + ".role' must be one of system, developer, user, assistant, tool.",
                  where + ".role");
        };
    JsonNode content = message.path("content");
    if (content.isTextual()) {
      return new Turn(role, content.asText());
    }
    if (content.isArray()) {
      var text = new StringBuilder();
      for (JsonNode part : content) {
        text.append(part.path("text").asText(""));
      }
      return new Turn(role, text.toString());
    }
    if ((content.isNull() || content.isMissingNode()) && role != Turn.Role.USER) {
      return new Turn(role, "");
    }
    throw refused(
        "'" + where + ".content' must be a string or an array of parts.", where + ".content");
  }

  private static List<String> stops(JsonNode stop) throws Refused {
    if (stop.isMissingNode() || stop.isNull()) {
      return List.of();
    }
    List<String> stops = new ArrayList<>();
    for (JsonNode one : stop.isArray() ? stop : List.of(stop)) {
      if (!one.isTextual() || one.asText().isEmpty() || stops.size() == MOST_STOPS) {
        throw refused(
            "'stop' must be a string or up to " + MOST_STOPS + " strings, none empty.", "stop");
      }
      stops.add(one.asText());
    }
    return List.copyOf(stops);
  }

  private static boolean flag(JsonNode parent, String field, String param) throws Refused {
    JsonNode value = parent.path(field);
    if (value.isMissingNode() || value.isNull()) {
      return false;
    }
    if (!value.isBoolean()) {
      throw refused("'" + param + "' must be true or false.", param);
    }
    return value.booleanValue();
  }

  private static long number(JsonNode parent, String field, long otherwise, long min, long max)
      throws Refused {
    JsonNode value = parent.path(field);
    if (value.isMissingNode() || value.isNull()) {
      return otherwise;
    }
    if (!value.isIntegralNumber()
        || !value.canConvertToLong()
        || value.longValue() < min
        || value.longValue() > max) {
      throw refused(
          "'" + field + "' must be a whole number" + (min == 1 ? " of at least 1." : "."), field);
    }
    return value.longValue();
  }

  private static Refused refused(String message, @Nullable String param) {
    return new Refused(ApiError.invalid(message, param));
  }
}
