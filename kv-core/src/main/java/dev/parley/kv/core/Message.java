package dev.parley.kv.core;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What nodes say to each other. Every request carries a call number that its reply repeats, and
/// the epoch it goes by.
public sealed interface Message {

  /// The number that ties a reply to its request.
  long call();

  /// A question, or an order.
  sealed interface Request extends Message {
    Scope scope();
  }

  /// An answer to the coordinator with that call number.
  sealed interface Reply extends Message {}

  /// The epoch of the layout that the sender goes by. A replica serves those of its own only.
  record Scope(long epoch) {}

  /// Promise to accept nothing below `ballot`, and tell what you accepted.
  ///
  /// @param known what the sender itself accepted: the value of that ballot need not be sent
  record Prepare(Scope scope, long call, Key key, Ballot ballot, Ballot known) implements Request {}

  /// @param accepted the ballot of `value`, [Ballot#ZERO] if there is none
  /// @param value null also if the sender of the Prepare knows it
  /// @param full the acceptor has no room for new values
  record Promise(long call, Ballot accepted, @Nullable Versioned value, long floor, boolean full)
      implements Reply {}

  /// Something at least as high was promised.
  record Nack(long call, Ballot promised) implements Reply {}

  /// Accept `value`, and promise to accept nothing below `next`: phase one of the ballot after this
  /// one comes along with phase two of this.
  ///
  /// @param next [Ballot#ZERO] to ask for no such promise
  record Accept(Scope scope, long call, Key key, Ballot ballot, Versioned value, Ballot next)
      implements Request {}

  /// @param next whether `next` was promised, too
  /// @param full the acceptor has no room for new values
  record Accepted(long call, Ballot ballot, boolean next, boolean full) implements Reply {}

  /// Every replica accepted the tombstone at this ballot: forget the key.
  record Purge(Scope scope, long call, Key key, Ballot ballot) implements Request {}

  record Purged(long call) implements Reply {}

  /// @param body send the value too, not only its ballot
  record Read(Scope scope, long call, Key key, boolean body) implements Request {}

  record ReadReply(long call, Ballot accepted, long version, @Nullable Versioned value, long floor)
      implements Reply {}

  /// Which bodies come with the rows of a [Scan].
  enum Bodies {
    NONE,
    ALL,
    /// Those of the keys that the replica is the first to be asked for.
    FIRST
  }

  /// @param partition rows of this partition only, in every group; -1 for all
  /// @param after rows strictly after this key, or null for the first
  /// @param limit most rows, tombstones included
  @SuppressWarnings("ArrayRecordComponent") // A message, never compared.
  record Scan(
      Scope scope,
      long call,
      int partition,
      byte[] prefix,
      @Nullable Key after,
      int limit,
      Bodies bodies)
      implements Request {}

  /// @param more whether there may be rows after the last one
  /// @param floor the floor of the partition that was asked for, the highest of all if none was
  record ScanReply(long call, List<ScanRow> rows, boolean more, long floor) implements Reply {}

  /// @param body null for a tombstone, or if bodies were not asked for
  @SuppressWarnings("ArrayRecordComponent") // A message, never compared.
  record ScanRow(
      Key key,
      Ballot accepted,
      long version,
      boolean exists,
      byte @Nullable [] body,
      long expiresAtMillis) {}

  /// What did you accept after `since`, to keys with this prefix? Answered when there is something,
  /// or with nothing after about a second.
  ///
  /// @param since a place in the receiver's log; below 0 to ask only where it ends
  @SuppressWarnings("ArrayRecordComponent") // A message, never compared.
  record Tail(Scope scope, long call, long since, byte[] prefix, int limit) implements Request {}

  /// @param rows what was accepted, and is durable, oldest first: of each key only the latest
  /// @param next all that was asked for is told up to this place
  /// @param truncated what lies right after `since` is not remembered, so nothing is told
  record TailReply(long call, List<TailRow> rows, long next, boolean truncated) implements Reply {}

  /// @param seq its place in the log of the replica that accepted it
  record TailRow(long seq, Key key, Ballot ballot, long version, boolean exists) {}

  /// Coordinate this mutation. Carried out at most once: only by the boot it is addressed to, and
  /// only if its call number was not seen before.
  record Forward(Scope scope, long call, Key key, Mutation mutation, long targetBoot)
      implements Request {}

  record ForwardReply(long call, Answer.OfWrite answer) implements Reply {}

  /// The request came from another epoch than this one, in which the replica is.
  record Stale(long call, long epoch) implements Reply {}

  /// Are you there? I am, and this is how I started.
  ///
  /// @param disk what the sender's log was created with
  /// @param nonce the random number of the sender's start
  /// @param digest what the sender's layout is summed up to, 0 while it does not know all disks
  record Ping(Scope scope, long call, OpId disk, long nonce, long digest) implements Request {}

  record Pong(long call) implements Reply {}

  /// You cannot be who you say.
  ///
  /// @param boot the start of the sender that this is about
  record Refused(long call, long boot, String reason) implements Reply {}

  /// Which layout do you know?
  record AskLayout(Scope scope, long call) implements Request {}

  /// Take this layout if it is newer than yours; say when it is on disk.
  record Install(Scope scope, long call, Layout layout) implements Request {}

  /// @param bound a counter that nothing the replica promised lies above, nor any floor of it
  record Installed(long call, long epoch, long bound) implements Reply {}

  /// Raise the floor of every partition that is moving.
  record Raise(Scope scope, long call, long floor) implements Request {}

  record Raised(long call) implements Reply {}

  /// Sum up what you accepted, by partition or by leaf of one.
  ///
  /// @param partition -1 for one number of every partition
  record Digest(Scope scope, long call, int partition) implements Request {}

  @SuppressWarnings("ArrayRecordComponent") // A message, never compared.
  record DigestReply(long call, long[] hashes) implements Reply {}

  /// Which keys lie in this leaf, accepted at which ballots? Answered by a [ScanReply] without
  /// bodies.
  record Rows(Scope scope, long call, int partition, int leaf, @Nullable Key after, int limit)
      implements Request {}
}
