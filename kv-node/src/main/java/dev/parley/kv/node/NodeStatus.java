package dev.parley.kv.node;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a node knew of itself and its peers a moment ago, readable from any thread.
///
/// @param waitsFor why this node does not take part, or null if it does
/// @param keys keys with a value on this node
/// @param liveBytes about what their values take in memory
public record NodeStatus(
    List<Member> members,
    long epoch,
    @Nullable String waitsFor,
    int needed,
    int reachable,
    long keys,
    int tombstones,
    long liveBytes,
    long logBytes,
    long diskFreeBytes,
    boolean full,
    long rounds,
    long warm,
    long conflicts,
    long hedges,
    long replays,
    long identities,
    long purges,
    long expirations) {

  /// @param lastSeenMillisAgo -1 if it was never seen
  public record Member(String id, String url, boolean reachable, long lastSeenMillisAgo) {}

  /// Before the node has started.
  static final NodeStatus UNKNOWN =
      new NodeStatus(
          List.of(), 0, "it is starting", 1, 0, 0, 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0, 0, 0);

  public NodeStatus {
    members = List.copyOf(members);
  }

  /// Whether this node takes part and a majority can be reached.
  public boolean hasQuorum() {
    return waitsFor == null && reachable >= needed;
  }
}
