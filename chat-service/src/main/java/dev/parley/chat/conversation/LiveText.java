package dev.parley.chat.conversation;

/// A text that grows at its end while others read it. Never ends in half a character: a high
/// surrogate waits for its other half, since what is shown or stored must be a valid string.
public final class LiveText {

  private final StringBuilder text = new StringBuilder();
  private String half = "";
  private long bytes;

  public void append(String more) {
    appendWithin(more, Long.MAX_VALUE);
  }

  /// Appends as many whole characters as fit.
  ///
  /// @param maxJsonBytes which [#jsonBytes] does not exceed
  /// @return whether all of it fitted
  public synchronized boolean appendWithin(String more, long maxJsonBytes) {
    // A half whose other half never came is dropped: whoever writes on begins with a whole one.
    boolean completes = !more.isEmpty() && Character.isLowSurrogate(more.charAt(0));
    String added = completes ? half + more : more.isEmpty() ? half : more;
    half = "";
    if (!added.isEmpty() && Character.isHighSurrogate(added.charAt(added.length() - 1))) {
      half = added.substring(added.length() - 1);
      added = added.substring(0, added.length() - 1);
    }
    int at = 0;
    while (at < added.length()) {
      int next = added.offsetByCodePoints(at, 1);
      int cost = next - at == 2 ? 12 : jsonBytes(added.charAt(at));
      if (bytes + cost > maxJsonBytes) {
        text.append(added, 0, at);
        half = "";
        return false;
      }
      bytes += cost;
      at = next;
    }
    text.append(added);
    return true;
  }

  private static int jsonBytes(char c) {
    if (c < 0x20 || Character.isSurrogate(c)) {
      return 6;
    }
    return c >= 0x80 ? 3 : c == '"' || c == '\\' ? 2 : 1;
  }

  public synchronized int length() {
    return text.length();
  }

  /// An upper bound of its length as a JSON string in UTF-8, where a writer may escape control
  /// characters and surrogates.
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
