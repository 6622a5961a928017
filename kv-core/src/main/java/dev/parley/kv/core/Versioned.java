package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The value of a register: a body or a tombstone, its version, and the memory of the operations
/// that made it.
///
/// @param version rises strictly with every change
/// @param body the stored bytes, not to be changed; null is a tombstone
/// @param recent the newest operations that changed this key, oldest first, at most
///     [#WINDOW]
/// @param windowStart operations that created this version or an earlier one may have left
///     `recent`
@SuppressWarnings("ArrayRecordComponent") // Values are compared by ballot, never by content.
public record Versioned(
    long version, byte @Nullable [] body, List<Trace> recent, long windowStart) {

  /// How many operations a key remembers. A retry comes within seconds, and a key that changes
  /// more than this often in them answers "unknown" rather than applying it twice.
  public static final int WINDOW = 64;

  /// What an operation did to the key when it was applied.
  public record Trace(OpId op, long version, boolean existed) {}

  /// Whether there is a value, as opposed to a tombstone.
  public boolean exists() {
    return body != null;
  }

  /// What `op` did, if it is remembered.
  @Nullable Trace find(OpId op) {
    for (int i = recent.size() - 1; i >= 0; i--) {
      Trace trace = recent.get(i);
      if (trace.op().equals(op)) {
        return trace;
      }
    }
    return null;
  }

  /// The register after `mutation` changed it to `version`.
  ///
  /// @param before null if the key had no record
  static Versioned after(@Nullable Versioned before, Mutation mutation, long version, long floor) {
    List<Trace> traces = new ArrayList<>(before == null ? List.of() : before.recent);
    traces.add(new Trace(mutation.op(), version, before != null && before.exists()));
    long start = before == null ? floor : before.windowStart;
    while (traces.size() > WINDOW) {
      start = Math.max(start, traces.removeFirst().version());
    }
    return new Versioned(version, mutation.body(), List.copyOf(traces), start);
  }

  /// Bytes this value takes on disk and about takes in memory, for budgets.
  int weight() {
    return 64 + (body == null ? 0 : body.length) + 40 * recent.size();
  }
}
