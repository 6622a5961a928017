package dev.parley.registry.health;

import java.time.Duration;

/// The times by which health is judged.
///
/// @param probeInterval between two probes of a backend that is steadily up or down
/// @param transitionInterval between two probes while it may be changing
/// @param recheckInterval between two probes of a misconfigured backend
/// @param slowStart how long a backend that came back takes to get its full share
public record HealthSettings(
    Duration probeInterval,
    Duration transitionInterval,
    Duration recheckInterval,
    Duration slowStart) {

  public static final HealthSettings DEFAULT =
      new HealthSettings(
          Duration.ofSeconds(10),
          Duration.ofSeconds(1),
          Duration.ofSeconds(60),
          Duration.ofSeconds(60));
}
