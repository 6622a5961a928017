package dev.parley.kv.core;

import org.jspecify.annotations.Nullable;

/// What must be true of a key for a mutation of it to take effect.
public sealed interface Precondition {

  record Always() implements Precondition {}

  /// The key does not exist.
  record Absent() implements Precondition {}

  /// The key exists, at any version.
  record Present() implements Precondition {}

  /// The key exists at exactly this version.
  record At(long version) implements Precondition {}

  /// The key exists at exactly this version and is to expire at exactly this time. Two values that
  /// were proposed at once may carry the same version although only one of them can be chosen, so a
  /// node that deletes what it believes to have expired must say which one it means.
  record Expiring(long version, long atMillis) implements Precondition {}

  /// Whether `current` satisfies it.
  default boolean holds(@Nullable Versioned current) {
    boolean exists = current != null && current.exists();
    return switch (this) {
      case Always() -> true;
      case Absent() -> !exists;
      case Present() -> exists;
      case At(var version) -> exists && current != null && current.version() == version;
      case Expiring(var version, var atMillis) ->
          exists
              && current != null
              && current.version() == version
              && current.expiresAtMillis() == atMillis;
    };
  }
}
