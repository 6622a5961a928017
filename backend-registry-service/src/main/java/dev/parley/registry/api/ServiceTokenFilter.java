package dev.parley.registry.api;

import dev.parley.registry.Settings;
import jakarta.inject.Inject;
import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ContainerRequestFilter;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.ext.Provider;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

/// Lets only those through who know the service token. The comparison takes the same time whatever
/// was sent, so that a token cannot be guessed letter by letter.
@Provider
@ServiceOnly
final class ServiceTokenFilter implements ContainerRequestFilter {

  private final jakarta.inject.Provider<Settings> settings;

  /// @param settings asked for only when needed: filters are made before the configuration is read
  @Inject
  ServiceTokenFilter(jakarta.inject.Provider<Settings> settings) {
    this.settings = settings;
  }

  @Override
  public void filter(ContainerRequestContext request) {
    byte[] expected = ("Bearer " + settings.get().serviceToken()).getBytes(StandardCharsets.UTF_8);
    String given = request.getHeaderString(HttpHeaders.AUTHORIZATION);
    byte[] bytes = (given == null ? "" : given).getBytes(StandardCharsets.UTF_8);
    if (!MessageDigest.isEqual(expected, bytes)) {
      request.abortWith(
          Problem.builder(401, "unauthorized", "Unauthorized", "this needs the service token")
              .header(HttpHeaders.WWW_AUTHENTICATE, "Bearer")
              .build());
    }
  }
}
