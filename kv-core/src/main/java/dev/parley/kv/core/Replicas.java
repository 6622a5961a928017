package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The nodes that hold one partition in one epoch.
///
/// While the partition moves, the set is *joint*: every quorum, that of a read included, is then a
/// majority of the old nodes and a majority of the new ones. The idea is that of vertical Paxos
/// (Lamport, Malkhi, Zhou, 2009) and of Raft's joint consensus.
public final class Replicas {

  private final List<String> current;
  private final List<String> next;
  private final List<String> all;

  private Replicas(List<String> current, List<String> next) {
    this.current = List.copyOf(current);
    this.next = List.copyOf(next);
    List<String> union = new ArrayList<>(current);
    for (String id : next) {
      if (!union.contains(id)) {
        union.add(id);
      }
    }
    this.all = List.copyOf(union);
  }

  /// A partition that stays where it is.
  public static Replicas stable(List<String> ids) {
    return new Replicas(ids, List.of());
  }

  /// A partition on its way from `current` to `next`.
  public static Replicas joint(List<String> current, List<String> next) {
    return new Replicas(current, next);
  }

  /// The nodes that hold it now.
  public List<String> current() {
    return current;
  }

  /// The nodes it moves to; empty if it stays.
  public List<String> next() {
    return next;
  }

  /// Every node that is asked.
  public List<String> all() {
    return all;
  }

  /// Whether the partition is moving.
  public boolean joint() {
    return !next.isEmpty();
  }

  /// The nodes that hold it once it has moved.
  List<String> goal() {
    return joint() ? next : current;
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Replicas that && current.equals(that.current) && next.equals(that.next);
  }

  @Override
  public int hashCode() {
    return 31 * current.hashCode() + next.hashCode();
  }

  @Override
  public String toString() {
    return joint() ? current + "->" + next : current.toString();
  }
}
