package dev.parley.kv.node.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RefusalsTest {

  private final List<String> told = new ArrayList<>();
  private final Refusals refusals = new Refusals(told::add);

  @Test
  void tellsOfEachNodeAndReasonOnce() {
    for (int i = 0; i < 3; i++) {
      refusals.refused("kv-8", "h", "is of cluster x");
      refusals.refused("kv-9", "h", "is of cluster x");
      refusals.refused(null, "h", "wrong token");
      refusals.refused(null, "h", "version 1");
    }
    assertEquals(4, told.size());
    assertEquals("refused a node at h: is of cluster x", told.getFirst());
  }

  @Test
  void tellsAgainWhenTheReasonChangesOrTheNodeWasAcceptedMeanwhile() {
    refusals.refused("kv-9", "h", "a");
    refusals.refused("kv-9", "h", "b");
    refusals.refused("kv-9", "h", "a");
    assertEquals(3, told.size());
    refusals.accepted("kv-9");
    refusals.refused("kv-9", "h", "a");
    assertEquals(4, told.size());
  }

  @Test
  void remembersOnlySoMany() {
    for (int i = 0; i < 1000; i++) {
      refusals.refused("kv-" + i, "h", "a");
    }
    assertEquals(1000, told.size());
    refusals.refused("kv-999", "h", "a");
    assertEquals(1000, told.size());
    refusals.refused("kv-0", "h", "a");
    assertEquals(1001, told.size());
  }
}
