package dev.parley.registry.probe;

import dev.parley.registry.backend.ApiKey;
import java.net.URI;
import org.jspecify.annotations.Nullable;

/// Whom to talk to in a probe.
record Target(URI baseUrl, @Nullable ApiKey apiKey) {

  URI models() {
    return URI.create(baseUrl + "/models");
  }

  URI completions() {
    return URI.create(baseUrl + "/chat/completions");
  }
}
