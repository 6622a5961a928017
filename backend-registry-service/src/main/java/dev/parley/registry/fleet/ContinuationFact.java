package dev.parley.registry.fleet;

import java.net.URI;

/// Whether a model at an address continues a begun answer, found out once.
public record ContinuationFact(String backendId, URI baseUrl, String model, boolean continues) {}
