package dev.parley.registry;

import dev.parley.registry.store.BackendStore;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/// Ready once the backends were read from the store. A store that fails later does not change
/// that: selection works from memory.
@Readiness
@Singleton
final class BackendsLoaded implements HealthCheck {

  private final BackendStore store;

  @Inject
  BackendsLoaded(BackendStore store) {
    this.store = store;
  }

  @Override
  public HealthCheckResponse call() {
    return HealthCheckResponse.named("backends")
        .withData("loaded", store.loaded())
        .withData("store_reachable", store.reachable())
        .status(store.loaded())
        .build();
  }
}
