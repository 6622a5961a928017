package dev.parley.registry;

import io.quarkus.runtime.annotations.StaticInitSafe;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import io.smallrye.config.WithName;
import java.time.Duration;
import java.util.Optional;

/// What the registry can be told. [Settings] turns it into checked values at the start.
@StaticInitSafe
@ConfigMapping(prefix = "parley")
public interface RegistryConfig {

  /// The address to listen on.
  @WithDefault("127.0.0.1")
  String host();

  /// The port to listen on.
  @WithDefault("8082")
  int port();

  /// The name of this instance in logs and metrics.
  @WithDefault("registry")
  String name();

  /// The log.
  Log log();

  /// The secret by which the services know each other, at least 16 characters.
  Optional<String> serviceToken();

  /// Some nodes of the store, as URLs separated by commas; which nodes there are is learnt from
  /// them.
  @WithDefault("http://127.0.0.1:9527,http://127.0.0.1:9528,http://127.0.0.1:9529")
  String kvNodes();

  /// Backends to add when the store never had one, as `name=url` separated by commas.
  Optional<String> demoBackends();

  /// Whether a backend may have a loopback or private address.
  @WithDefault("true")
  boolean allowPrivateBackends();

  /// Whether to find out, with one very small request, if a new backend continues a begun answer.
  @WithDefault("true")
  boolean continuationCheck();

  /// How often the list of backends is read again from the store.
  @WithDefault("5s")
  Duration refreshInterval();

  /// After this long without a report, a chat-service replica's requests in flight count no more.
  @WithDefault("3s")
  Duration replicaTimeout();

  /// How long a backend that came back takes to get its full share again.
  @WithDefault("60s")
  Duration slowStart();

  /// Probing.
  Probe probe();

  /// The log.
  interface Log {

    /// Whether log lines are JSON.
    @WithDefault("false")
    boolean json();
  }

  /// Probing.
  interface Probe {

    /// How often a backend is probed, ± 20 %.
    @WithDefault("10s")
    Duration interval();

    /// How often a backend is probed while it is going down or coming up, ± 20 %.
    @WithDefault("1s")
    Duration transitionInterval();

    /// How often a misconfigured backend is probed, ± 20 %.
    @WithDefault("60s")
    Duration recheckInterval();

    /// Longest wait for a connection to a backend.
    @WithDefault("2s")
    Duration connectTimeout();

    /// Longest wait for a list of models, connection included.
    @WithName("timeout")
    @WithDefault("3s")
    Duration timeout();

    /// Longest wait for a whole answer to a very small request.
    @WithDefault("30s")
    Duration completionTimeout();
  }
}
