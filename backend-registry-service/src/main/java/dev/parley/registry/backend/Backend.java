package dev.parley.registry.backend;

import java.net.URI;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// One OpenAI-compatible server that can answer, as its owner described it.
///
/// @param baseUrl where its API begins, without a slash at the end; `/chat/completions` follows it
/// @param models what it serves; empty means: whatever it lists itself
/// @param weight preference, not capacity: twice the weight halves the score
/// @param maxConcurrency most requests it may hold at once, or null for no limit
/// @param tier used only while no lower tier has anyone available
/// @param draining it finishes what it has and gets nothing new
public record Backend(
    String id,
    String name,
    String provider,
    URI baseUrl,
    @Nullable ApiKey apiKey,
    List<String> models,
    double weight,
    @Nullable Integer maxConcurrency,
    int tier,
    boolean enabled,
    Map<String, String> labels,
    boolean draining,
    Instant createdAt,
    Instant updatedAt) {

  public Backend {
    models = List.copyOf(models);
    labels = Collections.unmodifiableMap(new TreeMap<>(labels));
  }

  /// The backend that `draft` describes, new in the registry.
  public static Backend create(String id, BackendDraft draft, String apiKeyVersion, Instant now) {
    return of(id, draft, draft.apiKey().over(null, apiKeyVersion), false, now, now);
  }

  /// This backend, described anew. It keeps its id, its age and whether it drains.
  public Backend replacedBy(BackendDraft draft, String apiKeyVersion, Instant now) {
    return of(id, draft, draft.apiKey().over(apiKey, apiKeyVersion), draining, createdAt, now);
  }

  /// This backend in service or not. Both end a draining.
  public Backend withEnabled(boolean now, Instant at) {
    return inService(now, false, at);
  }

  /// This backend, draining.
  public Backend drained(Instant at) {
    return inService(enabled, true, at);
  }

  private Backend inService(boolean nowEnabled, boolean nowDraining, Instant at) {
    return new Backend(
        id,
        name,
        provider,
        baseUrl,
        apiKey,
        models,
        weight,
        maxConcurrency,
        tier,
        nowEnabled,
        labels,
        nowDraining,
        createdAt,
        at);
  }

  /// Whether a health judgement about `other` says anything about this one.
  public boolean answersLike(Backend other) {
    return baseUrl.equals(other.baseUrl)
        && Objects.equals(apiKey, other.apiKey)
        && models.equals(other.models);
  }

  private static Backend of(
      String id,
      BackendDraft draft,
      @Nullable ApiKey apiKey,
      boolean draining,
      Instant createdAt,
      Instant updatedAt) {
    return new Backend(
        id,
        draft.name(),
        draft.provider(),
        draft.baseUrl(),
        apiKey,
        draft.models(),
        draft.weight(),
        draft.maxConcurrency(),
        draft.tier(),
        draft.enabled(),
        draft.labels(),
        draining,
        createdAt,
        updatedAt);
  }
}
