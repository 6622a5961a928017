package dev.parley.kv.core;

import org.jspecify.annotations.Nullable;

/// One intended change of a key, named so that it takes effect at most once however often it is
/// retried.
///
/// @param body the bytes to store; null deletes
/// @param base a version below any that this operation can have created, from before it was first
///     sent, or [#NO_BASE] if it was never sent before
/// @param expiresAtMillis Unix time after which the value is to be deleted, 0 for never
@SuppressWarnings("ArrayRecordComponent") // Compared by operation id, never by content.
public record Mutation(
    OpId op, Precondition condition, byte @Nullable [] body, long base, long expiresAtMillis) {

  /// The operation was never sent: whoever evaluates it first may choose the base.
  public static final long NO_BASE = -1;

  /// A change to a value that does not expire.
  public Mutation(OpId op, Precondition condition, byte @Nullable [] body, long base) {
    this(op, condition, body, base, 0);
  }

  /// Whether the operation is of use only at the very version `base`.
  boolean baseIsCondition(long base) {
    return condition instanceof Precondition.At(var version) && version == base;
  }

  Mutation withBase(long newBase) {
    return new Mutation(op, condition, body, newBase, expiresAtMillis);
  }
}
