package dev.parley.frontend.edge;

import dev.parley.frontend.Settings;
import dev.parley.frontend.guard.HostRule;
import dev.parley.frontend.guard.OriginRule;
import dev.parley.frontend.guard.RequestId;
import dev.parley.frontend.guard.SecurityHeaders;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.UUID;
import org.jboss.logging.MDC;
import org.jspecify.annotations.Nullable;

/// Puts the rules of `guard` in front of everything this origin serves.
@Singleton
final class Guards {
  static final String REQUEST_ID = "X-Request-Id";

  private static final int BEFORE_EVERYTHING = 1000;

  private final HostRule hosts;
  private final OriginRule origins;

  Guards(Settings settings) {
    hosts = new HostRule(settings.allowedHosts());
    origins = new OriginRule(settings.publicOrigins());
  }

  void install(@Observes Filters filters) {
    filters.register(this::guard, BEFORE_EVERYTHING);
  }

  private void guard(RoutingContext context) {
    var request = context.request();
    var response = request.response();
    SecurityHeaders.ALL.forEach(response::putHeader);
    var id = RequestId.of(request.getHeader(REQUEST_ID), () -> UUID.randomUUID().toString());
    response.putHeader(REQUEST_ID, id);
    MDC.put("request_id", id);

    var authority = authority(request);
    // Probes of an orchestrator address the pod by whatever name they like, and learn nothing.
    boolean probe = context.normalizedPath().startsWith("/q/health");
    if (!probe && (authority == null || !hosts.allows(authority))) {
      refuse(context, Problem.UNKNOWN_HOST);
      return;
    }
    if (!origins.allows(
        request.method().name(),
        request.getHeader("Origin"),
        request.getHeader("Sec-Fetch-Site"),
        authority == null ? "" : authority)) {
      refuse(context, Problem.FOREIGN_ORIGIN);
      return;
    }
    context.next();
  }

  private static void refuse(RoutingContext context, Problem problem) {
    problem.answer(context.request());
  }

  private static @Nullable String authority(HttpServerRequest request) {
    var authority = request.authority();
    return authority == null ? null : authority.toString();
  }
}
