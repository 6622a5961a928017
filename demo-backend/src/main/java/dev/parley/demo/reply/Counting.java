package dev.parley.demo.reply;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Counts when asked to, one number a line: the simplest long answer whose every gap shows.
final class Counting {
  /// Numbers in one answer; enough for minutes of streaming, small enough to keep in memory.
  static final int LIMIT = 10_000;

  private static final Pattern ENGLISH =
      Pattern.compile(
          "\\bcount\\b(?:\\s+(?:up|down))?(?:\\s+from)?(?:\\s+(\\d{1,9}))?"
              + "\\s+(?:up\\s+|down\\s+)?to\\s+(\\d{1,9})\\b");
  private static final String NUMBER = "(\\d{1,9}|[零〇一二两三四五六七八九十百千万]{1,9})";
  private static final Pattern CHINESE =
      Pattern.compile("(?:从\\s*" + NUMBER + "\\s*(?:开始)?\\s*)?数(?:数)?\\s*到\\s*" + NUMBER);
  private static final Pattern CHINESE_COUNT_FIRST =
      Pattern.compile("数(?:数)?[，,\\s]*从\\s*" + NUMBER + "\\s*(?:开始)?\\s*(?:数)?到\\s*" + NUMBER);

  private Counting() {}

  /// The numbers asked for, or null if the message does not ask for numbers.
  static @Nullable String answer(String text, Language language) {
    String plain = Words.plain(text);
    for (Pattern pattern : new Pattern[] {ENGLISH, CHINESE_COUNT_FIRST, CHINESE}) {
      Matcher matcher = pattern.matcher(plain);
      if (matcher.find()) {
        int from = matcher.group(1) == null ? 1 : ChineseNumber.of(matcher.group(1));
        return count(from, ChineseNumber.of(matcher.group(2)), language);
      }
    }
    return null;
  }

  private static String count(int from, int to, Language language) {
    int step = from <= to ? 1 : -1;
    int numbers = Math.abs(to - from) + 1;
    if (numbers > LIMIT) {
      return language.say(
          "一次最多数 " + LIMIT + " 个数。换个近一点的吧，比如“数到60”。",
          "I count " + LIMIT + " numbers at a time at most. Try something nearer: count to 60.");
    }
    return IntStream.range(0, numbers)
        .mapToObj(i -> Integer.toString(from + i * step))
        .collect(Collectors.joining("\n"));
  }
}
