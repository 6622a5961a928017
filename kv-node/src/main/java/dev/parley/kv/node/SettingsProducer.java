package dev.parley.kv.node;

import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;

/// Checks the configuration once, for everyone.
final class SettingsProducer {

  private SettingsProducer() {}

  @Produces
  @Singleton
  static Settings settings(KvConfig config) {
    try {
      return Settings.of(config);
    } catch (IllegalArgumentException e) {
      throw new CannotStartException(e.getMessage() == null ? "bad setting" : e.getMessage());
    }
  }
}
