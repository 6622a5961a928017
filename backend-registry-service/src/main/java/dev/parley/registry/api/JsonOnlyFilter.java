package dev.parley.registry.api;

import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ContainerRequestFilter;
import jakarta.ws.rs.container.PreMatching;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.ext.Provider;
import java.util.Set;

/// Refuses whatever would change something and does not call itself JSON, even without a body: a
/// browser sends such a request for any foreign page only after asking, and nobody here says yes.
@Provider
@PreMatching
final class JsonOnlyFilter implements ContainerRequestFilter {

  private static final Set<String> WITH_BODY = Set.of("POST", "PUT", "PATCH");

  @Override
  public void filter(ContainerRequestContext request) {
    if (!WITH_BODY.contains(request.getMethod())) {
      return;
    }
    MediaType type;
    try {
      type = request.getMediaType();
    } catch (IllegalArgumentException e) {
      type = null;
    }
    if (type == null
        || !MediaType.APPLICATION_JSON_TYPE.isCompatible(type)
        || type.isWildcardType()) {
      request.abortWith(
          Problem.of(
              415,
              "unsupported-media-type",
              "Unsupported media type",
              "send Content-Type: application/json, also without a body"));
    }
  }
}
