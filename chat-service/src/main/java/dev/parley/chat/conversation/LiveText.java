package dev.parley.chat.conversation;

/// A text that grows at its end while others read it. Never ends in half a character: a high
/// surrogate waits for its other half, since what is shown or stored must be a valid string.
public final class LiveText {

  private final StringBuilder text = new StringBuilder();
  private String half = "";
  private long bytes;

  public synchronized int append(String more) {
    String added = half + more;
    half = "";
    if (!added.isEmpty() && Character.isHighSurrogate(added.charAt(added.length() - 1))) {
      half = added.substring(added.length() - 1);
      added = added.substring(0, added.length() - 1);
    }
    text.append(added);
    for (int i = 0; i < added.length(); i++) {
      char c = added.charAt(i);
      bytes += c < 0x20 ? 6 : c < 0x80 ? (c == '"' || c == '\\' ? 2 : 1) : 3;
    }
    return text.length();
  }

  public synchronized int length() {
    return text.length();
  }

  /// An upper bound of its length as a JSON string in UTF-8.
  public synchronized long jsonBytes() {
    return bytes;
  }

  public synchronized String from(int offset) {
    return text.substring(Math.min(offset, text.length()));
  }

  @Override
  public synchronized String toString() {
    return text.toString();
  }
}
