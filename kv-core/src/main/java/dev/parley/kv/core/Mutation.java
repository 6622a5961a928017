package dev.parley.kv.core;

import org.jspecify.annotations.Nullable;

/// One intended change of a key, named so that it takes effect at most once however often it is
/// retried.
///
/// @param body the bytes to store; null deletes
/// @param base a version below any that this operation can have created, from before it was first
///     sent, or [#NO_BASE] or [#ON_RECEIPT] if it was never sent before
/// @param expiresAtMillis Unix time after which the value is to be deleted, 0 for never
@SuppressWarnings("ArrayRecordComponent") // Compared by operation id, never by content.
public record Mutation(
    OpId op, Precondition condition, byte @Nullable [] body, long base, long expiresAtMillis) {

  /// The operation was never sent, and whoever asks for it will not ask anybody else: the base may
  /// be chosen when it is evaluated.
  public static final long NO_BASE = -1;

  /// The operation was never sent, but may be sent elsewhere later: its base is what the node that
  /// it reaches first knows at that moment.
  public static final long ON_RECEIPT = -2;

  /// A change to a value that does not expire.
  public Mutation(OpId op, Precondition condition, byte @Nullable [] body, long base) {
    this(op, condition, body, base, 0);
  }

  /// Whether the operation is of use only at the very version `base`.
  boolean baseIsCondition(long base) {
    return switch (condition) {
      case Precondition.At(var version) -> version == base;
      case Precondition.Expiring(var version, _) -> version == base;
      default -> false;
    };
  }

  Mutation withBase(long newBase) {
    return new Mutation(op, condition, body, newBase, expiresAtMillis);
  }
}
