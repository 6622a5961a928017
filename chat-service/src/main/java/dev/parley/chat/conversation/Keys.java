package dev.parley.chat.conversation;

import java.util.Locale;

/// Where everything is in the store. What stands in braces is what placement hashes, so that all of
/// a conversation lives in one partition.
public final class Keys {

  public static final String GENERATIONS = "chat/generations/";

  private Keys() {}

  public static String conversation(String id) {
    return "conversations/{" + id + "}";
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
