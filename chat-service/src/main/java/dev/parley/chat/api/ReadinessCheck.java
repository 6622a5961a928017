package dev.parley.chat.api;

import dev.parley.chat.Draining;
import dev.parley.chat.conversation.Keys;
import dev.parley.chat.routing.GuardedRegistry;
import dev.parley.kv.client.KvStore;
import dev.parley.kv.client.StoreUnavailableException;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Readiness;

/// Ready means that conversations can be read and written. The registry may be away for a while:
/// the
/// last known selection serves, so it is told but does not count.
@Readiness
@ApplicationScoped
public class ReadinessCheck implements HealthCheck {

  private final KvStore store;
  private final GuardedRegistry registry;
  private final Draining draining;

  @Inject
  ReadinessCheck(KvStore store, GuardedRegistry registry, Draining draining) {
    this.store = store;
    this.registry = registry;
    this.draining = draining;
  }

  @Override
  public HealthCheckResponse call() {
    HealthCheckResponseBuilder response =
        HealthCheckResponse.named("chat")
            .withData("registry_staleness_seconds", (long) registry.stalenessSeconds());
    if (draining.isDraining()) {
      return response.withData("reason", "draining").down().build();
    }
    try {
      store.get(Keys.GENERATIONS + "none");
      return response.up().build();
    } catch (StoreUnavailableException unavailable) {
      return response.withData("reason", "the store cannot be reached").down().build();
    }
  }
}
