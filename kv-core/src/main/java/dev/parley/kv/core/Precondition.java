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

  /// Whether `current` satisfies it.
  default boolean holds(@Nullable Versioned current) {
    boolean exists = current != null && current.exists();
    return switch (this) {
      case Always() -> true;
      case Absent() -> !exists;
      case Present() -> exists;
      case At(var version) -> exists && current != null && current.version() == version;
    };
  }
}
