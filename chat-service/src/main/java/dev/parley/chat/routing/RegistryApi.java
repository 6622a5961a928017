package dev.parley.chat.routing;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.parley.chat.balance.Selection;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.eclipse.microprofile.rest.client.inject.RegisterRestClient;
import org.jspecify.annotations.Nullable;

/// What this service asks of the backend registry.
@RegisterRestClient(configKey = "registry")
@Path("/")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
public interface RegistryApi {

  @POST
  @Path("api/selections")
  Selection select(@HeaderParam("Authorization") String token, SelectionRequest request);

  @GET
  @Path("api/models")
  Models models(@HeaderParam("Authorization") String token);

  @GET
  @Path("internal/backends/{id}/credential")
  Credential credential(@HeaderParam("Authorization") String token, @PathParam("id") String id);

  @POST
  @Path("api/outcomes")
  void report(@HeaderParam("Authorization") String token, Report report);

  @JsonInclude(JsonInclude.Include.NON_NULL)
  record SelectionRequest(@Nullable String model) {}

  record Models(@Nullable List<Model> models) {}

  record Model(String id, @Nullable List<String> backends, boolean available) {}

  record Credential(@Nullable String apiKey) {
    @Override
    public String toString() {
      return "Credential[***]";
    }
  }

  record Report(String replica, long seq, Map<String, Integer> inFlight, List<Outcome> outcomes) {}

  record Outcome(
      String backendId,
      String model,
      Instant at,
      String kind,
      String reason,
      int inFlightAtStart,
      long promptTokens,
      long outputTokens,
      @Nullable Long firstTokenMs,
      @Nullable Long generationMs,
      @Nullable Long retryAfterMs) {}
}
