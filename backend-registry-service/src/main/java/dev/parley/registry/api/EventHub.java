package dev.parley.registry.api;

import dev.parley.registry.fleet.FleetListener;
import jakarta.inject.Singleton;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArraySet;

/// Carries changes of the fleet to those who listen to `GET /api/events`.
@Singleton
public final class EventHub implements FleetListener {

  private static final int MAX_SUBSCRIBERS = 256;

  private final Set<Subscription> subscribers = new CopyOnWriteArraySet<>();

  @Override
  public void changed(String backendId, boolean urgent) {
    subscribers.forEach(subscriber -> subscriber.changed(backendId, urgent));
  }

  @Override
  public void removed(String backendId) {
    changed(backendId, true);
  }

  /// A new subscription, or empty if there are too many.
  Optional<Subscription> subscribe() {
    if (subscribers.size() >= MAX_SUBSCRIBERS) {
      return Optional.empty();
    }
    Subscription subscription = new Subscription();
    subscribers.add(subscription);
    return Optional.of(subscription);
  }

  void unsubscribe(Subscription subscription) {
    subscribers.remove(subscription);
  }
}
