package dev.parley.demo.idiom;

/// A four-character idiom.
///
/// @param text its characters
/// @param frequency how often it occurs in the corpus behind jieba's dictionary
/// @param reading its pinyin with tone marks, one syllable per character, separated by spaces
/// @param familiar whether people know it: these are played first
public record Idiom(String text, int frequency, String reading, boolean familiar) {
  /// Every idiom of the game has this many characters.
  public static final int LENGTH = 4;

  public Idiom {
    if (text.length() != LENGTH) {
      throw new IllegalArgumentException("not four characters: " + text);
    }
  }

  public char first() {
    return text.charAt(0);
  }

  public char last() {
    return text.charAt(LENGTH - 1);
  }

  /// The reading of the first character, tone included.
  public String firstReading() {
    return reading.substring(0, reading.indexOf(' '));
  }

  /// The reading of the last character, tone included.
  public String lastReading() {
    return reading.substring(reading.lastIndexOf(' ') + 1);
  }
}
