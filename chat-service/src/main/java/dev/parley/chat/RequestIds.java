package dev.parley.chat;

import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jboss.logging.MDC;

/// Gives every request an id, the caller's own if it is a decent one, and returns it.
@ApplicationScoped
public class RequestIds {

  public static final String HEADER = "X-Request-Id";
  public static final String KEY = "request_id";
  private static final Pattern DECENT = Pattern.compile("[A-Za-z0-9._-]{1,64}");
  private static final int BEFORE_EVERYTHING_ELSE = 10_000;

  void install(@Observes Filters filters) {
    filters.register(
        rc -> {
          String given = rc.request().getHeader(HEADER);
          String id =
              given != null && DECENT.matcher(given).matches()
                  ? given
                  : UUID.randomUUID().toString();
          rc.put(KEY, id);
          MDC.put(KEY, id);
          rc.response().putHeader(HEADER, id);
          rc.next();
        },
        BEFORE_EVERYTHING_ELSE);
  }

  public static String of(RoutingContext rc) {
    String id = rc.get(KEY);
    return id == null ? "" : id;
  }
}
