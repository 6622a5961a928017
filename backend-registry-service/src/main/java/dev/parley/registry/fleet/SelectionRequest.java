package dev.parley.registry.fleet;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Who is asked for: a model, or any.
public record SelectionRequest(
    @Nullable String model,
    @Nullable String policy,
    @Nullable Integer promptTokens,
    @Nullable Integer maxTokens,
    Set<String> exclude) {

  public SelectionRequest {
    exclude = Set.copyOf(exclude);
  }
}
