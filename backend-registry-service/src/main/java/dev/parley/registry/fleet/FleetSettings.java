package dev.parley.registry.fleet;

import dev.parley.registry.health.HealthSettings;
import java.time.Duration;

/// How the fleet is judged.
///
/// @param replicaTimeout after this long without a report, a replica's requests count no more
/// @param snapshotTtl how long a selection may be used without asking again
/// @param checkContinuation whether to find out once whether a backend continues a begun answer
public record FleetSettings(
    HealthSettings health,
    Duration replicaTimeout,
    Duration snapshotTtl,
    boolean checkContinuation) {

  public static final FleetSettings DEFAULT =
      new FleetSettings(HealthSettings.DEFAULT, Duration.ofSeconds(3), Duration.ofSeconds(2), true);
}
