package dev.parley.registry;

import dev.parley.registry.backend.BackendDraft;
import dev.parley.registry.backend.Checked;
import dev.parley.registry.backend.TargetAddresses;
import dev.parley.registry.fleet.FleetSettings;
import dev.parley.registry.health.HealthSettings;
import io.quarkus.runtime.configuration.ConfigurationException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The configuration, checked. What is wrong is named by its key, and ends the start.
///
/// @param demoBackends backends to add when the store never had one
public record Settings(
    String serviceToken,
    List<URI> kvNodes,
    List<BackendDraft> demoBackends,
    TargetAddresses allowed,
    FleetSettings fleet,
    Duration refreshInterval,
    Duration connectTimeout,
    Duration probeTimeout,
    Duration completionTimeout) {

  private static final int SHORTEST_TOKEN = 16;
  private static final Duration LONGEST = Duration.ofHours(1);

  /// @throws ConfigurationException naming the first key that is wrong
  static Settings of(RegistryConfig config) {
    String token = config.serviceToken().orElse("");
    if (token.length() < SHORTEST_TOKEN) {
      throw wrong("service-token", "must be set, to at least " + SHORTEST_TOKEN + " characters");
    }
    TargetAddresses allowed = new TargetAddresses(config.allowPrivateBackends());
    RegistryConfig.Probe probe = config.probe();
    HealthSettings health =
        new HealthSettings(
            positive("probe.interval", probe.interval()),
            positive("probe.transition-interval", probe.transitionInterval()),
            positive("probe.recheck-interval", probe.recheckInterval()),
            bounded("slow-start", config.slowStart()));
    return new Settings(
        token,
        kvNodes(config.kvNodes()),
        demoBackends(config.demoBackends().orElse("")),
        allowed,
        new FleetSettings(
            health,
            positive("replica-timeout", config.replicaTimeout()),
            FleetSettings.DEFAULT.snapshotTtl(),
            config.continuationCheck()),
        positive("refresh-interval", config.refreshInterval()),
        positive("probe.connect-timeout", probe.connectTimeout()),
        positive("probe.timeout", probe.timeout()),
        positive("probe.completion-timeout", probe.completionTimeout()));
  }

  private static List<URI> kvNodes(String text) {
    List<URI> nodes = new ArrayList<>();
    for (String part : text.split(",", -1)) {
      try {
        URI node = URI.create(part.strip());
        if (!"http".equals(node.getScheme()) && !"https".equals(node.getScheme())
            || node.getHost() == null) {
          throw new IllegalArgumentException();
        }
        nodes.add(node);
      } catch (IllegalArgumentException e) {
        throw wrong("kv-nodes", "must be URLs separated by commas");
      }
    }
    return List.copyOf(nodes);
  }

  private static List<BackendDraft> demoBackends(String text) {
    List<BackendDraft> drafts = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (String part : text.split(",", -1)) {
      if (part.isBlank()) {
        continue;
      }
      String[] pair = part.strip().split("=", 2);
      if (pair.length != 2 || !pair[0].matches("[A-Za-z0-9._-]{1,64}") || !names.add(pair[0])) {
        throw wrong("demo-backends", "must be name=url pairs separated by commas, names distinct");
      }
      // The operator's own list may name private addresses whatever users may do.
      var checked =
          BackendDraft.create(
              Map.of("name", pair[0], "base_url", pair[1], "provider", "demo"),
              new TargetAddresses(true));
      switch (checked) {
        case Checked.Valid<BackendDraft>(var draft) -> drafts.add(draft);
        case Checked.Invalid<BackendDraft>(var violations) ->
            throw wrong(
                "demo-backends",
                "has a bad entry %s: %s".formatted(pair[0], violations.getFirst().detail()));
      }
    }
    return List.copyOf(drafts);
  }

  private static Duration positive(String key, Duration value) {
    if (!value.isPositive()) {
      throw wrong(key, "must be longer than 0");
    }
    return bounded(key, value);
  }

  private static Duration bounded(String key, Duration value) {
    if (value.isNegative() || value.compareTo(LONGEST) > 0) {
      throw wrong(key, "must be from 0 to 1 hour");
    }
    return value;
  }

  private static ConfigurationException wrong(String key, String detail) {
    return new ConfigurationException("parley." + key + " " + detail, Set.of("parley." + key));
  }

  @Override
  public String toString() {
    return "Settings[kvNodes=" + kvNodes + "]";
  }
}
