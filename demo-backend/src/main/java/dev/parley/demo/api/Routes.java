package dev.parley.demo.api;

import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jboss.logging.MDC;

/// Which path is whose. What is not here and not under `/q` is a JSON 404 or 405.
@ApplicationScoped
class Routes {
  private static final String REQUEST_ID = "X-Request-Id";
  private static final Pattern GOOD_ID = Pattern.compile("[A-Za-z0-9._-]{1,64}");

  /// After everything Quarkus itself serves.
  private static final int LAST = 1_000_000;

  private final Map<String, Map<String, Consumer<HttpServerRequest>>> paths;

  Routes(Completions completions, Faults faults) {
    this.paths =
        Map.of(
            "/v1/chat/completions", Map.of("POST", completions::complete),
            "/v1/models", Map.of("GET", completions::models),
            "/faults",
                Map.of("GET", faults::show, "POST", faults::change, "DELETE", faults::clear));
  }

  void register(@Observes Router router) {
    router.route().order(-1_000).handler(Routes::identify);
    paths.forEach((path, methods) -> router.route(path).handler(ctx -> serve(ctx, methods)));
    router.route().order(LAST).handler(Routes::notFound);
  }

  private static void identify(RoutingContext ctx) {
    String given = ctx.request().getHeader(REQUEST_ID);
    String id =
        given != null && GOOD_ID.matcher(given).matches() ? given : UUID.randomUUID().toString();
    MDC.put("request_id", id);
    ctx.response().putHeader(REQUEST_ID, id);
    ctx.next();
  }

  private static void serve(RoutingContext ctx, Map<String, Consumer<HttpServerRequest>> methods) {
    HttpMethod method = ctx.request().method();
    Consumer<HttpServerRequest> handler = methods.get(method.name());
    if (handler != null) {
      handler.accept(ctx.request());
      return;
    }
    ctx.request().resume();
    ctx.response().putHeader(HttpHeaders.ALLOW, String.join(", ", new TreeMap<>(methods).keySet()));
    Http.error(
        ctx.request(),
        ApiError.of(
            405,
            method + " is not possible on " + ctx.request().path() + ".",
            "method_not_allowed"));
  }

  private static void notFound(RoutingContext ctx) {
    ctx.request().resume();
    Http.error(
        ctx.request(),
        ApiError.of(
            404,
            "There is nothing at "
                + ctx.request().path()
                + "; see /v1/models and /v1/chat/completions.",
            "not_found"));
  }
}
