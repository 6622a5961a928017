package dev.parley.kv.core;

import java.util.OptionalLong;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/// What a node will do later. Those due at the same instant ring in the order they were set.
///
/// Nearly every alarm is a patience that is not needed, cancelled long before it is due. Those
/// are swept out as soon as they may be half of all, so that their number, and the memory and the
/// comparisons they cost, follow the work that is under way and not that of the last seconds.
final class Alarms {

  /// Fewer are not worth a sweep.
  private static final int MIN_SWEEP = 64;

  /// Something to do later, unless it is cancelled first.
  static final class Alarm implements Comparable<Alarm> {
    private final long due;
    private final long order;
    private @Nullable Runnable action;

    private Alarm(long due, long order, Runnable action) {
      this.due = due;
      this.order = order;
      this.action = action;
    }

    /// Lets go of everything the action would have used.
    void cancel() {
      action = null;
    }

    @Override
    public int compareTo(Alarm other) {
      return due == other.due ? Long.compare(order, other.order) : Long.compare(due, other.due);
    }

    private boolean cancelled() {
      return action == null;
    }

    private void ring() {
      Runnable ringing = action;
      action = null;
      if (ringing != null) {
        ringing.run();
      }
    }
  }

  private final PriorityQueue<Alarm> alarms = new PriorityQueue<>();
  private long order;
  private int sweepAt = MIN_SWEEP;

  Alarm set(long due, Runnable action) {
    if (alarms.size() >= sweepAt) {
      alarms.removeIf(Alarm::cancelled);
      sweepAt = Math.max(MIN_SWEEP, 2 * alarms.size());
    }
    Alarm alarm = new Alarm(due, order++, action);
    alarms.add(alarm);
    return alarm;
  }

  /// Lets the next alarm ring that is due, if one is.
  boolean ring(long now) {
    OptionalLong due = nextDue();
    if (due.isEmpty() || due.getAsLong() > now) {
      return false;
    }
    alarms.remove().ring();
    return true;
  }

  /// When the next alarm is due that was not cancelled.
  OptionalLong nextDue() {
    for (Alarm next = alarms.peek(); next != null; next = alarms.peek()) {
      if (!next.cancelled()) {
        return OptionalLong.of(next.due);
      }
      alarms.remove();
    }
    return OptionalLong.empty();
  }

  /// How many are kept, the cancelled ones that were not swept out yet among them.
  int size() {
    return alarms.size();
  }
}
