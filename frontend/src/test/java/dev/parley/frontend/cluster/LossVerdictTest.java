package dev.parley.frontend.cluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.frontend.cluster.LossVerdict.Level;
import dev.parley.frontend.cluster.NodeReport.Answered;
import dev.parley.frontend.cluster.NodeReport.Serves;
import dev.parley.frontend.cluster.NodeReport.Silent;
import java.util.List;
import org.junit.jupiter.api.Test;

class LossVerdictTest {

  @Test
  void allNodesAnsweringIsSafe() {
    var verdict = LossVerdict.of(List.of(node("kv-1", 3), node("kv-2", 3), node("kv-3", 3)));
    assertTrue(verdict.safe());
    assertEquals(Level.OK, verdict.level());
    assertTrue(verdict.sentence().contains("at least 2 disks"));
  }

  @Test
  void moreNodesDoNotMakeMoreCopies() {
    var verdict =
        LossVerdict.of(
            List.of(node("a", 5), node("b", 5), node("c", 5), node("d", 5), node("e", 5)));
    assertTrue(verdict.sentence().contains("at least 2 disks"), verdict.sentence());
  }

  @Test
  void aGroupWithoutAMajorityIsDangerAlthoughMostNodesAnswer() {
    var some = node("kv-1", 4, Serves.SOME);
    var verdict = LossVerdict.of(List.of(some, some, some, new Silent("kv-4"), new Silent("kv-5")));
    assertFalse(verdict.safe());
    assertEquals("partly-stopped", verdict.reason());
    assertEquals(Level.DANGER, verdict.level());
  }

  @Test
  void oneSilentNodeIsSafeButLeavesNoSpareAndIsNamed() {
    var verdict = LossVerdict.of(List.of(node("kv-1", 2), new Silent("kv-2"), node("kv-3", 2)));
    assertTrue(verdict.safe());
    assertEquals("no-spare", verdict.reason());
    assertTrue(verdict.sentence().contains("kv-2"));
  }

  @Test
  void aMinorityIsDanger() {
    var verdict = LossVerdict.of(List.of(node("kv-1", 1), new Silent("kv-2"), new Silent("kv-3")));
    assertFalse(verdict.safe());
    assertEquals("no-quorum", verdict.reason());
    assertEquals(Level.DANGER, verdict.level());
  }

  @Test
  void nodesThatAllAnswerUsButNotEachOtherHaveNoQuorum() {
    var verdict = LossVerdict.of(List.of(node("kv-1", 1), node("kv-2", 1), node("kv-3", 1)));
    assertEquals("no-quorum", verdict.reason());
  }

  @Test
  void silenceOfAllIsDanger() {
    assertEquals("no-answer", LossVerdict.of(List.of(new Silent("kv-1"))).reason());
  }

  @Test
  void aRiskTheNodesReportIsNeverCalledSafe() {
    var risky = new Answered("kv-1", "parley", 3, Serves.ALL, 2, List.of("disk is nearly full"));
    var verdict = LossVerdict.of(List.of(risky, node("kv-2", 3), node("kv-3", 3)));
    assertFalse(verdict.safe());
    assertEquals("at-risk", verdict.reason());
  }

  @Test
  void nodesOfTwoClustersAreDanger() {
    var stranger = new Answered("kv-3", "other", 3, Serves.ALL, 2, List.of());
    var verdict = LossVerdict.of(List.of(node("kv-1", 3), node("kv-2", 3), stranger));
    assertEquals("mixed-clusters", verdict.reason());
  }

  private static NodeReport node(String name, int reachable) {
    return node(name, reachable, reachable < 2 ? Serves.NOTHING : Serves.ALL);
  }

  private static NodeReport node(String name, int reachable, Serves serves) {
    return new Answered(name, "parley", reachable, serves, 2, List.of());
  }
}
