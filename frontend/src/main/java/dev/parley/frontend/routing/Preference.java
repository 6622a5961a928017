package dev.parley.frontend.routing;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;

/// The order in which replicas are tried: better standing first, and among equals the preferred.
public final class Preference {
  private Preference() {}

  /// For a conversation: rendezvous order among equals.
  public static List<String> sticky(
      String key, List<String> members, Function<String, Standing> standing) {
    return byStanding(Rendezvous.order(key, members), standing);
  }

  /// For the rest: round robin among equals, `turn` counting requests.
  public static List<String> spread(
      int turn, List<String> members, Function<String, Standing> standing) {
    var ordered = new ArrayList<>(byStanding(members, standing));
    if (ordered.isEmpty()) {
      return ordered;
    }
    var best = standing.apply(ordered.getFirst());
    int peers = (int) ordered.stream().filter(m -> standing.apply(m) == best).count();
    // Only the leading equals are rotated, so that the turn falls evenly on those in use.
    Collections.rotate(ordered.subList(0, peers), -Math.floorMod(turn, peers));
    return List.copyOf(ordered);
  }

  private static List<String> byStanding(
      List<String> members, Function<String, Standing> standing) {
    return members.stream().sorted(Comparator.comparing(standing)).toList();
  }
}
