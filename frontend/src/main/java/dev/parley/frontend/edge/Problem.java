package dev.parley.frontend.edge;

import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.json.JsonObject;
import org.jspecify.annotations.Nullable;

/// An error of the frontend itself, told as `application/problem+json`, and below `/v1` as an
/// error object of OpenAI's API.
///
/// @param retryAfterSeconds value of Retry-After, or null for none
record Problem(
    int status, String type, String title, String detail, @Nullable Integer retryAfterSeconds) {

  static final Problem NOT_FOUND =
      new Problem(404, "not-found", "Not found", "There is nothing at this address.", null);
  static final Problem FOREIGN_ORIGIN =
      new Problem(
          403,
          "foreign-origin",
          "Foreign origin",
          "A page of another origin may not change anything here.",
          null);
  static final Problem UNKNOWN_HOST =
      new Problem(
          421,
          "unknown-host",
          "Unknown host name",
          "This name is not configured; add it to parley.allowed-hosts (PARLEY_ALLOWED_HOSTS).",
          null);
  static final Problem TOO_LARGE =
      new Problem(413, "too-large", "Body too large", "The request body is too large.", null);
  static final Problem NOTHING_UP =
      new Problem(
          503,
          "service-unavailable",
          "Service unavailable",
          "No replica of the service behind this address answers now. Nothing was changed.",
          1);
  static final Problem OUTCOME_UNKNOWN =
      new Problem(
          502,
          "outcome-unknown",
          "Outcome unknown",
          "The connection broke after the request was sent; it may or may not have been applied.",
          null);
  static final Problem TOO_SLOW =
      new Problem(
          504,
          "outcome-unknown",
          "No answer in time",
          "The service did not answer in time; the request may or may not have been applied.",
          null);

  /// Ends the response with this problem, unless it has begun.
  void answer(HttpServerRequest request) {
    var response = request.response();
    if (response.headWritten() || response.closed()) {
      return;
    }
    response.setStatusCode(status);
    // What calls /v1 is an OpenAI client and reads errors only in that form.
    boolean openAi = request.path() != null && request.path().startsWith("/v1/");
    response.putHeader("Content-Type", openAi ? "application/json" : "application/problem+json");
    response.putHeader("Cache-Control", "no-store");
    if (retryAfterSeconds != null) {
      response.putHeader("Retry-After", Integer.toString(retryAfterSeconds));
    }
    response.end((openAi ? openAiError() : problem()).toBuffer());
  }

  private JsonObject problem() {
    return new JsonObject()
        .put("type", "/problems/" + type)
        .put("title", title)
        .put("status", status)
        .put("detail", detail);
  }

  private JsonObject openAiError() {
    return new JsonObject()
        .put(
            "error",
            new JsonObject()
                .put("message", detail)
                .put("type", status < 500 ? "invalid_request_error" : "server_error")
                .put("param", null)
                .put("code", type.replace('-', '_')));
  }
}
