package dev.parley.kv.node.http;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.parley.kv.core.Availability;
import dev.parley.kv.core.Counters;
import dev.parley.kv.node.NodeStatus;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// What is at risk, in sentences.
class ClusterRouteTest {

  private static List<String> atRisk(int members, List<String> gone, Availability... groups) {
    List<NodeStatus.Member> all =
        IntStream.rangeClosed(1, members)
            .mapToObj(i -> "kv-" + i)
            .map(
                id ->
                    new NodeStatus.Member(
                        id, "http://" + id, !gone.contains(id), 0, "default", 100, false, 0))
            .toList();
    NodeStatus.Change none = new NodeStatus.Change(false, null, List.of(), false);
    int reachable = members - gone.size();
    return ClusterRoute.atRisk(
        new NodeStatus(
            all,
            1,
            null,
            members / 2 + 1,
            reachable,
            List.of(groups),
            0,
            0,
            0,
            0,
            0,
            0,
            false,
            new Counters(),
            none));
  }

  private static Availability group(String name, int stopped, int edge, int fewer) {
    return new Availability(name, List.of(), 256, 2, stopped, edge, fewer);
  }

  @Test
  void nothingIsAtRiskWhenAllAnswer() {
    assertEquals(List.of(), atRisk(3, List.of(), group("default", 0, 0, 0)));
  }

  @Test
  void fewNodesAreARiskAlthoughAllAnswer() {
    assertEquals(
        List.of("The data has no second copy: if its node or disk is lost, so is the data."),
        atRisk(1, List.of(), new Availability("default", List.of(), 256, 1, 0, 256, 0)));
    assertEquals(
        List.of(
            "If one node fails, reads and writes stop until it is back: three nodes can do without"
                + " one."),
        atRisk(2, List.of(), group("default", 0, 256, 0)));
    assertEquals(
        List.of(
            "The data of the group b has no second copy: if its node or disk is lost, so is the"
                + " data."),
        atRisk(
            4,
            List.of(),
            group("default", 0, 0, 0),
            new Availability("b", List.of("x"), 256, 1, 0, 256, 0)));
  }

  @Test
  void oneOfThreeIsGone() {
    assertEquals(
        List.of(
            "kv-2 does not answer: everything still works, but if one more node fails, reads and"
                + " writes may stop until it is back."),
        atRisk(3, List.of("kv-2"), group("default", 0, 256, 0)));
  }

  @Test
  void twoOfThreeAreGone() {
    assertEquals(
        List.of(
            "kv-2 and kv-3 do not answer: without a majority, reads and writes are refused until"
                + " enough nodes are back. Nothing that was acknowledged is lost.",
            "kv-2 and kv-3 do not answer: members are neither added nor removed until a majority of"
                + " all nodes is back."),
        atRisk(3, List.of("kv-2", "kv-3"), group("default", 256, 0, 0)));
  }

  @Test
  void someOfManyAreGone() {
    assertEquals(
        List.of(
            "kv-1, kv-2 and kv-3 do not answer: without a majority, reads and writes of 40 of 256"
                + " partitions are refused until enough nodes are back. Nothing that was"
                + " acknowledged is lost."),
        atRisk(7, List.of("kv-1", "kv-2", "kv-3"), group("default", 40, 100, 0)));
    assertEquals(
        List.of(
            "kv-1 does not answer: everything still works, but if one more node fails, reads and"
                + " writes of 128 of 256 partitions may stop until it is back."),
        atRisk(6, List.of("kv-1"), group("default", 0, 128, 0)));
  }

  /// Seen by hand: two of three nodes of one group were gone, and everything was said to work.
  @Test
  void aGroupThatStoppedIsNamed() {
    assertEquals(
        List.of(
            "kv-4 and kv-5 do not answer: without a majority, reads and writes in the group"
                + " catalogue are refused until enough nodes are back. Nothing that was"
                + " acknowledged is lost."),
        atRisk(
            6, List.of("kv-4", "kv-5"), group("default", 0, 0, 0), group("catalogue", 256, 0, 0)));
  }

  @Test
  void aNodeThatHoldsNothingIsGone() {
    assertEquals(
        List.of("kv-6 does not answer: all data still has all its copies."),
        atRisk(6, List.of("kv-6"), group("default", 0, 0, 0)));
  }
}
