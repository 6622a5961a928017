package dev.parley.kv.core;

import org.jspecify.annotations.Nullable;

/// What an operator wants changed about the members of a running cluster.
public sealed interface MemberChange {

  /// Whether a group may end up with fewer members than [Layout#REPLICATION] that had as many.
  boolean force();

  /// A node that says hello but is no member is to become one.
  ///
  /// @param url where the others find it
  /// @param weight its share of the partitions relative to the others, in hundredths
  /// @param replacing the member that leaves in the same step, or null
  record Add(
      String id, String url, int weight, String group, @Nullable String replacing, boolean force)
      implements MemberChange {}

  /// A member is to leave.
  record Remove(String id, boolean force) implements MemberChange {}
}
