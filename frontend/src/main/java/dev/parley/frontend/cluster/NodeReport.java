package dev.parley.frontend.cluster;

import java.util.List;

/// What asking one storage node for its view of the cluster gave.
public sealed interface NodeReport {

  /// Name or address of the node asked.
  String name();

  /// It answered.
  ///
  /// @param reachable how many members it can reach, itself included
  /// @param serves how much of the data it can read and change, as far as it knows
  /// @param copies on how many disks everything acknowledged is at least
  /// @param atRisk what it says is at risk now, one sentence each
  record Answered(
      String name, String clusterId, int reachable, Serves serves, int copies, List<String> atRisk)
      implements NodeReport {}

  /// How much of the data can be read and changed.
  enum Serves {
    ALL,
    SOME,
    NOTHING
  }

  /// It did not answer.
  record Silent(String name) implements NodeReport {}
}
