package dev.parley.demo.reply;

import dev.parley.demo.idiom.Idiom;
import java.util.Locale;
import java.util.regex.Pattern;

/// How a user's words are looked at: case, punctuation and space do not matter.
final class Words {
  /// Longer messages are read only this far: what is recognised here is said in a few words.
  static final int READ = 400;

  private static final Pattern AROUND = Pattern.compile("^[\\s\\p{P}\\p{S}]+|[\\s\\p{P}\\p{S}]+$");

  private Words() {}

  /// Lower case, straight apostrophes, no signs around it, and not longer than [#READ].
  static String plain(String text) {
    String head = text.length() > READ ? text.substring(0, READ) : text;
    return AROUND.matcher(head.replace('’', '\'').toLowerCase(Locale.ROOT)).replaceAll("");
  }

  /// Whether the message is four Chinese characters and nothing else.
  static boolean isFourCharacters(String text) {
    String bare = plain(text);
    return bare.length() == Idiom.LENGTH && bare.chars().allMatch(Character::isIdeographic);
  }
}
