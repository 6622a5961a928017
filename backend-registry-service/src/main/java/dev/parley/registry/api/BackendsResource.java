package dev.parley.registry.api;

import dev.parley.registry.Settings;
import dev.parley.registry.backend.ApiKey;
import dev.parley.registry.backend.Backend;
import dev.parley.registry.backend.BackendDraft;
import dev.parley.registry.backend.Checked;
import dev.parley.registry.backend.KeyChange;
import dev.parley.registry.fleet.BackendStatus;
import dev.parley.registry.fleet.Fleet;
import dev.parley.registry.fleet.StoredBackend;
import dev.parley.registry.probe.BackendTrial;
import dev.parley.registry.probe.TrialReport;
import dev.parley.registry.store.BackendStore;
import dev.parley.registry.store.Change;
import dev.parley.registry.store.VersionMatch;
import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.function.BiFunction;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jspecify.annotations.Nullable;

/// The backends: list, add, change, try out, take out of service.
@Path("/api/backends")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
@RunOnVirtualThread
@Singleton
@Tag(name = "backends")
final class BackendsResource {

  /// Each test holds connections to somebody else's server.
  private static final int MAX_TESTS = 8;

  private static final int BUSY_RETRY_SECONDS = 5;

  /// The list of backends.
  record BackendList(List<BackendRow> backends) {}

  private final Fleet fleet;
  private final BackendStore store;
  private final BackendTrial trial;
  private final Settings settings;
  private final Semaphore tests = new Semaphore(MAX_TESTS);

  @Inject
  BackendsResource(Fleet fleet, BackendStore store, BackendTrial trial, Settings settings) {
    this.fleet = fleet;
    this.store = store;
    this.trial = trial;
    this.settings = settings;
  }

  @GET
  @Operation(summary = "All backends, each with what is known about it now")
  @APIResponseSchema(BackendList.class)
  public Response list() {
    if (!store.loaded()) {
      return Problem.notLoaded();
    }
    return Response.ok(new BackendList(fleet.statuses().stream().map(BackendRow::of).toList()))
        .build();
  }

  @POST
  @Operation(summary = "Add a backend")
  @APIResponseSchema(value = BackendRow.class, responseCode = "201")
  public Response create(
      @RequestBody(
              content =
                  @Content(
                      mediaType = MediaType.APPLICATION_JSON,
                      schema = @Schema(implementation = BackendDocument.class)))
          byte[] body) {
    return switch (BackendDraft.create(JsonObjectBody.read(body), settings.allowed())) {
      case Checked.Invalid<BackendDraft>(var violations) -> Problem.invalid(violations);
      case Checked.Valid<BackendDraft>(var draft) -> answer(store.create(draft), 201);
    };
  }

  @GET
  @Path("/{id}")
  @Operation(summary = "One backend")
  @APIResponseSchema(BackendRow.class)
  public Response get(@PathParam("id") String id) {
    if (!store.loaded()) {
      return Problem.notLoaded();
    }
    return fleet.status(id).map(status -> show(status, 200)).orElseGet(BackendsResource::notFound);
  }

  @PUT
  @Path("/{id}")
  @Operation(summary = "Describe a backend anew; api_key absent keeps the key, null removes it")
  @APIResponseSchema(BackendRow.class)
  public Response replace(
      @PathParam("id") String id,
      @HeaderParam(HttpHeaders.IF_MATCH) @Nullable String ifMatch,
      @RequestBody(
              content =
                  @Content(
                      mediaType = MediaType.APPLICATION_JSON,
                      schema = @Schema(implementation = BackendDocument.class)))
          byte[] body) {
    Map<String, Object> json = JsonObjectBody.read(body);
    return answer(
        store.replace(
            id,
            VersionMatch.of(ifMatch),
            current -> BackendDraft.replace(json, settings.allowed(), current)),
        200);
  }

  @DELETE
  @Path("/{id}")
  @Operation(summary = "Remove a backend")
  public Response delete(
      @PathParam("id") String id, @HeaderParam(HttpHeaders.IF_MATCH) @Nullable String ifMatch) {
    return answer(store.delete(id, VersionMatch.of(ifMatch)), 204);
  }

  @POST
  @Path("/{id}/drain")
  @Operation(summary = "Give it no new requests; those it has are finished")
  @APIResponseSchema(BackendRow.class)
  public Response drain(
      @PathParam("id") String id, @HeaderParam(HttpHeaders.IF_MATCH) @Nullable String ifMatch) {
    return edit(id, ifMatch, Backend::drained);
  }

  @POST
  @Path("/{id}/enable")
  @Operation(summary = "Put it into service; ends a draining")
  @APIResponseSchema(BackendRow.class)
  public Response enable(
      @PathParam("id") String id, @HeaderParam(HttpHeaders.IF_MATCH) @Nullable String ifMatch) {
    return edit(id, ifMatch, (backend, now) -> backend.withEnabled(true, now));
  }

