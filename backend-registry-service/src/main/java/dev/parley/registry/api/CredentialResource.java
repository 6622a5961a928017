package dev.parley.registry.api;

import dev.parley.registry.backend.ApiKey;
import dev.parley.registry.fleet.Fleet;
import dev.parley.registry.store.BackendStore;
import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/// Gives a backend's key to the service that talks to it, and to nobody else.
@Path("/internal/backends/{id}/credential")
@ServiceOnly
@Produces(MediaType.APPLICATION_JSON)
@RunOnVirtualThread
@Singleton
@Tag(name = "internal")
final class CredentialResource {

  record Credential(String apiKey) {
    @Override
    public String toString() {
      return "Credential[····]";
    }
  }

  private final Fleet fleet;
  private final BackendStore store;

  @Inject
  CredentialResource(Fleet fleet, BackendStore store) {
    this.fleet = fleet;
    this.store = store;
  }

  @GET
  @Operation(summary = "A backend's key; 404 if it has none")
  public Response get(@PathParam("id") String id) {
    if (!store.loaded()) {
      return Problem.notLoaded();
    }
    ApiKey key = fleet.backend(id).map(stored -> stored.backend().apiKey()).orElse(null);
    return key == null
        ? Problem.of(404, "not-found", "Not found", "there is no such backend, or it has no key")
        : Response.ok(new Credential(key.value()))
            .header(HttpHeaders.CACHE_CONTROL, "no-store")
            .build();
  }
}
