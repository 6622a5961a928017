package dev.parley.kv.core;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What can happen to a node.
public sealed interface Event {

  /// A client asks; the answer will carry the same ticket.
  record Write(long ticket, Key key, Mutation mutation) implements Event {}

  record Read(long ticket, Key key) implements Event {}

  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Scan(long ticket, byte[] prefix, @Nullable Key after, int limit) implements Event {}

  /// An operator wants other members.
  record ChangeMembers(long ticket, MemberChange change) implements Event {}

  /// What those ask that watch for changes.
  sealed interface OfWatch extends Event {}

  /// A watch begins; the answer says how to ask for what it sees.
  ///
  /// @param values whether values come with the changes
  /// @param since where it goes on, or null to begin now
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Watch(long ticket, byte[] prefix, boolean values, @Nullable WatchPosition since)
      implements OfWatch {}

  /// Whoever watches has dealt with all it was told and wants the next.
  ///
  /// @param watch the number that the first answer gave it
  record WatchMore(long ticket, long watch) implements OfWatch {}

  /// Nobody watches any more.
  record Unwatch(long watch) implements OfWatch {}

  /// A message arrived from a peer, from this boot of it.
  record Received(String from, long boot, Message message) implements Event {}

  /// These messages certainly never reached `to`: there was no connection.
  record Undelivered(String to, List<Message> messages) implements Event {}

  /// These messages were given up before they left, because too much waits for `to` already.
  record Dropped(String to, List<Message> messages) implements Event {}

  /// Everything appended up to and including this number is on disk.
  record Durable(long lsn) implements Event {}

  /// What the log looks like now.
  ///
  /// @param secondFirstLsn first record of the second oldest segment, or 0 if there is one only
  record LogShape(long segments, long segmentBytes, long secondFirstLsn) implements Event {}

  /// Whether the node has room for more values.
  record Room(boolean full) implements Event {}

  /// The log has had nothing to do for a while.
  record Idle() implements Event {}

  /// The time of day, told about once a second, for deleting what has expired. Nothing that is
  /// safe depends on it.
  record WallClock(long unixMillis) implements Event {}

  /// Time passed.
  record Tick() implements Event {}
}