  @POST
  @Path("/{id}/disable")
  @Operation(summary = "Take it out of service; it is not even probed")
  @APIResponseSchema(BackendRow.class)
  public Response disable(
      @PathParam("id") String id, @HeaderParam(HttpHeaders.IF_MATCH) @Nullable String ifMatch) {
    return edit(id, ifMatch, (backend, now) -> backend.withEnabled(false, now));
  }

  @POST
  @Path("/{id}/test")
  @Operation(summary = "Try it out now")
  @APIResponseSchema(TrialReport.class)
  public Response test(@PathParam("id") String id) {
    if (!store.loaded()) {
      return Problem.notLoaded();
    }
    return fleet
        .backend(id)
        .map(StoredBackend::backend)
        .map(backend -> run(backend.baseUrl(), backend.apiKey(), backend.models()))
        .orElseGet(BackendsResource::notFound);
  }

  @POST
  @Path("/test")
  @Operation(summary = "Try out a backend that is not saved")
  @APIResponseSchema(TrialReport.class)
  public Response testUnsaved(
      @RequestBody(
              content =
                  @Content(
                      mediaType = MediaType.APPLICATION_JSON,
                      schema = @Schema(implementation = BackendDocument.class)))
          byte[] body) {
    Map<String, Object> json = JsonObjectBody.read(body);
    return switch (BackendDraft.trial(json, settings.allowed())) {
      case Checked.Invalid<BackendDraft>(var violations) -> Problem.invalid(violations);
      case Checked.Valid<BackendDraft>(var draft) ->
          run(draft.baseUrl(), keyFor(draft, json.get("id")), draft.models());
    };
  }

  /// A saved backend that is being edited is tested with its stored key, but only where that key
  /// already goes.
  private @Nullable ApiKey keyFor(BackendDraft draft, @Nullable Object id) {
    ApiKey stored = null;
    if (id instanceof String text && draft.apiKey() instanceof KeyChange.Keep) {
      stored =
          fleet
              .backend(text)
              .map(StoredBackend::backend)
              .filter(backend -> backend.baseUrl().equals(draft.baseUrl()))
              .map(Backend::apiKey)
              .orElse(null);
    }
    return draft.apiKey().over(stored, "");
  }

  private Response run(URI baseUrl, @Nullable ApiKey key, List<String> models) {
    if (!tests.tryAcquire()) {
      return Problem.builder(
              429, "too-many-tests", "Too many tests", "other tests are running; try again soon")
          .header(HttpHeaders.RETRY_AFTER, BUSY_RETRY_SECONDS)
          .build();
    }
    try {
      return Response.ok(trial.run(baseUrl, key, models)).build();
    } finally {
      tests.release();
    }
  }

  private Response edit(
      String id, @Nullable String ifMatch, BiFunction<Backend, Instant, Backend> edit) {
    return answer(store.edit(id, VersionMatch.of(ifMatch), edit), 200);
  }

  private Response answer(Change change, int status) {
    return switch (change) {
      case Change.Done(StoredBackend stored) ->
          fleet
              .status(stored.backend().id())
              .map(now -> show(now, status))
              .orElseGet(BackendsResource::notFound);
      case Change.Removed() -> Response.noContent().build();
      case Change.NotFound() -> notFound();
      case Change.Stale(String current) ->
          Problem.builder(
                  412,
                  "version-mismatch",
                  "Somebody changed it",
                  "the backend was changed since it was read; read it again")
              .header(HttpHeaders.ETAG, tag(current))
              .build();
      case Change.Invalid(var violations) -> Problem.invalid(violations);
      case Change.Full(int limit) ->
          Problem.of(
              409, "too-many-backends", "Too many backends", "there are " + limit + " already");
      case Change.Unavailable(String reason, boolean unknown) ->
          Problem.storeUnavailable(reason, unknown);
      case Change.Overtaken() -> throw new IllegalStateException("the store retries this itself");
    };
  }

  private static Response show(BackendStatus status, int code) {
    Response.ResponseBuilder builder =
        Response.status(code)
            .header(HttpHeaders.ETAG, tag(status.stored().version()))
            .header(HttpHeaders.CACHE_CONTROL, "no-cache")
            .entity(BackendRow.of(status));
    return code == 201
        ? builder
            .header(HttpHeaders.LOCATION, "/api/backends/" + status.stored().backend().id())
            .build()
        : builder.build();
  }

  private static Response notFound() {
    return Problem.of(404, "not-found", "Not found", "there is no backend with this id");
  }

  private static String tag(String version) {
    return "\"" + version + "\"";
  }
}
