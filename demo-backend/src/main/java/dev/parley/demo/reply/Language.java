package dev.parley.demo.reply;

import dev.parley.demo.idiom.IdiomDictionary;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/// The language to answer in: the user's.
enum Language {
  CHINESE,
  ENGLISH;

  private static final int LOOK_AT = 2_000;
  private static final Pattern HAN = Pattern.compile("\\p{IsHan}+");
  private static final String NAME_OF_THE_GAME = "成语接龙";

  /// The language of the newest user message that shows one. Four characters alone show none, nor
  /// does an idiom among English words: somebody who plays in English types Chinese characters too.
  /// Digits and signs show none either.
  static Language of(List<Turn> turns, IdiomDictionary dictionary) {
    for (Turn turn : turns.reversed()) {
      if (turn.role() != Turn.Role.USER) {
        continue;
      }
      String text =
          turn.text().length() > LOOK_AT ? turn.text().substring(0, LOOK_AT) : turn.text();
      int latin = (int) text.chars().filter(c -> Character.isLetter(c) && !isHan(c)).count();
      int han =
          HAN.matcher(text)
              .results()
              .map(MatchResult::group)
              .filter(run -> latin == 0 || !isPartOfTheGame(run, dictionary))
              .mapToInt(String::length)
              .sum();
      if (latin == 0 && (han == 0 || Words.isFourCharacters(text))) {
        continue;
      }
      // A Chinese character says about as much as a short word.
      return han * 3 >= latin ? CHINESE : ENGLISH;
    }
    return turns.stream().anyMatch(turn -> HAN.matcher(turn.text()).find()) ? CHINESE : ENGLISH;
  }

  String say(String chinese, String english) {
    return this == CHINESE ? chinese : english;
  }

  private static boolean isPartOfTheGame(String run, IdiomDictionary dictionary) {
    return run.equals(NAME_OF_THE_GAME) || dictionary.find(run) != null;
  }

  private static boolean isHan(int character) {
    return Character.isIdeographic(character);
  }
}
