package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The value of a register: a body or a tombstone, its version, and the memory of the operations
/// that made it.
///
/// @param version rises strictly with every change
/// @param body the stored bytes, not to be changed; null is a tombstone
/// @param memory the newest operations that changed this key, oldest first, at most [#WINDOW], as
///     [#traces] reads them: three numbers each, because a node holds a million of them
/// @param windowStart operations that created this version or an earlier one may have left
///     `memory`
/// @param expiresAtMillis Unix time after which a sweep deletes it, or 0. Until the sweep it is
///     there: no clock hides a value
@SuppressWarnings("ArrayRecordComponent") // Values are compared by ballot, never by content.
public record Versioned(
    long version, byte @Nullable [] body, long[] memory, long windowStart, long expiresAtMillis) {

  /// How many operations a key remembers. A retry comes within seconds, and a key that changes
  /// more than this often in them answers "unknown" rather than applying it twice.
  public static final int WINDOW = 64;

  /// Numbers that one operation takes in `memory`: its id, and its version with a bit for
  /// "existed" below it.
  private static final int STRIDE = 3;

  /// Stands for a value while the log is read for the first time, see [Replay].
  static final Versioned UNREAD = new Versioned(0, new byte[0], new long[0], 0, 0);

  /// What an operation did to the key when it was applied.
  public record Trace(OpId op, long version, boolean existed) {}

  /// A value that remembers these operations.
  public static Versioned of(
      long version, byte @Nullable [] body, List<Trace> traces, long windowStart) {
    long[] memory = new long[traces.size() * STRIDE];
    for (int i = 0; i < traces.size(); i++) {
      put(memory, i * STRIDE, traces.get(i));
    }
    return new Versioned(version, body, memory, windowStart, 0);
  }

  private static void put(long[] memory, int at, Trace trace) {
    memory[at] = trace.op().high();
    memory[at + 1] = trace.op().low();
    memory[at + 2] = trace.version() << 1 | (trace.existed() ? 1 : 0);
  }

  /// Whether there is a value, as opposed to a tombstone.
  public boolean exists() {
    return body != null;
  }

  /// The operations it remembers, oldest first.
  public List<Trace> traces() {
    List<Trace> traces = new ArrayList<>(memory.length / STRIDE);
    for (int at = 0; at < memory.length; at += STRIDE) {
      traces.add(trace(at));
    }
    return traces;
  }

  private Trace trace(int at) {
    return new Trace(
        new OpId(memory[at], memory[at + 1]), memory[at + 2] >>> 1, (memory[at + 2] & 1) == 1);
  }

  /// What `op` did, if it is remembered.
  @Nullable Trace find(OpId op) {
    for (int at = memory.length - STRIDE; at >= 0; at -= STRIDE) {
      if (memory[at] == op.high() && memory[at + 1] == op.low()) {
        return trace(at);
      }
    }
    return null;
  }

  /// The register after `mutation` changed it to `version`.
  ///
  /// @param before null if the key had no record
  static Versioned after(@Nullable Versioned before, Mutation mutation, long version, long floor) {
    long[] old = before == null ? new long[0] : before.memory;
    long start = before == null ? floor : before.windowStart;
    int from = 0;
    while (old.length - from >= WINDOW * STRIDE) {
      start = Math.max(start, old[from + 2] >>> 1);
      from += STRIDE;
    }
    long[] memory = Arrays.copyOfRange(old, from, old.length + STRIDE);
    put(
        memory,
        memory.length - STRIDE,
        new Trace(mutation.op(), version, before != null && before.exists()));
    long expires = mutation.body() == null ? 0 : mutation.expiresAtMillis();
    return new Versioned(version, mutation.body(), memory, start, expires);
  }

  /// Bytes this value takes on disk and about takes in memory, for budgets.
  int weight() {
    return 64 + (body == null ? 0 : body.length) + 8 * memory.length;
  }
}
