package dev.parley.registry.fleet;

import dev.parley.registry.backend.ApiKey;
import java.net.URI;
import org.jspecify.annotations.Nullable;

/// A question to ask a backend now. Each is claimed once and must be answered.
///
/// @param generation which of the backend's descriptions it belongs to; an answer to an older one
///     says nothing
public record ProbeTask(
    String backendId,
    String backendName,
    long generation,
    Kind kind,
    URI baseUrl,
    @Nullable ApiKey apiKey,
    @Nullable String model,
    boolean modelsDeclared) {

  public enum Kind {
    /// Ask for the list of models.
    MODELS,
    /// Send a very small request.
    TRIAL,
    /// See whether it continues a begun answer.
    CONTINUATION
  }
}
