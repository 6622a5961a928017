package dev.parley.registry.fleet;

import dev.parley.registry.backend.Backend;

/// A backend with the version of its record in the store, which is its ETag.
public record StoredBackend(Backend backend, String version) {}
