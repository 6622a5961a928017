package dev.parley.kv.client;

import org.jspecify.annotations.Nullable;

/// What became of a write. The four cases are exhaustive, so that no caller has to guess.
public sealed interface WriteOutcome {

  /// The write took effect, once, and is durable on a majority.
  ///
  /// @param version the version it created (of a delete: of the tombstone)
  /// @param existed whether the key existed before
  record Applied(String version, boolean existed) implements WriteOutcome {}

  /// The condition did not hold; nothing was changed.
  ///
  /// @param currentVersion the version that stands, or null if the key does not exist
  record Conflict(@Nullable String currentVersion) implements WriteOutcome {}

  /// The write certainly did not take effect and never will: no quorum could be reached.
  record NotApplied(String reason) implements WriteOutcome {}

  /// The write may or may not take effect, now or later; read to find out.
  record Unknown(String reason) implements WriteOutcome {}

  /// This outcome if the write was applied.
  ///
  /// @throws StoreUnavailableException if it was not applied, or this is not known
  /// @throws ConflictException if the condition did not hold
  default Applied orThrow() {
    return switch (this) {
      case Applied applied -> applied;
      case Conflict(var current) -> throw new ConflictException(current);
      case NotApplied(var reason) -> throw new StoreUnavailableException(reason);
      case Unknown(var reason) -> throw new StoreUnavailableException(reason);
    };
  }
}
