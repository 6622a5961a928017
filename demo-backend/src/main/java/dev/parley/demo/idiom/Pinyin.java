package dev.parley.demo.idiom;

import java.text.Normalizer;
import java.util.regex.Pattern;

/// Pinyin as it is compared: without tones.
public final class Pinyin {
  private static final Pattern TONES = Pattern.compile("[\u0300\u0301\u0304\u030c]");

  private Pinyin() {}

  /// The same syllables without their tone marks; the two dots of ü stay.
  public static String withoutTones(String reading) {
    String open = Normalizer.normalize(reading, Normalizer.Form.NFD);
    return Normalizer.normalize(TONES.matcher(open).replaceAll(""), Normalizer.Form.NFC);
  }
}
