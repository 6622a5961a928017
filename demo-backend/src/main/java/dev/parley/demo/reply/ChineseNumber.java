package dev.parley.demo.reply;

/// Numbers as they are written in Chinese, below a hundred million: 六十, 一百零五, 两万三千.
final class ChineseNumber {
  private static final String DIGITS = "零一二三四五六七八九";

  private ChineseNumber() {}

  /// The number these signs write; digits of either script are taken, and so is 两 for two.
  static int of(String text) {
    if (text.chars().allMatch(c -> c >= '0' && c <= '9')) {
      return Integer.parseInt(text);
    }
    int total = 0;
    int section = 0;
    int digit = 0;
    for (char c : text.replace('两', '二').replace('〇', '零').toCharArray()) {
      int unit =
          switch (c) {
            case '十' -> 10;
            case '百' -> 100;
            case '千' -> 1_000;
            default -> 1;
          };
      if (c == '万') {
        total += (section + digit) * 10_000;
        section = 0;
        digit = 0;
      } else if (unit > 1) {
        section += Math.max(1, digit) * unit;
        digit = 0;
      } else {
        digit = DIGITS.indexOf(c);
      }
    }
    return total + section + digit;
  }
}
