package dev.parley.chat.api;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.openai.RetryAfter;
import dev.parley.kv.client.StoreUnavailableException;
import jakarta.annotation.Priority;
import jakarta.inject.Inject;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Response;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;
import org.jspecify.annotations.Nullable;

/// The one place where a failure becomes a status: `application/problem+json`.
public class Problems {

  private static final Logger LOG = Logger.getLogger(Problems.class);
  private static final String MEDIA_TYPE = "application/problem+json";
  private static final long STORE_RETRY_MILLIS = 2_000;

  private final ObjectMapper mapper;

  @Inject
  Problems(ObjectMapper mapper) {
    this.mapper = mapper;
  }

  /// A problem as it goes over the wire.
  record Problem(
      int status,
      String type,
      String title,
      String detail,
      @Nullable String field,
      @Nullable Long retryAfterMillis) {

    byte[] json(ObjectMapper mapper) {
      Map<String, Object> body = new LinkedHashMap<>();
      body.put("type", "/problems/" + type);
      body.put("title", title);
      body.put("status", status);
      body.put("detail", detail);
      if (field != null) {
        body.put("field", field);
      }
      try {
        return mapper.writeValueAsBytes(body);
      } catch (java.io.IOException impossible) {
        throw new java.io.UncheckedIOException(impossible);
      }
    }
  }

  static Problem of(Refusal refusal) {
    return switch (refusal) {
      case Refusal.Invalid(var field, var detail) ->
          new Problem(400, "invalid-request", "The request is not valid", detail, field, null);
      case Refusal.NoConversation(var id) ->
          new Problem(
              404,
              "unknown-conversation",
              "There is no such conversation",
              "There is no conversation '" + id + "'.",
              null,
              null);
      case Refusal.NoMessage(var id) ->
          new Problem(
              404,
              "unknown-message",
              "There is no such message",
              "There is no message '" + id + "' here.",
              null,
              null);
      case Refusal.UnknownModel(var model) ->
          new Problem(
              404,
              "unknown-model",
              "There is no such model",
              "No backend has a model '" + model + "'.",
              "model",
              null);
      case Refusal.TooLarge(var detail) ->
          new Problem(413, "too-large", "The request is too large", detail, null, null);
      case Refusal.WrongType _ ->
          new Problem(
              415,
              "wrong-content-type",
              "The content type is not supported",
              "The content type must be application/json.",
              null,
              null);
      case Refusal.Busy _ ->
          new Problem(
              409,
              "generation-in-progress",
              "An answer is being written",
              "An answer is being written in this conversation. Wait for it, or stop it.",
              null,
              null);
      case Refusal.Overloaded _ ->
          new Problem(
              429,
              "overloaded",
              "Too much at once",
              "This replica writes as many answers as it can.",
              null,
              1_000L);
      case Refusal.Draining _ ->
          new Problem(
              503,
              "draining",
              "This replica is shutting down",
              "Another replica will take the request.",
              null,
              1_000L);
      case Refusal.StoreUnavailable(var reason) ->
          new Problem(
              503,
              "store-unavailable",
              "The store cannot be reached",
              reason,
              null,
              STORE_RETRY_MILLIS);
      case Refusal.NoAnswer(var type, var detail, var retry) ->
          new Problem(503, type, "No answer could be had", detail, null, retry);
    };
  }

  Response response(Refusal refusal) {
    return response(of(refusal));
  }

  private Response response(Problem problem) {
    Response.ResponseBuilder builder =
        Response.status(problem.status).type(MEDIA_TYPE).entity(problem.json(mapper));
    if (problem.retryAfterMillis != null) {
      builder.header("Retry-After", RetryAfter.header(problem.retryAfterMillis));
    }
    return builder.build();
  }

  @ServerExceptionMapper
  Response refused(JsonBody.Refused refused) {
    return response(refused.why());
  }

  @ServerExceptionMapper
  Response storeUnavailable(StoreUnavailableException unavailable) {
    return response(new Refusal.StoreUnavailable(String.valueOf(unavailable.getMessage())));
  }

  @ServerExceptionMapper
  @Priority(1)
  Response http(WebApplicationException failure) {
    int status = failure.getResponse().getStatus();
    String reason = failure.getResponse().getStatusInfo().getReasonPhrase();
    Response answer =
        response(
            status == 415
                ? of(new Refusal.WrongType())
                : new Problem(status, "http-" + status, reason, reason + ".", null, null));
    String allowed = failure.getResponse().getHeaderString("Allow");
    return allowed == null
        ? answer
        : Response.fromResponse(answer).header("Allow", allowed).build();
  }

  @ServerExceptionMapper
  Response unexpected(RuntimeException broken) {
    LOG.error("a request failed unexpectedly", broken);
    return response(
        new Problem(
            500, "internal", "Something is broken here", "The request failed.", null, null));
  }
}
