package dev.parley.registry.fleet;

import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/// The chat-service replicas that report, and what each has in flight. Levels are absolute, so a
/// lost report does no lasting harm, and a replica that dies takes its requests with it.
final class Replicas {

  static final int MAX_REPLICAS = 100;
  private static final int MAX_REMEMBERED_SEQS = 1024;

  /// A replica that started again counts its reports from the beginning. After this long without
  /// one, its old numbers are forgotten.
  private static final long FORGET_NANOS = Duration.ofSeconds(60).toNanos();

  private static final class Replica {
    private final Set<Long> seqs = new LinkedHashSet<>();
    private Map<String, Integer> inFlight = Map.of();
    private long newest = Long.MIN_VALUE;
    private long heardNanos;
  }

  private final Map<String, Replica> byName = new LinkedHashMap<>();
  private final long timeoutNanos;

  Replicas(Duration timeout) {
    timeoutNanos = timeout.toNanos();
  }

  /// Takes note of a report's levels; false if this report was seen before or there are too many
  /// replicas.
  boolean heard(String name, long seq, Map<String, Integer> inFlight, long now) {
    byName.values().removeIf(replica -> now - replica.heardNanos > FORGET_NANOS);
    Replica replica = byName.get(name);
    if (replica == null) {
      if (byName.size() == MAX_REPLICAS) {
        return false;
      }
      replica = new Replica();
      byName.put(name, replica);
    }
    if (!replica.seqs.add(seq)) {
      return false;
    }
    if (replica.seqs.size() > MAX_REMEMBERED_SEQS) {
      replica.seqs.remove(replica.seqs.iterator().next());
    }
    // A late report still counts, but its levels are older than the ones known. A number far below
    // the newest is no late report: the replica began to count again.
    if (seq > replica.newest || replica.newest - seq > MAX_REMEMBERED_SEQS) {
      replica.newest = seq;
      replica.inFlight = inFlight;
    }
    replica.heardNanos = now;
    return true;
  }

  /// How many replicas are alive, and at least one, as someone must be asking.
  int alive(long now) {
    return (int)
        Math.max(1, byName.values().stream().filter(replica -> isAlive(replica, now)).count());
  }

  /// Requests in flight per backend over all replicas alive.
  Map<String, Integer> inFlight(long now) {
    Map<String, Integer> sum = new HashMap<>();
    for (Replica replica : byName.values()) {
      if (isAlive(replica, now)) {
        replica.inFlight.forEach((id, n) -> sum.merge(id, n, Integer::sum));
      }
    }
    return sum;
  }

  private boolean isAlive(Replica replica, long now) {
    return now - replica.heardNanos <= timeoutNanos;
  }
}
