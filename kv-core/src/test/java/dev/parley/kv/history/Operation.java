package dev.parley.kv.history;

import java.util.Locale;

/// One operation of one client on one key, as the client saw it.
///
/// @param number tells operations of a history apart in what is printed
/// @param client who asked; a client may have several operations under way
/// @param key operations on different keys do not affect each other
/// @param begun nanoseconds of one clock for all clients, taken before the request was sent
/// @param ended of the same clock, taken after the answer came; of no meaning if the outcome is
///     [Outcome.Unknown] or [Outcome.NotApplied]
public record Operation(
    int number, int client, String key, long begun, long ended, Request request, Outcome outcome) {

  /// What was asked.
  public sealed interface Request {

    /// Reads the key.
    record Read() implements Request {}

    /// Stores a value. No two puts of one key in a history store the same one, so that a read shows
    /// which put it saw.
    record Put(String value, Condition condition) implements Request {}

    /// Removes the key.
    record Delete(Condition condition) implements Request {}
  }

  /// What a put or a delete demands of the key.
  public sealed interface Condition {

    record Always() implements Condition {}

    /// The key does not exist.
    record Absent() implements Condition {}

    /// The key exists.
    record Present() implements Condition {}

    /// The key exists at exactly this version.
    record At(long version) implements Condition {}
  }

  /// What was answered. Versions are above 0 and rise strictly with every change of a key, removals
  /// included; where an interface does not tell one, it is [#UNTOLD].
  public sealed interface Outcome {

    /// In place of a version that the interface does not tell.
    long UNTOLD = -1;

    /// A read found this.
    record Found(long version, String value) implements Outcome {}

    /// A read found nothing.
    record Absent() implements Outcome {}

    /// A put or a delete took effect, once.
    ///
    /// @param existed whether the key existed before
    record Applied(long version, boolean existed) implements Outcome {}

    /// A delete without a condition found nothing to remove.
    record Missing() implements Outcome {}

    /// The condition did not hold; nothing was changed.
    ///
    /// @param version the one that stood, 0 if the key did not exist
    record Conflict(long version) implements Outcome {}

    /// Nothing was changed, nor ever will be by this operation.
    record NotApplied() implements Outcome {}

    /// Nobody said. A put or a delete may take effect at any time after it began, or never.
    record Unknown() implements Outcome {}
  }

  /// A line for people, with times in milliseconds since `origin`.
  public String describe(long origin) {
    boolean open = outcome instanceof Outcome.Unknown || outcome instanceof Outcome.NotApplied;
    return String.format(
        Locale.ROOT,
        "%12.3f %12s  client %-4d #%-6d %s -> %s",
        (begun - origin) / 1e6,
        open ? "..." : String.format(Locale.ROOT, "%.3f", (ended - origin) / 1e6),
        client,
        number,
        describe(request),
        describe(outcome));
  }

  private static String describe(Request request) {
    return switch (request) {
      case Request.Read() -> "read";
      case Request.Put(var value, var condition) -> "put " + value + describe(condition);
      case Request.Delete(var condition) -> "delete" + describe(condition);
    };
  }

  private static String describe(Condition condition) {
    return switch (condition) {
      case Condition.Always() -> "";
      case Condition.Absent() -> " if absent";
      case Condition.Present() -> " if present";
      case Condition.At(var version) -> " if at " + version;
    };
  }

  private static String describe(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Found(var version, var value) -> "found " + value + at(version);
      case Outcome.Absent() -> "found nothing";
      case Outcome.Applied(var version, var existed) ->
          (existed ? "applied" : "created") + at(version);
      case Outcome.Missing() -> "nothing to delete";
      case Outcome.Conflict(var version) ->
          version == 0 ? "refused, the key is absent" : "refused" + at(version);
      case Outcome.NotApplied() -> "not applied";
      case Outcome.Unknown() -> "unknown";
    };
  }

  private static String at(long version) {
    return version == Outcome.UNTOLD ? "" : " at " + version;
  }
}
