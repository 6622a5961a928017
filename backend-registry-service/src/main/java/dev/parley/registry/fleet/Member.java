package dev.parley.registry.fleet;

import dev.parley.registry.backend.Backend;
import dev.parley.registry.backend.BackendDraft;
import dev.parley.registry.health.Health;
import dev.parley.registry.health.HealthSettings;
import dev.parley.registry.health.State;
import dev.parley.registry.policy.LatencyEstimate;
import dev.parley.registry.policy.SuccessRate;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// One backend with what this process has learned about it.
final class Member {

  /// Estimates kept; the model unused for longest loses its own.
  private static final int MAX_ESTIMATES = BackendDraft.MAX_MODELS;

  /// After so many tries without a clear answer the question is dropped.
  private static final int MAX_CONTINUATION_TRIES = 3;

  private static final long CONTINUATION_RETRY_NANOS = 60_000_000_000L;

  /// What requests for one model take here.
  static final class Estimates {
    final LatencyEstimate firstToken = new LatencyEstimate();
    final LatencyEstimate perToken = new LatencyEstimate();
  }

  private final HealthSettings settings;
  private final RandomGenerator random;
  private final Map<String, Estimates> estimates =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Estimates> eldest) {
          return size() > MAX_ESTIMATES;
        }
      };

  private StoredBackend stored;
  Health health;
  SuccessRate success = new SuccessRate();
  final Traffic traffic;
  @Nullable List<String> discovered;
  @Nullable Instant lastProbeAt;
  @Nullable Long lastProbeMs;
  @Nullable String lastError;
  boolean probing;
  boolean testing;
  State lastShown = State.COMING_UP;
  @Nullable String lastUsedModel;
  long generation;
  private int continuationTries;
  private long nextContinuationNanos;

  Member(StoredBackend stored, HealthSettings settings, RandomGenerator random, long now) {
    this.stored = stored;
    this.settings = settings;
    this.random = random;
    health = new Health(settings, random, now);
    traffic = new Traffic(now);
    nextContinuationNanos = now;
  }

  StoredBackend stored() {
    return stored;
  }

  Backend backend() {
    return stored.backend();
  }

  /// Takes a new description. What was learned stays only as far as it still says something.
  void describe(StoredBackend now, long nowNanos) {
    Backend before = stored.backend();
    Backend after = now.backend();
    stored = now;
    boolean sameServer = before.baseUrl().equals(after.baseUrl());
    boolean backInService = after.enabled() && !before.enabled();
    if (!sameServer) {
      discovered = null;
      estimates.clear();
      success = new SuccessRate();
    }
    if (!before.answersLike(after) || backInService) {
      health = new Health(settings, random, nowNanos);
      lastError = null;
      probing = false;
      testing = false;
      generation++;
      continuationTries = 0;
      nextContinuationNanos = nowNanos;
    }
  }

  /// What it serves: what its owner says, or else what it lists itself.
  List<String> models() {
    if (!backend().models().isEmpty()) {
      return backend().models();
    }
    return discovered == null ? List.of() : discovered;
  }

  /// Whether it might serve models that nobody has seen yet.
  boolean modelsUnknown() {
    return backend().models().isEmpty() && discovered == null;
  }

  Estimates estimates(String model) {
    return estimates.computeIfAbsent(model, _ -> new Estimates());
  }

  Iterable<Estimates> allEstimates() {
    return estimates.values();
  }

  State state(long now) {
    if (!backend().enabled()) {
      return State.DISABLED;
    }
    if (backend().draining()) {
      return State.DRAINING;
    }
    return health.state(now);
  }

  boolean inService() {
    return backend().enabled() && !backend().draining();
  }

  boolean continuationDue(long now) {
    return continuationTries < MAX_CONTINUATION_TRIES && now - nextContinuationNanos >= 0;
  }

  void continuationTried(long now) {
    continuationTries++;
    nextContinuationNanos = now + CONTINUATION_RETRY_NANOS;
  }
}
