package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Answers those who ask this replica what it accepted after a place in its log. If there is
/// nothing to say, a question waits until there is, or for a second.
final class Tails {

  /// Questions that wait. Every node of a cluster of a dozen may have as many watches as it allows;
  /// a question beyond this is dropped, and its asker asks again.
  private static final int MAX_PARKED = 4096;

  /// How long a question waits. Shorter than the time after which its asker gives up on the answer.
  private static final long PARK_NANOS = 1_000_000_000L;

  /// Changes in one answer.
  static final int MAX_ROWS = 256;

  private record Parked(String from, Message.Tail tail, long due) {}

  private final NodeCore node;
  private final ChangeRing ring;
  private final List<Parked> parked = new ArrayList<>();
  private Alarms.@Nullable Alarm alarm;

  Tails(NodeCore node, ChangeRing ring) {
    this.node = node;
    this.ring = ring;
  }

  void asked(String from, Message.Tail tail) {
    if (tail.since() < 0) {
      answer(from, tail, List.of(), ring.durable(), false);
    } else if (!ring.reaches(tail.since())) {
      answer(from, tail, List.of(), ring.durable(), true);
    } else if (!tell(from, tail, tail.since()) && parked.size() < MAX_PARKED) {
      parked.add(new Parked(from, tail, node.now() + PARK_NANOS));
      rearm();
    }
  }

  /// More of the log is on disk.
  void durable(long lsn) {
    long before = ring.durable();
    List<ChangeRing.Change> added = ring.durable(lsn);
    if (parked.isEmpty() || added.isEmpty()) {
      return;
    }
    // Whoever waits was told all that it wanted up to `before`, so the ring need not reach further.
    List<Parked> woken = new ArrayList<>();
    for (Iterator<Parked> each = parked.iterator(); each.hasNext(); ) {
      Parked waiting = each.next();
      byte[] prefix = waiting.tail().prefix();
      for (ChangeRing.Change change : added) {
        if (change.key().startsWith(prefix)) {
          each.remove();
          woken.add(waiting);
          break;
        }
      }
    }
    for (Parked waiting : woken) {
      if (!tell(waiting.from(), waiting.tail(), before)) {
        answer(waiting.from(), waiting.tail(), List.of(), before, false);
      }
    }
  }

  /// Answers if there is something to tell.
  private boolean tell(String from, Message.Tail tail, long since) {
    int limit = Math.clamp(tail.limit(), 1, MAX_ROWS);
    List<ChangeRing.Change> found = ring.after(since, tail.prefix(), limit);
    if (found.isEmpty()) {
      return false;
    }
    answer(
        from, tail, found, found.size() == limit ? found.getLast().seq() : ring.durable(), false);
    return true;
  }

  private void answer(
      String to, Message.Tail tail, List<ChangeRing.Change> found, long next, boolean truncated) {
    if (tail.scope().epoch() != node.epoch()) {
      // The layout changed while it waited: what it is for has to be asked anew.
      node.reply(to, new Message.Stale(tail.call(), node.epoch()), node.acceptor().fenceLsn());
      return;
    }
    List<Message.TailRow> rows = new ArrayList<>(found.size());
    for (ChangeRing.Change each : found) {
      rows.add(
          new Message.TailRow(
              each.seq(), each.key(), each.ballot(), each.version(), each.exists()));
    }
    node.reply(
        to, new Message.TailReply(tail.call(), rows, next, truncated), node.acceptor().fenceLsn());
  }

  /// Those that have waited long enough are told that there is nothing. They came in the order in
  /// which they are due.
  private void overdue() {
    alarm = null;
    while (!parked.isEmpty() && parked.getFirst().due() <= node.now()) {
      Parked waiting = parked.removeFirst();
      answer(waiting.from(), waiting.tail(), List.of(), ring.durable(), false);
    }
    rearm();
  }

  private void rearm() {
    if (alarm == null && !parked.isEmpty()) {
      alarm = node.at(parked.getFirst().due(), this::overdue);
    }
  }
}
