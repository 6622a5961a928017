package dev.parley.kv.core;

import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/// How many partitions of one group can be used while some nodes cannot be reached. The last three
/// numbers exclude each other; all other partitions have every replica, and one to spare.
///
/// @param keyspaces what the group holds; empty for the first group, which holds all others
/// @param partitions how many it has
/// @param acknowledged the fewest replicas that have an acknowledged write on their disks
/// @param stopped partitions without a majority: they are neither read nor written
/// @param withoutSpare partitions that stop when one more of their replicas fails: all of a group
///     that has less than three nodes
/// @param fewerCopies partitions that lack a replica, but not the next one either
public record Availability(
    String group,
    List<String> keyspaces,
    int partitions,
    int acknowledged,
    int stopped,
    int withoutSpare,
    int fewerCopies) {

  public Availability {
    keyspaces = List.copyOf(keyspaces);
  }

  /// Of all groups of the layout.
  public static List<Availability> of(Layout layout, Predicate<String> reachable) {
    return IntStream.range(0, layout.groups().size())
        .mapToObj(
            group ->
                of(
                    layout.groups().get(group),
                    layout
                        .partitions()
                        .subList(group * Layout.PARTITIONS, (group + 1) * Layout.PARTITIONS),
                    reachable))
        .toList();
  }

  private static Availability of(
      Layout.Group group, List<Replicas> partitions, Predicate<String> reachable) {
    int acknowledged = Integer.MAX_VALUE;
    int stopped = 0;
    int withoutSpare = 0;
    int fewerCopies = 0;
    for (Replicas each : partitions) {
      acknowledged = Math.min(acknowledged, majority(each.current()));
      int spare = spare(each, reachable);
      stopped += spare < 0 ? 1 : 0;
      withoutSpare += spare == 0 ? 1 : 0;
      fewerCopies += spare > 0 && !each.all().stream().allMatch(reachable) ? 1 : 0;
    }
    return new Availability(
        group.name(),
        group.keyspaces(),
        partitions.size(),
        acknowledged,
        stopped,
        withoutSpare,
        fewerCopies);
  }

  /// How many replicas can fail before there is no quorum; negative if there is none now.
  private static int spare(Replicas replicas, Predicate<String> reachable) {
    int spare = spare(replicas.current(), reachable);
    return replicas.joint() ? Math.min(spare, spare(replicas.next(), reachable)) : spare;
  }

  private static int spare(List<String> replicas, Predicate<String> reachable) {
    return (int) replicas.stream().filter(reachable).count() - majority(replicas);
  }

  private static int majority(List<String> replicas) {
    return replicas.size() / 2 + 1;
  }
}
