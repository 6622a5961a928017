package dev.parley.chat.balance;

import java.util.Map;

/// A selection as it was received, with what this replica itself had in flight at that moment.
public record Snapshot(Selection selection, long takenNanos, Map<String, Integer> ownInFlight) {

  public Snapshot {
    ownInFlight = Map.copyOf(ownInFlight);
  }

  /// In flight at a backend now, of all replicas: what the registry saw, plus our own change since
  /// then times the number of replicas, which are assumed to do as we do. That assumption is what
  /// keeps many replicas with the same old figures from stampeding to the same backend.
  public double estimatedInFlight(Candidate candidate, int ownNow) {
    int ownThen = ownInFlight.getOrDefault(candidate.backendId(), 0);
    int replicas = Math.max(1, selection.replicas());
    return Math.max(ownNow, candidate.inFlight() + (double) replicas * (ownNow - ownThen));
  }
}
