package dev.parley.chat;

import dev.parley.kv.client.InMemoryKvStore;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;

/// Puts the in-memory store in the place of the replicated one.
public class InMemoryStoreProducer {

  @Produces
  @Singleton
  InMemoryKvStore store() {
    return new InMemoryKvStore();
  }
}
