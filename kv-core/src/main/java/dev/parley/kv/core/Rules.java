package dev.parley.kv.core;

import java.util.Collection;
import java.util.List;
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

  /// Whether `voters` are enough: a majority of the replicas, and while the partition moves also
  /// one of those it moves to.
  boolean quorum(Replicas replicas, Collection<String> voters) {
    return enough(replicas, voters, false);
  }

  /// Like [#quorum], for replicas that report the same accepted ballot.
  boolean readQuorum(Replicas replicas, Collection<String> voters) {
    return enough(replicas, voters, true);
  }

  private boolean enough(Replicas replicas, Collection<String> voters, boolean read) {
    return enough(replicas.current(), voters, read)
        && (!countsNext() || !replicas.joint() || enough(replicas.next(), voters, read));
  }

  private boolean enough(List<String> replicas, Collection<String> voters, boolean read) {
    int count = 0;
    for (String id : replicas) {
      count += voters.contains(id) ? 1 : 0;
    }
    int size = replicas.size();
    return count >= (read ? readQuorum(size) : majority(size));
  }

  /// Whether a moving partition needs a majority of the new replicas as well: always.
  boolean countsNext() {
    return true;
  }

  /// Whether the pages of `repliers` show every key that a moving partition holds: those of a
  /// majority of the nodes it moves from do, for each of its keys was accepted by one.
  boolean listed(Replicas replicas, Collection<String> repliers) {
    return enough(replicas.current(), repliers, false);
  }

  /// Whether the keys of a moving partition are brought to its new nodes: always.
  boolean transfers() {
    return true;
  }

  /// Above which counter the new nodes of a partition must make new keys, given what the old ones
  /// promised. A value that only one of them accepted, and that no majority lists, stays behind at
  /// that node; a key made anew by the others must outrank it.
  long floorOfMove(long bound) {
    return bound;
  }

  /// Whether the tombstone is held by enough replicas to be purged: it must be all, for one that
  /// kept an older value would bring it back.
  boolean purgeable(Replicas replicas, Collection<String> holders) {
    return !replicas.joint() && holders.containsAll(replicas.all());
  }

  /// The floor of a partition after a tombstone left it.
  long floorAfterPurge(long floor, Ballot accepted, long version, Ballot promised) {
    return Math.max(Math.max(floor, accepted.counter()), Math.max(version, promised.counter()));
  }

  /// Whether a request of this epoch may be served in that of the replica.
  boolean sameEpoch(long request, long replica) {
    return request == replica;
  }

  /// From how many of the other members a node must have heard that its start is the latest they
  /// know, before it takes part: without them it has no quorum anyway.
  int introductions(int members) {
    return majority(members) - 1;
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

  /// Whether the promise that comes along with an Accept may be given although that Accept was
  /// answered before.
  ///
  /// @param next [Ballot#ZERO] if none is asked for
  boolean mayPromiseNext(Ballot effective, Ballot next) {
    return !next.equals(Ballot.ZERO) && next.compareTo(effective) >= 0;
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

  /// Whether the next ballot may skip its first phase.
  ///
  /// @param promised the replicas that both accepted and promised it, each in answer to the very
  ///     Accept that asked
  boolean mayGoOn(Replicas replicas, Collection<String> promised) {
    return quorum(replicas, promised);
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
