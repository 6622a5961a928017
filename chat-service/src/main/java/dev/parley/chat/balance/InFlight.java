package dev.parley.chat.balance;

import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;

/// What this replica has running at each backend. Every start is a [Ticket], released exactly once
/// however often its holder says so. Thread-safe.
public final class InFlight {

  private final LongSupplier nanos;
  private final Map<String, Set<Ticket>> running = new HashMap<>();

  public InFlight(LongSupplier nanos) {
    this.nanos = nanos;
  }

  /// One attempt at one backend.
  public final class Ticket {
    private final String backendId;
    private final int inFlightAtStart;
    private final long startedNanos;
    private boolean waiting = true;

    private Ticket(String backendId, int inFlightAtStart, long startedNanos) {
      this.backendId = backendId;
      this.inFlightAtStart = inFlightAtStart;
      this.startedNanos = startedNanos;
    }

    public int inFlightAtStart() {
      return inFlightAtStart;
    }

    public long ageMillis() {
      return (nanos.getAsLong() - startedNanos) / 1_000_000;
    }

    public void firstToken() {
      synchronized (InFlight.this) {
        waiting = false;
      }
    }

    public void release() {
      synchronized (InFlight.this) {
        Set<Ticket> there = running.get(backendId);
        if (there != null && there.remove(this) && there.isEmpty()) {
          running.remove(backendId);
        }
      }
    }
  }

  /// Our oldest attempt at a backend that still waits for its first token.
  public record Oldest(double ageMillis, int inFlightAtStart) {
    static final Oldest NONE = new Oldest(0, 0);
  }

  /// @param estimated in flight there by every replica's requests, this one not counted
  public synchronized Ticket start(String backendId, int estimated) {
    Ticket ticket = new Ticket(backendId, estimated, nanos.getAsLong());
    running.computeIfAbsent(backendId, _ -> new LinkedHashSet<>()).add(ticket);
    return ticket;
  }

  public synchronized int at(String backendId) {
    Set<Ticket> there = running.get(backendId);
    return there == null ? 0 : there.size();
  }

  public synchronized Map<String, Integer> levels() {
    Map<String, Integer> levels = new HashMap<>();
    running.forEach((backend, tickets) -> levels.put(backend, tickets.size()));
    return levels;
  }

  public synchronized Oldest oldestWaiting(String backendId) {
    for (Ticket ticket : running.getOrDefault(backendId, Set.of())) {
      if (ticket.waiting) {
        double age = (nanos.getAsLong() - ticket.startedNanos) / 1e6;
        return new Oldest(age, ticket.inFlightAtStart);
      }
    }
    return Oldest.NONE;
  }
}
