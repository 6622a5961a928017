package dev.parley.registry.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.parley.registry.backend.Violation;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// An error as the API answers it (RFC 9457).
///
/// @param type a stable name of the kind of problem
/// @param field the first field that is wrong, if the request is
/// @param violations every field that is wrong
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Problem(
    String type,
    String title,
    int status,
    String detail,
    @Nullable String field,
    @Nullable List<Violation> violations) {

  public static final MediaType MEDIA_TYPE = new MediaType("application", "problem+json");

  /// The store heals by itself within seconds, if it can.
  private static final int STORE_RETRY_SECONDS = 2;

  static Response of(int status, String kind, String title, String detail) {
    return builder(status, kind, title, detail).build();
  }

  static Response.ResponseBuilder builder(int status, String kind, String title, String detail) {
    return respond(new Problem(typed(kind), title, status, detail, null, null));
  }

  static Response invalid(List<Violation> violations) {
    Violation first = violations.getFirst();
    return respond(
            new Problem(
                typed("invalid-field"),
                "A field is not valid",
                400,
                first.field() + " " + first.detail(),
                first.field(),
                violations))
        .build();
  }

  static Response malformed(String detail) {
    return of(400, "malformed-json", "The body is not what was expected", detail);
  }

  static Response storeUnavailable(String reason, boolean unknown) {
    return builder(
            503,
            unknown ? "outcome-unknown" : "not-applied",
            "The store does not answer",
            unknown
                ? reason + "; the change may have been made, read to find out"
                : reason + "; nothing was changed")
        .header(HttpHeaders.RETRY_AFTER, STORE_RETRY_SECONDS)
        .build();
  }

  static Response notLoaded() {
    return builder(
            503,
            "not-loaded",
            "The backends are not known yet",
            "the backends have not been read from the store yet")
        .header(HttpHeaders.RETRY_AFTER, STORE_RETRY_SECONDS)
        .build();
  }

  private static Response.ResponseBuilder respond(Problem problem) {
    return Response.status(problem.status).type(MEDIA_TYPE).entity(problem);
  }

  private static String typed(String kind) {
    return "/problems/" + kind;
  }
}
