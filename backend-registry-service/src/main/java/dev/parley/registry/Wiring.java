package dev.parley.registry;

import dev.parley.kv.client.HttpKvStore;
import dev.parley.kv.client.KvStore;
import dev.parley.registry.api.EventHub;
import dev.parley.registry.fleet.Fleet;
import dev.parley.registry.probe.BackendHttp;
import dev.parley.registry.probe.BackendTrial;
import dev.parley.registry.probe.Prober;
import dev.parley.registry.store.BackendStore;
import io.quarkus.arc.DefaultBean;
import jakarta.enterprise.inject.Disposes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.HexFormat;

/// Puts the registry together: the pure parts with the clock, with chance and with the network.
final class Wiring {

  private static final int ID_BYTES = 8;

  @Produces
  @Singleton
  Settings settings(RegistryConfig config) {
    return Settings.of(config);
  }

  @Produces
  @Singleton
  @DefaultBean
  KvStore kvStore(Settings settings) {
    return new HttpKvStore(settings.kvNodes(), settings.serviceToken());
  }

  void close(@Disposes KvStore store) {
    store.close();
  }

  @Produces
  @Singleton
  Fleet fleet(Settings settings, EventHub events) {
    return new Fleet(
        settings.fleet(), System::nanoTime, InstantSource.system(), new SecureRandom(), events);
  }

  @Produces
  @Singleton
  BackendStore backendStore(KvStore store, Fleet fleet, Settings settings) {
    SecureRandom random = new SecureRandom();
    return new BackendStore(
        store,
        fleet,
        InstantSource.system(),
        () -> {
          byte[] id = new byte[ID_BYTES];
          random.nextBytes(id);
          return HexFormat.of().formatHex(id);
        },
        settings.demoBackends());
  }

  @Produces
  @Singleton
  BackendHttp backendHttp(Settings settings) {
    return new BackendHttp(settings.connectTimeout(), settings.allowed());
  }

  void close(@Disposes BackendHttp http) {
    http.close();
  }

  @Produces
  @Singleton
  Prober prober(BackendHttp http, Settings settings) {
    return new Prober(http, settings.probeTimeout(), settings.completionTimeout());
  }

  @Produces
  @Singleton
  BackendTrial backendTrial(BackendHttp http, Prober prober, Settings settings) {
    return new BackendTrial(http, prober, settings.probeTimeout(), settings.completionTimeout());
  }
}
