package dev.parley.kv.core;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a request came to.
public sealed interface Answer {

  /// What became of a mutation.
  sealed interface OfWrite extends Answer {}

  /// What a read found.
  sealed interface OfRead extends Answer {}

  /// What a listing found.
  sealed interface OfScan extends Answer {}

  /// What a watch sees.
  sealed interface OfWatch extends Answer {}

  /// What became of a change of the members.
  sealed interface OfChange extends Answer {}

  /// The change is decided and goes on by itself: from now on the cluster is in this epoch.
  ///
  /// @param partitions how many of them move
  record Begun(long epoch, int partitions) implements OfChange {}

  /// Nothing was changed.
  record Rejected(Reason reason, String detail) implements OfChange {}

  /// Why members are not changed.
  enum Reason {
    /// The request makes no sense: a bad address, weight or group.
    INVALID,
    /// There is no such member.
    UNKNOWN_MEMBER,
    /// The id belongs to a member, or did once.
    ID_IN_USE,
    /// Nobody of that id has said hello here lately.
    NOT_HEARD_OF,
    /// Too few would remain.
    TOO_FEW,
    /// Another change is under way.
    UNDER_WAY,
    /// This node cannot decide anything now.
    UNAVAILABLE
  }

  /// The change may or may not have been decided. The cluster's epoch will tell.
  record Undecided(String reason) implements OfChange {}

  /// The mutation took effect, once.
  ///
  /// @param version the version this very operation created
  /// @param existed whether the key existed before it
  record Applied(long version, boolean existed) implements OfWrite {}

  /// The precondition did not hold and nothing was changed.
  ///
  /// @param currentVersion the version that stands, 0 if the key does not exist
  record Conflict(long currentVersion) implements OfWrite {}

  /// A delete found nothing to delete.
  record Missing() implements OfWrite {}

  /// Certainly not applied now or later: no acceptor was ever asked to accept it.
  record NotApplied(String reason) implements OfWrite {}

  /// Not applied because a majority of the nodes has no room left.
  record NoRoom() implements OfWrite {}

  /// It may or may not have been applied, or may yet be.
  record Unknown(String reason) implements OfWrite {}

  /// The operation is older than the key's memory of operations, so that nobody can tell whether
  /// it was applied, and asking again cannot help.
  ///
  /// @param version what stands now: the base with which an operation could be tried that was
  ///     certainly not sent before
  record Forgotten(long version) implements OfWrite {}

  /// @param expiresAtMillis Unix time after which it is deleted, 0 for never
  @SuppressWarnings("ArrayRecordComponent") // Handed out, never compared.
  record Found(long version, byte[] body, long expiresAtMillis) implements OfRead {}

  record Absent() implements OfRead {}

  record Unavailable(String reason) implements OfRead, OfScan, OfWatch {}

  /// @param next where the following page continues, or null at the end
  record Page(List<Row> rows, @Nullable Key next) implements OfScan {}

  /// @param expiresAtMillis Unix time after which it is deleted, 0 for never
  @SuppressWarnings("ArrayRecordComponent") // Handed out, never compared.
  record Row(Key key, long version, byte[] body, long expiresAtMillis) {}

  /// What a watch has to say.
  enum Signal {
    /// From here on everything is told.
    READY,
    /// Something changed, or nothing did for a while.
    CHANGES,
    /// Some changes may not have been told: list again. Everything from here on is told.
    RESCAN,
    /// Not enough nodes can be heard to know of every change. What is missing comes later.
    STALLED,
    /// Enough can be heard again.
    RESUMED
  }

  /// @param watch by which to ask for more
  /// @param changes empty unless the signal is [Signal#CHANGES]
  /// @param position everything after it was not told yet, or not taken from here
  record Watched(long watch, Signal signal, List<Change> changes, WatchPosition position)
      implements OfWatch {}

  /// A key has, or had, this version.
  ///
  /// @param version 0 if the key is known to be gone, but not since which version
  /// @param body null if it is deleted, larger than 64 KiB, or not asked for
  /// @param expiresAtMillis Unix time after which it is deleted, 0 for never or if not asked for
  @SuppressWarnings("ArrayRecordComponent") // Handed out, never compared.
  record Change(
      Key key, long version, boolean deleted, byte @Nullable [] body, long expiresAtMillis) {}
}
