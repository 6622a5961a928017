package dev.parley.kv.core;

/// What a node wants done. The host carries effects out in the order given.
public sealed interface Effect {

  record Send(String to, Message message) implements Effect {}

  /// Append to the log, then report [Event.Durable]. Numbers rise by one.
  record Append(long lsn, LogRecord record) implements Effect {}

  record Respond(long ticket, Answer answer) implements Effect {}

  /// Segments that hold only records below this number are not needed any more.
  record DropBelow(long lsn) implements Effect {}

  /// Other members, or other addresses, from now on.
  record LayoutChanged(Layout layout) implements Effect {}

  /// This node must not go on: it is not who it says it is.
  record Halt(String reason) implements Effect {}
}
