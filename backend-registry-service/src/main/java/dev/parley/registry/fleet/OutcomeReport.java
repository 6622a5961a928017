package dev.parley.registry.fleet;

import java.util.List;
import java.util.Map;

/// What one chat-service replica reports: its outcomes since the last report, and how many
/// requests it has on each backend now. It also says that the replica is alive.
///
/// @param seq names the report; the same (replica, seq) again changes nothing
public record OutcomeReport(
    String replica, long seq, Map<String, Integer> inFlight, List<Outcome> outcomes) {

  public OutcomeReport {
    inFlight = Map.copyOf(inFlight);
    outcomes = List.copyOf(outcomes);
  }
}
