package dev.parley.kv.node;

import java.util.List;

/// What a node knew of itself and its peers a moment ago, readable from any thread.
///
/// @param keys keys with a value on this node
/// @param liveBytes about what their values take in memory
public record NodeStatus(
    List<Member> members,
    int needed,
    int reachable,
    long keys,
    long liveBytes,
    long logBytes,
    long diskFreeBytes,
    boolean full,
    long rounds,
    long conflicts,
    long hedges,
    long replays,
    long identities) {

  /// @param lastSeenMillisAgo -1 if it was never seen
  public record Member(String id, String url, boolean reachable, long lastSeenMillisAgo) {}

  /// Before the node has started.
  static final NodeStatus UNKNOWN =
      new NodeStatus(List.of(), 1, 0, 0, 0, 0, 0, false, 0, 0, 0, 0, 0);

  public NodeStatus {
    members = List.copyOf(members);
  }

  /// Whether a majority can be reached.
  public boolean hasQuorum() {
    return reachable >= needed;
  }
}
