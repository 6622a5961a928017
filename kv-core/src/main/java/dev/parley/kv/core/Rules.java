package dev.parley.kv.core;

import java.util.Collection;
import org.jspecify.annotations.Nullable;

/// The decisions on which safety rests, each a pure function, in one place.
///
/// They are gathered here so that they can be read against the protocol, and so that a test can
/// break one at a time and see the simulator notice.
class Rules {

  /// How many of `members` make a quorum.
  int majority(int members) {
    return members / 2 + 1;
  }

  /// How many replicas must report the same accepted ballot for a read to trust it.
  int readQuorum(int members) {
    return majority(members);
  }

  /// What an acceptor must not go below, whatever it remembers.
  ///
  /// @param absent the promise held for keys without a record
  /// @param recovered the promise that stands for all those forgotten by a restart
  Ballot effectivePromise(
      Ballot promised, Ballot accepted, Ballot recovered, @Nullable Ballot absent) {
    Ballot highest = Ballot.max(Ballot.max(promised, accepted), recovered);
    return absent == null ? highest : Ballot.max(highest, absent);
  }

  boolean mayPromise(Ballot effective, Ballot ballot) {
    return ballot.compareTo(effective) > 0;
  }

  boolean mayAccept(Ballot effective, Ballot accepted, Ballot ballot) {
    return ballot.compareTo(effective) >= 0 && ballot.compareTo(accepted) > 0;
  }

  /// Whether a promise must tell of what was accepted: always.
  boolean promiseTellsAccepted() {
    return true;
  }

  /// Whether a lost ballot may be tried again with what was promised for it: never, because what
  /// is proposed then may differ.
  boolean reusesBallots() {
    return false;
  }

  /// Whether a value that no majority is known to hold is completed before a read tells of it.
  boolean completesReads() {
    return true;
  }

  /// After which record's durability a reply may leave, given the one it speaks of.
  long replyAfter(long lsn) {
    return lsn;
  }

  /// Whether a majority is known to hold the same, so that it may be answered without a write.
  boolean known(Collection<Ballot> acceptedInQuorum) {
    return acceptedInQuorum.stream().distinct().count() == 1;
  }

  /// What `op` is remembered to have done.
  Versioned.@Nullable Trace remembered(@Nullable Versioned current, OpId op) {
    return current == null ? null : current.find(op);
  }

  /// Whether the memory of operations reaches back to `base`.
  boolean memoryReaches(long base, long windowStart) {
    return base >= windowStart;
  }

  /// The register after `mutation` changed it to `version`.
  Versioned after(@Nullable Versioned before, Mutation mutation, long version, long floor) {
    return Versioned.after(before, mutation, version, floor);
  }

  /// The version a change creates.
  long nextVersion(Ballot ballot, long version, long floor) {
    return Math.max(ballot.counter(), Math.max(version + 1, floor + 1));
  }
}
