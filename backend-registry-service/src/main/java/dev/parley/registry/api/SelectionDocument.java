package dev.parley.registry.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a client asks of a selection, for the API's description only; see [BackendDocument].
record SelectionDocument(
    @Nullable String model,
    @Nullable String policy,
    @Nullable String session,
    @Nullable String clientIp,
    @Nullable Integer promptTokens,
    @Nullable Integer maxTokens,
    @Nullable List<String> exclude) {}
