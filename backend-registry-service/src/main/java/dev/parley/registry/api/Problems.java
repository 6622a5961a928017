package dev.parley.registry.api;

import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.Response;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;

/// Turns what was thrown into problem documents.
final class Problems {

  private static final Logger LOG = Logger.getLogger(Problems.class);

  @ServerExceptionMapper
  Response malformed(JsonObjectBody.MalformedException e) {
    return Problem.malformed(String.valueOf(e.getMessage()));
  }

  @ServerExceptionMapper
  Response refused(WebApplicationException e) {
    int status = e.getResponse().getStatus();
    if (e.getResponse().hasEntity()) {
      return e.getResponse();
    }
    String title = e.getResponse().getStatusInfo().getReasonPhrase();
    var builder = Problem.builder(status, "http-" + status, title, title);
    String allow = e.getResponse().getHeaderString(HttpHeaders.ALLOW);
    return allow == null ? builder.build() : builder.header(HttpHeaders.ALLOW, allow).build();
  }

  @ServerExceptionMapper
  Response broken(RuntimeException e) {
    LOG.error("a request failed in an unexpected way", e);
    return Problem.of(500, "internal", "Something went wrong here", "see the registry's log");
  }
}
