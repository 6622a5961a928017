package dev.parley.registry;

import dev.parley.kv.client.InMemoryKvStore;
import dev.parley.kv.client.KvStore;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;

/// Gives the registry a store in memory, which a test can make unavailable.
final class StoreForTests {

  static final InMemoryKvStore STORE = new InMemoryKvStore();

  @Produces
  @Singleton
  KvStore store() {
    return STORE;
  }
}
