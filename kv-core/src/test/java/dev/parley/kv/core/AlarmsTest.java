package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class AlarmsTest {

  private final Alarms alarms = new Alarms();

  @Test
  void alarmsRingWhenDueInTheOrderTheyWereSet() {
    List<String> rung = new ArrayList<>();
    alarms.set(20, () -> rung.add("late"));
    alarms.set(10, () -> rung.add("first"));
    alarms.set(10, () -> rung.add("second"));

    assertFalse(alarms.ring(9));
    while (alarms.ring(10)) {}

    assertEquals(List.of("first", "second"), rung);
    assertEquals(OptionalLong.of(20), alarms.nextDue());
  }

  @Test
  void patienceThatIsNotNeededLeavesNothingBehind() {
    for (int i = 0; i < 100_000; i++) {
      alarms.set(2_000_000 + i, () -> {}).cancel();
    }

    assertTrue(alarms.size() <= 64, () -> alarms.size() + " alarms are kept");
  }

  /// Against a sorted map, from which what is cancelled is removed at once.
  @Test
  void noAlarmIsLostOrRungTwiceHoweverManyAreCancelled() {
    SplittableRandom random = new SplittableRandom(7);
    TreeMap<Long, Alarms.Alarm> expected = new TreeMap<>();
    List<Long> rung = new ArrayList<>();
    List<Long> shouldRing = new ArrayList<>();
    long now = 0;
    for (long i = 0; i < 50_000; i++) {
      // No two are due at the same instant.
      long due = (now / 100_000 + 1 + random.nextLong(500)) * 100_000 + i;
      expected.put(due, alarms.set(due, () -> rung.add(due)));
      if (random.nextInt(10) < 8) {
        Long victim = expected.ceilingKey(now + random.nextLong(50_000_000));
        if (victim != null) {
          expected.remove(victim).cancel();
        }
      }
      now += random.nextLong(200_000);
      shouldRing.addAll(expected.headMap(now, true).keySet());
      expected.headMap(now, true).clear();
      while (alarms.ring(now)) {}
      assertEquals(
          expected.isEmpty() ? OptionalLong.empty() : OptionalLong.of(expected.firstKey()),
          alarms.nextDue());
    }

    assertTrue(rung.size() > 1000);
    assertEquals(shouldRing, rung);
  }
}
