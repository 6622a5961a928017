package dev.parley.demo;

import io.quarkus.runtime.StartupEvent;
import io.quarkus.runtime.configuration.ConfigurationException;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;

/// Refuses to start on settings that make no sense, naming the bad key.
@ApplicationScoped
class ConfigCheck {
  void onStart(@Observes @Priority(1) StartupEvent event, DemoConfig config) {
    require(config.port() >= 0 && config.port() <= 65_535, "port", "must be from 0 to 65535");
    require(!config.name().isBlank(), "name", "must not be blank");
    require(
        !config.models().isEmpty() && config.models().stream().noneMatch(String::isBlank),
        "models",
        "must name at least one model");
    require(
        config.firstTokenDelayMs() >= 0 && config.firstTokenDelayMs() <= 3_600_000,
        "first-token-delay-ms",
        "must be from 0 to 3600000");
    require(
        config.tokensPerSecond() > 0 && config.tokensPerSecond() <= 1e9,
        "tokens-per-second",
        "must be above 0");
    require(
        config.maxBodyBytes() >= 1024 && config.maxBodyBytes() <= 1 << 28,
        "max-body-bytes",
        "must be from 1024 to 268435456");
  }

  private static void require(boolean holds, String key, String message) {
    if (!holds) {
      throw new ConfigurationException("parley." + key + " " + message);
    }
  }
}
