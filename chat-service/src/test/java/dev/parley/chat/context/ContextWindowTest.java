package dev.parley.chat.context;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ContextWindowTest {

  private static Turn turn(String role, int tokens) {
    return new Turn(role, role + tokens, tokens, false);
  }

  @Test
  void everythingIsKeptWhenItFits() {
    List<Turn> turns = List.of(turn("user", 5), turn("assistant", 5), turn("user", 5));
    ContextWindow.Fitted fitted = ContextWindow.fit(10, turns, 100);
    assertEquals(turns, fitted.turns());
    assertEquals(3 + 14 + 27, fitted.tokens());
    assertEquals(0, fitted.dropped());
  }

  @Test
  void theOldestExchangeGoesFirstAndGoesWhole() {
    List<Turn> turns = List.of(turn("user", 5), turn("assistant", 500), turn("user", 6));
    ContextWindow.Fitted fitted = ContextWindow.fit(0, turns, 100);
    assertEquals(List.of(turn("user", 6)), fitted.turns());
    assertEquals(2, fitted.dropped());
  }

  @Test
  void whatIsPinnedStays() {
    Turn pinned = new Turn("user", "keep", 20, true);
    List<Turn> turns = List.of(pinned, turn("assistant", 1), turn("user", 90), turn("user", 10));
    assertEquals(
        List.of(pinned, turn("assistant", 1), turn("user", 10)),
        ContextWindow.fit(0, turns, 60).turns());
  }

  @Test
  void theNewestQuestionIsShownHoweverLong() {
    List<Turn> turns = List.of(turn("user", 5), turn("user", 5_000));
    assertEquals(List.of(turn("user", 5_000)), ContextWindow.fit(0, turns, 100).turns());
  }

  @Test
  void onRandomConversationsNothingIsOrphanedAndTheBudgetHolds() {
    for (int seed = 0; seed < 5_000; seed++) {
      Random random = new Random(seed);
      List<Turn> turns = new ArrayList<>();
      String[] roles = {"user", "assistant", "tool"};
      int size = random.nextInt(30);
      for (int i = 0; i < size; i++) {
        turns.add(
            new Turn(
                roles[random.nextInt(3)],
                "t" + i,
                1 + random.nextInt(60),
                random.nextInt(15) == 0));
      }
      turns.add(turn("user", 7));
      int limit = 20 + random.nextInt(600);
      ContextWindow.Fitted fitted = ContextWindow.fit(random.nextInt(20), turns, limit);
      String where = "seed " + seed;
      assertEquals("user", fitted.turns().getFirst().role(), where);
      assertEquals(turns.getLast(), fitted.turns().getLast(), where);
      assertEquals(turns.size(), fitted.turns().size() + fitted.dropped(), where);
      boolean pins = fitted.turns().stream().anyMatch(Turn::pinned);
      assertTrue(fitted.tokens() <= limit || pins || onlyNewest(fitted), where);
      // What is kept is kept in order, and an answer only directly after what it followed.
      int at = -1;
      for (Turn kept : fitted.turns()) {
        int next = turns.indexOf(kept);
        assertTrue(next > at, where);
        assertTrue(kept.role().equals("user") || next == at + 1, where);
        at = next;
      }
    }
  }

  private static boolean onlyNewest(ContextWindow.Fitted fitted) {
    return fitted.turns().stream().filter(turn -> turn.role().equals("user")).count() == 1;
  }

  @Test
  void tokensOfALongTextAreCountedAlikeWholeAndInPieces() {
    TokenCounter counter = new BpeTokenCounter();
    assertEquals(0, counter.count(""));
    assertEquals(2, counter.count("hello world"));
    int one = counter.count("成语接龙 is a game. ");
    int many = counter.count("成语接龙 is a game. ".repeat(1_000));
    assertTrue(Math.abs(many - 1_000 * one) <= 1_000, many + " against " + one);
  }
}
