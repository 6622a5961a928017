package dev.parley.registry.api;

import java.util.List;
import java.util.Map;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.jspecify.annotations.Nullable;

/// What a client writes about a backend, for the API's description only: bodies are read field by
/// field, so that every mistake is named.
@Schema(requiredProperties = {"name", "base_url"})
record BackendDocument(
    String name,
    @Nullable String provider,
    String baseUrl,
    @Nullable String apiKey,
    @Nullable List<String> models,
    @Nullable String model,
    @Nullable Double weight,
    @Nullable Integer maxConcurrency,
    @Nullable Integer tier,
    @Nullable Boolean enabled,
    @Nullable Map<String, String> labels) {}
