package dev.parley.chat.conversation;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Where everything is in the store. What stands in braces is what placement hashes, so that all of
/// a conversation lives in one partition.
public final class Keys {

  public static final String GENERATIONS = "chat/generations/";

  /// Where all conversations lie, the rows of their owners' lists included.
  public static final String CONVERSATIONS = "conversations/";

  private Keys() {}

  public static String conversation(String id) {
    return "conversations/{" + id + "}";
  }

  /// The conversation that a key belongs to, or null if it belongs to none.
  public static @Nullable String conversationOf(String key) {
    int end = key.indexOf('}');
    return key.startsWith(CONVERSATIONS + "{") && end > 0
        ? key.substring(CONVERSATIONS.length() + 1, end)
        : null;
  }

  /// The beginning of all keys that belong to a conversation, but its own.
  public static String within(String id) {
    return conversation(id) + "/";
  }

  public static String rows(String owner) {
    return "conversations/by-owner/" + owner + "/";
  }

  public static String row(String owner, String id) {
    return rows(owner) + id;
  }

  public static String messages(String id) {
    return within(id) + "m/";
  }

  public static String message(String id, int ordinal) {
    return messages(id) + String.format(Locale.ROOT, "%010d", ordinal);
  }

  public static String generation(String id, String messageId) {
    return within(id) + "g/" + messageId;
  }

  public static String chunks(String id, String messageId) {
    return generation(id, messageId) + "/c/";
  }

  public static String chunk(String id, String messageId, int index) {
    return chunks(id, messageId) + String.format(Locale.ROOT, "%08d", index);
  }

  public static String pointer(String messageId) {
    return GENERATIONS + messageId;
  }
}
