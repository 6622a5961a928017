package dev.parley.kv.core;

/// What a node did since it started, for metrics.
public final class Counters {
  long rounds;
  long warm;
  long purges;
  long expirations;
  long conflicts;
  long hedges;
  long replays;
  long identities;
  long moved;
  long repaired;

  /// As they are now, for other threads.
  public Counters copy() {
    Counters copy = new Counters();
    copy.rounds = rounds;
    copy.warm = warm;
    copy.purges = purges;
    copy.expirations = expirations;
    copy.conflicts = conflicts;
    copy.hedges = hedges;
    copy.replays = replays;
    copy.identities = identities;
    copy.moved = moved;
    copy.repaired = repaired;
    return copy;
  }

  /// Ballots that were decided.
  public long rounds() {
    return rounds;
  }

  /// Those of them that needed one round trip only.
  public long warm() {
    return warm;
  }

  /// Tombstones this node had forgotten by all replicas.
  public long purges() {
    return purges;
  }

  /// Values this node deleted because their time was over.
  public long expirations() {
    return expirations;
  }

  /// Ballots lost to another coordinator or to silence.
  public long conflicts() {
    return conflicts;
  }

  /// Mutations proposed here because the key's coordinator was slow.
  public long hedges() {
    return hedges;
  }

  /// Reads that helped a half-finished write along.
  public long replays() {
    return replays;
  }

  /// Reads that needed a ballot of their own.
  public long identities() {
    return identities;
  }

  /// Keys this node moved to other nodes.
  public long moved() {
    return moved;
  }

  /// Keys that this node brought up to date, here or at a peer, because they differed.
  public long repaired() {
    return repaired;
  }
}
