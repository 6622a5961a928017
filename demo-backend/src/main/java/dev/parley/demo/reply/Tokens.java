package dev.parley.demo.reply;

/// Cuts text into what this demonstration calls tokens: a Chinese character, a sign, a line break,
/// or
/// up to eight letters or digits with the space before them. Near enough to a real tokenizer to
/// stream and to count by.
public final class Tokens {
  private static final int PIECE = 8;

  private Tokens() {}

  /// Where the token that begins at `from` ends; never in the middle of a surrogate pair.
  public static int end(String text, int from) {
    int at = from;
    if (text.charAt(at) == ' ' && at + 1 < text.length() && isWord(text.codePointAt(at + 1))) {
      at++;
    }
    if (!isWord(text.codePointAt(at))) {
      return at + Character.charCount(text.codePointAt(at));
    }
    int letters = 0;
    while (at < text.length() && letters < PIECE && isWord(text.codePointAt(at))) {
      at += Character.charCount(text.codePointAt(at));
      letters++;
    }
    return at;
  }

  public static int count(String text) {
    int tokens = 0;
    for (int at = 0; at < text.length(); at = end(text, at)) {
      tokens++;
    }
    return tokens;
  }

  private static boolean isWord(int character) {
    return Character.isLetterOrDigit(character) && !Character.isIdeographic(character);
  }
}
