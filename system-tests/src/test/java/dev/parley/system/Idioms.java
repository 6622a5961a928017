package dev.parley.system;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A player of the idiom chain, with the demo backends' own dictionary in hand.
final class Idioms {

  private static final Pattern PLAYED = Pattern.compile("「(\\p{IsHan}{4})」");

  private final List<String> dictionary;
  private final Set<String> used = new HashSet<>();

  Idioms() {
    Path file = Path.of("../demo-backend/src/main/resources/idioms.tsv");
    try {
      dictionary =
          Files.readAllLines(file).stream()
              .filter(line -> !line.startsWith("#"))
              .map(line -> line.split("\t", 2)[0])
              .filter(word -> word.length() == 4)
              .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The idiom that an answer plays: the last one that it quotes.
  String playedIn(String answer) {
    Matcher matcher = PLAYED.matcher(answer);
    String last = null;
    while (matcher.find()) {
      last = matcher.group(1);
    }
    if (last == null) {
      throw new AssertionError("no idiom in: " + answer);
    }
    used.add(last);
    return last;
  }

  boolean knows(String idiom) {
    return dictionary.contains(idiom);
  }

  /// An unused idiom that begins with the last character of the given one and can itself be
  /// answered without the same-sound rule; null if there is none.
  String answerTo(String idiom) {
    for (String candidate : dictionary) {
      if (candidate.charAt(0) == idiom.charAt(3)
          && !used.contains(candidate)
          && beginningWith(candidate.charAt(3)) > 0) {
        used.add(candidate);
        return candidate;
      }
    }
    return null;
  }

  private long beginningWith(char first) {
    return dictionary.stream()
        .filter(idiom -> idiom.charAt(0) == first && !used.contains(idiom))
        .count();
  }
}
