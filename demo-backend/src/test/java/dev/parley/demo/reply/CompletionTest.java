package dev.parley.demo.reply;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CompletionTest {
  private static final int NO_LIMIT = Integer.MAX_VALUE;
  private static final String ANSWER = "好！\n\n「一心一意」（yī xīn yī yì）, then words 12345 😀。";

  @Test
  void continuesAPrefillExactlyFromEveryPlace() {
    for (int cut = 0; cut <= ANSWER.length(); cut++) {
      String prefill = ANSWER.substring(0, cut);
      assertEquals(ANSWER, prefill + Completion.of(ANSWER, prefill, List.of(), NO_LIMIT).text());
    }
  }

  @Test
  void givesTheWholeAnswerAsANewParagraphToAForeignPrefill() {
    assertEquals(
        "\n\n" + ANSWER, Completion.of(ANSWER, "Something else", List.of(), NO_LIMIT).text());
  }

  @Test
  void stopsBeforeTheFirstStopSequence() {
    Completion completion = Completion.of("1\n2\n3", "", List.of("3", "\n2"), NO_LIMIT);
    assertEquals("1", completion.text());
    assertEquals("stop", completion.finishReason());
  }

  @Test
  void saysLengthOnlyWhenTokensAreLeft() {
    int tokens = Tokens.count(ANSWER);
    assertTrue(Completion.of(ANSWER, "", List.of(), tokens - 1).cutByLimit());
    assertFalse(Completion.of(ANSWER, "", List.of(), tokens).cutByLimit());
    assertEquals(tokens, Completion.of(ANSWER, "", List.of(), NO_LIMIT).tokens());
  }

  @Test
  void tokensAreTheTextAndNeverHalfACharacter() {
    var random = new Random(5);
    for (int i = 0; i < 500; i++) {
      String text =
          random
              .ints(random.nextInt(40), 0, 6)
              .collect(
                  StringBuilder::new,
                  (built, kind) ->
                      built.append(List.of("字", "😀", "word", " ", "\n", "𠀀").get(kind)),
                  StringBuilder::append)
              .toString();
      var joined = new StringBuilder();
      for (int at = 0; at < text.length(); ) {
        int end = Tokens.end(text, at);
        String token = text.substring(at, end);
        assertFalse(Character.isLowSurrogate(token.charAt(0)), text);
        assertFalse(Character.isHighSurrogate(token.charAt(token.length() - 1)), text);
        joined.append(token);
        at = end;
      }
      assertEquals(text, joined.toString());
    }
  }
}
