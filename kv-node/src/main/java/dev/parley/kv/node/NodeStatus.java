package dev.parley.kv.node;

import dev.parley.kv.core.Availability;
import dev.parley.kv.core.Counters;
import dev.parley.kv.core.MoveProgress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a node knew of itself and its peers a moment ago, readable from any thread.
///
/// @param waitsFor why this node does not take part, or null if it does
/// @param needed members of all groups that are needed to change the members
/// @param reachable how many can be reached, itself included
/// @param availability what can be read and written, by group
/// @param keys keys with a value on this node
/// @param liveBytes about what their values take in memory
/// @param backlogBytes of records that wait to be written to the log
/// @param full whether new values are refused
/// @param change what is known of changes of the members
public record NodeStatus(
    List<Member> members,
    long epoch,
    @Nullable String waitsFor,
    int needed,
    int reachable,
    List<Availability> availability,
    long keys,
    int tombstones,
    long liveBytes,
    long logBytes,
    long backlogBytes,
    long diskFreeBytes,
    boolean full,
    Counters counters,
    Change change) {

  /// @param lastSeenMillisAgo -1 if it was never seen
  /// @param behind partitions in which it lacks something that this node holds, or -1 if that is
  ///     not known
  public record Member(
      String id,
      String url,
      boolean reachable,
      long lastSeenMillisAgo,
      String group,
      int weight,
      boolean leaving,
      int behind) {}

  /// @param joint whether the members are being changed
  /// @param progress how far that is, if this node drives it
  /// @param candidates nodes that wait to be added
  /// @param removed whether this node was a member and is not any more
  public record Change(
      boolean joint, @Nullable MoveProgress progress, List<String> candidates, boolean removed) {

    static final Change NONE = new Change(false, null, List.of(), false);
  }

  /// Before the node has started.
  static final NodeStatus UNKNOWN =
      new NodeStatus(
          List.of(),
          0,
          "it is starting",
          1,
          0,
          List.of(),
          0,
          0,
          0,
          0,
          0,
          0,
          false,
          new Counters(),
          Change.NONE);

  public NodeStatus {
    members = List.copyOf(members);
    availability = List.copyOf(availability);
  }

  /// The most partitions that any peer lacks something of.
  public int mostBehind() {
    return members.stream().mapToInt(Member::behind).max().orElse(0);
  }

  /// Whether this node takes part, and there is something that can be read and written through it:
  /// what one group or partition lacks is no reason to send nobody here any more.
  public boolean hasQuorum() {
    return waitsFor == null
        && availability.stream().anyMatch(group -> group.stopped() < group.partitions());
  }
}
