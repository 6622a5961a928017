package dev.parley.frontend.cluster;

import dev.parley.frontend.cluster.NodeReport.Answered;
import dev.parley.frontend.cluster.NodeReport.Silent;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/// The answer to the first question of the cluster page: can I lose anything now?
///
/// @param safe whether one more failure loses nothing acknowledged
/// @param reason stable word for the sentence, which pages translate
/// @param sentence the answer in English
public record LossVerdict(boolean safe, Level level, String reason, String sentence) {

  /// How worried to be.
  public enum Level {
    OK,
    DEGRADED,
    DANGER;

    /// The word in the API.
    public String word() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  /// Judges from the reports of all storage nodes. The gloomiest finding wins.
  public static LossVerdict of(List<NodeReport> reports) {
    var answered =
        reports.stream().filter(Answered.class::isInstance).map(Answered.class::cast).toList();
    var silent =
        reports.stream()
            .filter(Silent.class::isInstance)
            .map(NodeReport::name)
            .collect(Collectors.joining(", "));
    int total = reports.size();
    if (answered.isEmpty()) {
      return new LossVerdict(
          false,
          Level.DANGER,
          "no-answer",
          "Nobody knows: no storage node answers. What was acknowledged is on their disks;"
              + " nothing new can be saved.");
    }
    if (answered.stream().map(Answered::clusterId).distinct().count() > 1) {
      return new LossVerdict(
          false,
          Level.DANGER,
          "mixed-clusters",
          "Yes: the storage nodes belong to different clusters.");
    }
    var serves = answered.stream().map(Answered::serves).min(Comparator.naturalOrder());
    if (serves.get() == NodeReport.Serves.NOTHING) {
      return new LossVerdict(
          false,
          Level.DANGER,
          "no-quorum",
          "Nothing acknowledged is lost, but nothing new can be saved: only %d of %d storage nodes answer."
              .formatted(answered.size(), total));
    }
    if (serves.get() == NodeReport.Serves.SOME) {
      return new LossVerdict(
          false,
          Level.DANGER,
          "partly-stopped",
          "Nothing acknowledged is lost, but some of it can be neither read nor changed: see below.");
    }
    if (total == 1) {
      return new LossVerdict(
          false,
          Level.DEGRADED,
          "single",
          "Yes: there is a single storage node, so its disk is the only copy.");
    }
    if (answered.stream().anyMatch(node -> !node.atRisk().isEmpty())) {
      return new LossVerdict(
          false, Level.DEGRADED, "at-risk", "Something is at risk now: see below.");
    }
    if (answered.size() < total) {
      return new LossVerdict(
          true,
          Level.DEGRADED,
          "no-spare",
          "No, but the next failure may stop saving: %s does not answer.".formatted(silent));
    }
    if (answered.stream().anyMatch(node -> node.reachable() < total)) {
      return new LossVerdict(
          true, Level.DEGRADED, "split", "No, but some storage nodes cannot reach each other.");
    }
    return new LossVerdict(
        true,
        Level.OK,
        "all-well",
        "No. All %d storage nodes answer, and everything acknowledged is on at least %d disks."
            .formatted(total, answered.stream().mapToInt(Answered::copies).min().orElse(0)));
  }
}
