package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AvailabilityTest {

  private static final List<Layout.Group> ONE = List.of(new Layout.Group("default", List.of()));

  private static List<Layout.Member> members(int count, int firstOfCatalogue) {
    List<Layout.Member> members = new ArrayList<>();
    for (int i = 1; i <= count; i++) {
      String group = i < firstOfCatalogue ? "default" : "catalogue";
      members.add(new Layout.Member("kv-" + i, "http://kv-" + i, 100, null, group));
    }
    return members;
  }

  private static Availability only(Layout layout, String... gone) {
    Set<String> silent = Set.of(gone);
    List<Availability> all = Availability.of(layout, id -> !silent.contains(id));
    assertEquals(1, all.size());
    return all.getFirst();
  }

  @Test
  void ofThreeNodesOneMayFailAndTwoStopAll() {
    Layout three = Layout.initial(members(3, 9), ONE);
    assertEquals(
        new Availability("default", List.of(), 256, 2, 0, 0, 0), only(three)); // Nothing to say.
    assertEquals(new Availability("default", List.of(), 256, 2, 0, 256, 0), only(three, "kv-2"));
    assertEquals(
        new Availability("default", List.of(), 256, 2, 256, 0, 0), only(three, "kv-2", "kv-3"));
  }

  @Test
  void aSingleNodeIsNotAtRiskOfAnythingNew() {
    Layout single = Layout.of(List.of("kv-1"));
    assertEquals(new Availability("default", List.of(), 256, 1, 0, 256, 0), only(single));
  }

  @Test
  void ofSixNodesTwoFailuresStopThePartitionsThatBothHold() {
    Layout six = Layout.initial(members(6, 9), ONE);
    int both = 0;
    int either = 0;
    for (Replicas each : six.partitions()) {
      boolean first = each.all().contains("kv-1");
      boolean second = each.all().contains("kv-2");
      both += first && second ? 1 : 0;
      either += first ^ second ? 1 : 0;
    }
    assertTrue(both > 0);
    assertEquals(
        new Availability("default", List.of(), 256, 2, both, either, 0), only(six, "kv-1", "kv-2"));
  }

  @Test
  void aGroupIsJudgedByItsOwnNodes() {
    List<Layout.Group> groups =
        List.of(
            new Layout.Group("default", List.of()),
            new Layout.Group("catalogue", List.of("backends")));
    Layout six = Layout.initial(members(6, 4), groups);
    Set<String> silent = Set.of("kv-4", "kv-5");
    assertEquals(
        List.of(
            new Availability("default", List.of(), 256, 2, 0, 0, 0),
            new Availability("catalogue", List.of("backends"), 256, 2, 256, 0, 0)),
        Availability.of(six, id -> !silent.contains(id)));
  }

  @Test
  void aPartitionThatMovesNeedsBothItsOldAndItsNewNodes() {
    Layout three = Layout.initial(members(3, 9), ONE);
    List<Layout.Member> later = new ArrayList<>(members(6, 9).subList(3, 6));
    Layout joint = three.toward(later);
    assertEquals(256, only(joint, "kv-5").withoutSpare());
    assertEquals(256, only(joint, "kv-5", "kv-6").stopped());
    assertEquals(256, only(joint, "kv-1", "kv-2").stopped());
    assertEquals(256, only(joint, "kv-1", "kv-5").withoutSpare());
  }
}
