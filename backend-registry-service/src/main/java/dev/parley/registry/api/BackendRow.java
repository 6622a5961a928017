package dev.parley.registry.api;

import dev.parley.registry.backend.ApiKey;
import dev.parley.registry.backend.Backend;
import dev.parley.registry.fleet.BackendStatus;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A backend as the API shows it. There is no place in it for the key.
record BackendRow(
    String id,
    String name,
    String provider,
    String baseUrl,
    @Nullable String apiKeyLast4,
    List<String> models,
    double weight,
    @Nullable Integer maxConcurrency,
    int tier,
    boolean enabled,
    Map<String, String> labels,
    boolean draining,
    Instant createdAt,
    Instant updatedAt,
    Status status) {

  /// What is known about it now.
  record Status(
      String state,
      @Nullable Instant lastProbeAt,
      @Nullable Long lastProbeMs,
      @Nullable String lastError,
      List<String> modelsDiscovered,
      int inFlight,
      @Nullable Double firstTokenMs,
      @Nullable Double perTokenMs,
      @Nullable Double tokensPerSecond,
      double successRate,
      double share,
      long requests,
      @Nullable Boolean continuation) {}

  static BackendRow of(BackendStatus status) {
    Backend backend = status.stored().backend();
    ApiKey key = backend.apiKey();
    Double perToken = status.perTokenMs();
    return new BackendRow(
        backend.id(),
        backend.name(),
        backend.provider(),
        backend.baseUrl().toString(),
        key == null ? null : key.lastFour(),
        backend.models(),
        backend.weight(),
        backend.maxConcurrency(),
        backend.tier(),
        backend.enabled(),
        backend.labels(),
        backend.draining(),
        backend.createdAt(),
        backend.updatedAt(),
        new Status(
            status.state().word(),
            status.lastProbeAt(),
            status.lastProbeMs(),
            status.lastError(),
            status.modelsDiscovered(),
            status.inFlight(),
            status.firstTokenMs(),
            perToken,
            perToken == null || perToken <= 0 ? null : (Double) (1000 / perToken),
            status.successRate(),
            status.share(),
            status.requests(),
            status.continues()));
  }
}
