package dev.parley.chat.generation;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.parley.chat.context.ContextWindow;
import dev.parley.chat.context.TokenCounter;
import dev.parley.chat.context.Turn;
import dev.parley.chat.conversation.Conversation;
import dev.parley.chat.conversation.Message;
import dev.parley.chat.conversation.Parameters;
import dev.parley.chat.conversation.Role;
import dev.parley.chat.conversation.State;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a model is asked: the system prompt and the messages that fit.
record Prompt(
    @Nullable String system, ContextWindow.Fitted fitted, int olderDropped, Parameters parameters) {

  /// @param before the messages before the answer, oldest first
  /// @param older how many messages stand before those
  static Prompt of(
      Conversation conversation,
      List<Message> before,
      int older,
      Parameters parameters,
      int limit,
      TokenCounter tokens) {
    List<Turn> turns = new ArrayList<>();
    for (Message message : before) {
      if (conversation.supersededBy(message.ordinal()) != null || !sayable(message)) {
        continue;
      }
      Integer counted = message.tokens();
      int length = counted == null ? tokens.count(message.content()) : counted;
      turns.add(new Turn(message.role().wire(), message.content(), length, false));
    }
    String system = conversation.systemPrompt();
    int systemTokens = system == null || system.isBlank() ? 0 : tokens.count(system);
    return new Prompt(system, ContextWindow.fit(systemTokens, turns, limit), older, parameters);
  }

  private static boolean sayable(Message message) {
    return message.role() == Role.USER
        || (message.state() != State.FAILED && !message.content().isBlank());
  }

  Message.Shown shown() {
    return new Message.Shown(fitted.tokens(), fitted.limit(), fitted.dropped() + olderDropped);
  }

  /// The request's body.
  ///
  /// @param partial the answer so far, for a backend that continues it; empty to ask afresh
  /// @param emitted tokens of the partial answer
  byte[] body(String model, String partial, int emitted, ObjectMapper mapper) {
    ObjectNode root = mapper.createObjectNode();
    if (!model.isEmpty()) {
      root.put("model", model);
    }
    ArrayNode messages = root.putArray("messages");
    if (system != null && !system.isBlank()) {
      messages.addObject().put("role", "system").put("content", system);
    }
    for (Turn turn : fitted.turns()) {
      messages.addObject().put("role", turn.role()).put("content", turn.content());
    }
    if (!partial.isEmpty()) {
      messages.addObject().put("role", "assistant").put("content", partial);
    }
    if (parameters.temperature() != null) {
      root.put("temperature", parameters.temperature());
    }
    if (parameters.topP() != null) {
      root.put("top_p", parameters.topP());
    }
    if (parameters.maxTokens() != null) {
      int left = partial.isEmpty() ? parameters.maxTokens() : parameters.maxTokens() - emitted;
      root.put("max_tokens", Math.max(1, left));
    }
    root.put("stream", true);
    root.putObject("stream_options").put("include_usage", true);
    try {
      return mapper.writeValueAsBytes(root);
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }
}
