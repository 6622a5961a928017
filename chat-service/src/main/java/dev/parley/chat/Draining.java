package dev.parley.chat;

import jakarta.enterprise.context.ApplicationScoped;

/// Whether this replica is on its way out and takes no new work.
@ApplicationScoped
public class Draining {

  private volatile boolean draining;

  public boolean isDraining() {
    return draining;
  }

  public void begin() {
    draining = true;
  }
}
