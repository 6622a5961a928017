package dev.parley.kv.core;

import org.jspecify.annotations.Nullable;

/// The number of one attempt to decide a key. A ballot is made once, by one node in one boot, and
/// carries at most one value for ever.
public record Ballot(long counter, String node, long boot) implements Comparable<Ballot> {

  /// Below every ballot that was ever proposed: nothing promised, nothing accepted.
  public static final Ballot ZERO = new Ballot(0, "", 0);

  /// Above every ballot with this counter, below every one with the next. Node ids are made of
  /// letters, digits, dots, dashes and underscores, which all sort below the tilde.
  public static Ballot top(long counter) {
    return new Ballot(counter, "~", Long.MAX_VALUE);
  }

  static Ballot max(Ballot a, Ballot b) {
    return a.compareTo(b) >= 0 ? a : b;
  }

  @Override
  public int compareTo(Ballot other) {
    int order = Long.compare(counter, other.counter);
    if (order == 0) {
      order = node.compareTo(other.node);
    }
    return order == 0 ? Long.compare(boot, other.boot) : order;
  }

  /// As the record would have it, without the method handles that it is made of otherwise: ballots
  /// are compared several times for every message.
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Ballot(var otherCounter, var otherNode, var otherBoot)
        && counter == otherCounter
        && boot == otherBoot
        && node.equals(otherNode);
  }

  @Override
  public int hashCode() {
    return (31 * Long.hashCode(counter) + Long.hashCode(boot)) * 31 + node.hashCode();
  }

  @Override
  public String toString() {
    return counter + "." + node + "." + boot;
  }
}
