package dev.parley.demo.reply;

/// One message of the conversation, reduced to what an answer depends on.
public record Turn(Role role, String text) {
  /// Who spoke. Anything else (system, tool) does not change what is answered.
  public enum Role {
    USER,
    ASSISTANT,
    OTHER
  }

  public static Turn user(String text) {
    return new Turn(Role.USER, text);
  }

  public static Turn assistant(String text) {
    return new Turn(Role.ASSISTANT, text);
  }
}
