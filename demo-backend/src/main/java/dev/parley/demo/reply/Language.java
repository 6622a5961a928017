package dev.parley.demo.reply;

import dev.parley.demo.idiom.Idiom;
import java.util.List;

/// The language to answer in: the user's.
enum Language {
  CHINESE,
  ENGLISH;

  private static final int LOOK_AT = 2_000;

  /// The language of the newest user message that shows one. A bare idiom shows none: somebody who
  /// plays in English types Chinese characters too. Neither does a message of digits or signs.
  static Language of(List<Turn> turns) {
    for (Turn turn : turns.reversed()) {
      if (turn.role() != Turn.Role.USER) {
        continue;
      }
      int han = 0;
      int latin = 0;
      String text = turn.text();
      for (int i = 0; i < Math.min(text.length(), LOOK_AT); i++) {
        char c = text.charAt(i);
        if (Character.isIdeographic(c)) {
          han++;
        } else if (Character.isLetter(c)) {
          latin++;
        }
      }
      if (latin == 0 && (han == 0 || han == Idiom.LENGTH && Words.isBareIdiom(text))) {
        continue;
      }
      // A Chinese character says about as much as a short word.
      return han * 3 >= latin ? CHINESE : ENGLISH;
    }
    return turns.stream().anyMatch(turn -> hasHan(turn.text())) ? CHINESE : ENGLISH;
  }

  String say(String chinese, String english) {
    return this == CHINESE ? chinese : english;
  }

  private static boolean hasHan(String text) {
    return text.chars().limit(LOOK_AT).anyMatch(Character::isIdeographic);
  }
}
