package dev.parley.chat.conversation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Instant;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ConversationPartsTest {

  @Test
  void aSequenceNumberIsOrdinalAndPositionAndKeepsTheirOrder() {
    assertEquals(2L * (1 << 24) + 7, new Seq(2, 7).value());
    Random random = new Random(3);
    for (int i = 0; i < 10_000; i++) {
      Seq one = new Seq(random.nextInt(1 << 20), random.nextInt(1 << 24));
      Seq two = new Seq(random.nextInt(1 << 20), random.nextInt(1 << 24));
      assertEquals(one, Seq.of(one.value()));
      int byParts =
          one.ordinal() != two.ordinal()
              ? Integer.compare(one.ordinal(), two.ordinal())
              : Integer.compare(one.position(), two.position());
      assertEquals(byParts, Integer.signum(one.compareTo(two)));
    }
    assertTrue(new Seq(1, Seq.FINAL).isFinal());
    assertThrows(IllegalArgumentException.class, () -> Seq.of(-1));
    assertThrows(IllegalArgumentException.class, () -> Seq.of(Long.MAX_VALUE));
  }

  @Test
  void aGrowingTextNeverEndsInHalfACharacter() {
    LiveText text = new LiveText();
    text.append("a\uD83D");
    assertEquals("a", text.toString());
    text.append("\uDE00b");
    assertEquals("a😀b", text.toString());
    assertEquals("b", text.from(3));
  }

  @Test
  void aRepeatedTextIsSwallowedAndWhatFollowsIsPassedOn() {
    for (int seed = 0; seed < 2_000; seed++) {
      Random random = new Random(seed);
      String known = "abcdefghij".substring(0, random.nextInt(10));
      String told = known + "KLM";
      PrefixFilter filter = new PrefixFilter(known);
      StringBuilder passed = new StringBuilder();
      int at = 0;
      while (at < told.length()) {
        int n = 1 + random.nextInt(told.length() - at);
        passed.append(filter.accept(told.substring(at, at + n)));
        at += n;
      }
      assertEquals("KLM", passed.toString());
      assertTrue(filter.caughtUp() && !filter.diverged());
    }
  }

  @Test
  void atTheFirstDifferenceNothingIsPassedOnAnyMore() {
    PrefixFilter filter = new PrefixFilter("abc");
    assertEquals("", filter.accept("ab"));
    assertEquals("", filter.accept("X"));
    assertTrue(filter.diverged());
    assertEquals("", filter.accept("cd"));
    assertFalse(filter.caughtUp());
  }

  @Test
  void turnsTakeTheNextOrdinalsAndAreKnownByTheirClientId() {
    Instant now = Instant.EPOCH;
    Conversation empty =
        Conversation.create("c", null, null, null, Parameters.NONE, false, "local", now);
    Conversation one = empty.withTurn("k1", "u1", "a1", "What is  love?", 0, now);
    assertEquals("What is love?", one.title());
    assertEquals(3, one.nextOrdinal());
    Conversation two = one.withRegeneration("k2", "a2", 2, now);
    assertEquals("a2", two.supersededBy(2));
    assertNull(two.supersededBy(3));
    assertNull(two.supersededBy(1));
    Conversation three = two.withTurn("k3", "u3", "a3", "other", 1, now);
    assertEquals("u3", three.supersededBy(1));
    assertEquals("u3", three.supersededBy(2));
    assertEquals("u3", three.supersededBy(3));
    assertNull(three.supersededBy(4));
    assertEquals(4, three.turn("k3").orElseThrow().userOrdinal());
    assertEquals("What is love?", three.title());
  }

  @Test
  void aLongFirstMessageGivesAShortTitle() {
    Conversation conversation =
        Conversation.create("c", null, null, null, Parameters.NONE, false, "local", Instant.EPOCH)
            .withTurn("k", "u", "a", "word ".repeat(40), 0, Instant.EPOCH);
    assertTrue(conversation.title().length() <= 61, conversation.title());
    assertTrue(conversation.title().endsWith("word…"), conversation.title());
  }

  @Test
  void halfACharacterWhoseOtherHalfNeverCameIsDropped() {
    LiveText text = new LiveText();
    text.append("a\uD83D");
    text.append("\uD83D\uDE00b");
    assertEquals("a😀b", text.toString());
  }

  @Test
  void theLengthAsJsonIsNeverUnderestimated() throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    Random random = new Random(5);
    String[] parts = {"a", "\"", "\\", "\n", "\u0001", "é", "马", "😀", "\u2028", "\u007f"};
    for (int i = 0; i < 2_000; i++) {
      LiveText text = new LiveText();
      for (int n = random.nextInt(8); n >= 0; n--) {
        text.append(parts[random.nextInt(parts.length)]);
      }
      int written = mapper.writeValueAsBytes(text.toString()).length - 2;
      assertTrue(written <= text.jsonBytes(), () -> text + ": " + written);
    }
  }

  @Test
  void aTextGrowsInWholeCharactersUpToItsLimit() {
    LiveText text = new LiveText();
    assertTrue(text.appendWithin("ab", 20));
    assertFalse(text.appendWithin("马😀😀", 20));
    assertEquals("ab马😀", text.toString());
    assertEquals(17, text.jsonBytes());
    assertFalse(text.appendWithin("😀", 20));
    assertEquals("ab马😀", text.toString());
  }
}
