package dev.parley.registry.fleet;

import dev.parley.registry.health.State;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A backend with everything that is known about it now.
///
/// @param share its part of all requests of the last five minutes, 0 to 1
/// @param continues whether it continues a begun answer; null if that is not known
public record BackendStatus(
    StoredBackend stored,
    State state,
    @Nullable Instant lastProbeAt,
    @Nullable Long lastProbeMs,
    @Nullable String lastError,
    List<String> modelsDiscovered,
    int inFlight,
    @Nullable Double firstTokenMs,
    @Nullable Double perTokenMs,
    double successRate,
    double share,
    long requests,
    double requestsPerSecond,
    @Nullable Boolean continues) {}
