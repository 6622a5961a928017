package dev.parley.frontend.cluster;

import java.util.List;

/// What asking one storage node for its view of the cluster gave.
public sealed interface NodeReport {

  /// Name or address of the node asked.
  String name();

  /// It answered.
  ///
  /// @param reachable how many members it can reach, itself included
  /// @param needed how many it needs for a majority
  /// @param atRisk what it says is at risk now, one sentence each
  record Answered(String name, String clusterId, int reachable, int needed, List<String> atRisk)
      implements NodeReport {}

  /// It did not answer.
  record Silent(String name) implements NodeReport {}
}
