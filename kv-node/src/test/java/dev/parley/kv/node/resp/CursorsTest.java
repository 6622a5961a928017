package dev.parley.kv.node.resp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.Key;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class CursorsTest {

  @Test
  void aCursorKeepsItsPlaceHoweverOftenItIsUsed() {
    Cursors cursors = new Cursors(new SplittableRandom(1));
    long cursor = cursors.remember(Key.of("a"));
    assertTrue(cursor > 0);
    for (int i = 0; i < 3; i++) {
      assertEquals(Optional.of(Key.of("a")), cursors.position(cursor));
    }
    assertEquals(Optional.empty(), cursors.position(cursor + 1));
  }

  @Test
  void theLeastRecentlyUsedIsForgottenFirst() {
    Cursors cursors = new Cursors(new SplittableRandom(1));
    long used = cursors.remember(Key.of("used"));
    long unused = cursors.remember(Key.of("unused"));
    for (int i = 0; i < 4095; i++) {
      cursors.remember(Key.of("k" + i));
      cursors.position(used);
    }
    assertTrue(cursors.position(used).isPresent());
    assertEquals(Optional.empty(), cursors.position(unused));
  }
}
