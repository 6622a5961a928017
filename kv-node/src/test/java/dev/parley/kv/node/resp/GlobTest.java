package dev.parley.kv.node.resp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GlobTest {

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @ParameterizedTest
  @CsvSource({
    "*, '', true",
    "'', '', true",
    "'', a, false",
    "a, a, true",
    "a*, abc, true",
    "a*c, abbc, true",
    "a*c, abbcd, false",
    "a?c, abc, true",
    "a?c, ac, false",
    "'[a-c]x', bx, true",
    "'[a-c]x', dx, false",
    "'[c-a]x', bx, true",
    "'[^a-c]x', dx, true",
    "'[^a-c]x', bx, false",
    "'[abc]', c, true",
    "'[a', a, true",
    "'[]', a, false",
    "'\\*', '*', true",
    "'\\*', a, false",
    "'[\\]]', ']', true",
    "'{c1}/*', '{c1}/m', true",
    "'a**b', 'axyb', true"
  })
  void matchesAsRedisDoes(String pattern, String text, boolean matches) {
    assertEquals(matches, new Glob(bytes(pattern)).matches(bytes(text)));
  }

  @Test
  void thePrefixIsWhatEverythingThatMatchesBeginsWith() {
    assertEquals("list/", new String(new Glob(bytes("list/*")).prefix(), StandardCharsets.UTF_8));
    assertEquals("a*b", new String(new Glob(bytes("a\\*b?")).prefix(), StandardCharsets.UTF_8));
    assertEquals("", new String(new Glob(bytes("[a]b")).prefix(), StandardCharsets.UTF_8));
  }

  @Test
  void manyStarsTakeNoTimeToSpeakOf() {
    Glob glob = new Glob(bytes("a*".repeat(256) + "b"));
    assertTimeoutPreemptively(
        Duration.ofSeconds(2), () -> assertTrue(!glob.matches(bytes("a".repeat(512)))));
  }

  /// The obvious recursion, for comparison.
  private static boolean slowly(String pattern, String text) {
    if (pattern.isEmpty()) {
      return text.isEmpty();
    }
    if (pattern.charAt(0) == '*') {
      return slowly(pattern.substring(1), text)
          || !text.isEmpty() && slowly(pattern, text.substring(1));
    }
    return !text.isEmpty()
        && (pattern.charAt(0) == '?' || pattern.charAt(0) == text.charAt(0))
        && slowly(pattern.substring(1), text.substring(1));
  }

  @Test
  void agreesWithTheObviousRecursionOnRandomPatterns() {
    SplittableRandom random = new SplittableRandom(7);
    int matched = 0;
    for (int i = 0; i < 20_000; i++) {
      String pattern = random(random, "ab*?", 6);
      String text = random(random, "ab", 8);
      boolean expected = slowly(pattern, text);
      matched += expected ? 1 : 0;
      assertEquals(expected, new Glob(bytes(pattern)).matches(bytes(text)), pattern + " " + text);
    }
    assertTrue(matched > 1000, "few matches: " + matched);
  }

  private static String random(SplittableRandom random, String alphabet, int most) {
    StringBuilder text = new StringBuilder();
    for (int n = random.nextInt(most + 1); n > 0; n--) {
      text.append(alphabet.charAt(random.nextInt(alphabet.length())));
    }
    return text.toString();
  }
}
