package dev.parley.frontend.guard;

import java.util.Map;

/// The headers on every response of this origin.
public final class SecurityHeaders {
  /// Nothing remote, nothing inline, no frame, and no string may become script or markup unless a
  /// Trusted Types policy made it.
  public static final String CONTENT_SECURITY_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
          + " connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self';"
          + " frame-ancestors 'none'; require-trusted-types-for 'script'";

  public static final Map<String, String> ALL =
      Map.of(
          "Content-Security-Policy", CONTENT_SECURITY_POLICY,
          "X-Content-Type-Options", "nosniff",
          "Referrer-Policy", "no-referrer");

  private SecurityHeaders() {}
}
