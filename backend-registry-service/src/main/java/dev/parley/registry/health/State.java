package dev.parley.registry.health;

import java.util.Locale;

/// The one word that says how a backend is.
public enum State {
  UP,
  GOING_DOWN,
  DOWN,
  COMING_UP,
  DRAINING,
  DISABLED,
  RATE_LIMITED,
  MISCONFIGURED,
  EJECTED;

  /// The word as the API writes it.
  public String word() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
