package dev.parley.kv.core;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What nodes say to each other. Every request carries a call number that its reply repeats, and
/// the partition and epoch it believes in.
public sealed interface Message {

  /// The number that ties a reply to its request.
  long call();

  /// A question, or an order.
  sealed interface Request extends Message {
    Scope scope();
  }

  /// An answer to the coordinator with that call number.
  sealed interface Reply extends Message {}

  /// The partition a request is about and the sender's view of its epoch.
  record Scope(int partition, long epoch) {}

  /// Promise to accept nothing below `ballot`, and tell what you accepted.
  record Prepare(Scope scope, long call, Key key, Ballot ballot) implements Request {}

  /// @param accepted the ballot of `value`, [Ballot#ZERO] if there is none
  /// @param full the acceptor has no room for new values
  record Promise(long call, Ballot accepted, @Nullable Versioned value, long floor, boolean full)
      implements Reply {}

  /// Something at least as high was promised.
  record Nack(long call, Ballot promised) implements Reply {}

  record Accept(Scope scope, long call, Key key, Ballot ballot, Versioned value)
      implements Request {}

  record Accepted(long call, Ballot ballot) implements Reply {}

  /// @param body send the value too, not only its ballot
  record Read(Scope scope, long call, Key key, boolean body) implements Request {}

  record ReadReply(long call, Ballot accepted, long version, @Nullable Versioned value, long floor)
      implements Reply {}

  /// @param after rows strictly after this key, or null for the first
  /// @param limit most rows, tombstones included
  @SuppressWarnings("ArrayRecordComponent") // A message, never compared.
  record Scan(Scope scope, long call, byte[] prefix, @Nullable Key after, int limit, boolean bodies)
      implements Request {}

  /// @param more whether there may be rows after the last one
  record ScanReply(long call, List<ScanRow> rows, boolean more) implements Reply {}

  /// @param body null for a tombstone, or if bodies were not asked for
  @SuppressWarnings("ArrayRecordComponent") // A message, never compared.
  record ScanRow(Key key, Ballot accepted, long version, boolean exists, byte @Nullable [] body) {}

  /// Coordinate this mutation. Carried out at most once: only by the boot it is addressed to, and
  /// only if its call number was not seen before.
  record Forward(Scope scope, long call, Key key, Mutation mutation, long targetBoot)
      implements Request {}

  record ForwardReply(long call, Answer.OfWrite answer) implements Reply {}

  /// The request came from an epoch that is over.
  record Stale(long call, long minEpoch) implements Reply {}

  /// Are you there?
  record Ping(Scope scope, long call) implements Request {}

  record Pong(long call) implements Reply {}
}
