package dev.parley.chat.api;

import org.jspecify.annotations.Nullable;

/// Every expected reason not to do what was asked.
public sealed interface Refusal {

  /// @param field the one at fault, or null if the body as a whole is
  record Invalid(@Nullable String field, String detail) implements Refusal {}

  record NoConversation(String id) implements Refusal {}

  record NoMessage(String id) implements Refusal {}

  record UnknownModel(String model) implements Refusal {}

  record TooLarge(String detail) implements Refusal {}

  record WrongType() implements Refusal {}

  /// An answer is being written in this conversation.
  record Busy() implements Refusal {}

  record Overloaded() implements Refusal {}

  record Draining() implements Refusal {}

  record StoreUnavailable(String reason) implements Refusal {}

  /// No backend can serve the seed's call now.
  record NoAnswer(String type, String detail, long retryAfterMillis) implements Refusal {}
}
