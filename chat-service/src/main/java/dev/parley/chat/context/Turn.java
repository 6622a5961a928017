package dev.parley.chat.context;

/// One message as a model would see it.
///
/// @param tokens its length, without what the chat format adds around it
/// @param pinned kept whatever else is dropped
public record Turn(String role, String content, int tokens, boolean pinned) {

  boolean opensExchange() {
    return role.equals("user");
  }
}
