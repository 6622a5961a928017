package dev.parley.registry.api;

import dev.parley.registry.RegistryMetrics;
import dev.parley.registry.backend.Checked;
import dev.parley.registry.fleet.BackendStatus;
import dev.parley.registry.fleet.Fleet;
import dev.parley.registry.fleet.OutcomeReport;
import dev.parley.registry.fleet.Selection;
import dev.parley.registry.fleet.SelectionRequest;
import dev.parley.registry.fleet.ServedModel;
import dev.parley.registry.policy.Candidate;
import dev.parley.registry.store.BackendStore;
import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.List;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jspecify.annotations.Nullable;

/// Who should serve a request, what became of it, and what there is to choose from.
@Path("/api")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
@RunOnVirtualThread
@Singleton
@Tag(name = "balancing")
final class BalancingResource {

  record ModelRow(String id, List<String> backends, boolean available) {}

  record ModelList(List<ModelRow> models) {}

  record CapacityRow(
      String id,
      String name,
      String state,
      int inFlight,
      @Nullable Integer maxConcurrency,
      int targetConcurrency,
      double requestsPerSecond) {}

  /// @param maxConcurrency the sum over all backends, or null if one of them has no limit
  record FleetCapacity(int inFlight, @Nullable Integer maxConcurrency, double requestsPerSecond) {}

  record Capacity(List<CapacityRow> backends, FleetCapacity fleet) {}

  private final Fleet fleet;
  private final BackendStore store;
  private final RegistryMetrics metrics;

  @Inject
  BalancingResource(Fleet fleet, BackendStore store, RegistryMetrics metrics) {
    this.fleet = fleet;
    this.store = store;
    this.metrics = metrics;
  }

  @POST
  @Path("/selections")
  @Operation(summary = "The backends to try for a request, in order")
  @APIResponseSchema(SelectionRow.class)
  public Response select(
      @RequestBody(
              content =
                  @Content(
                      mediaType = MediaType.APPLICATION_JSON,
                      schema = @Schema(implementation = SelectionDocument.class)))
          byte[] body) {
    var read = SelectionForm.read(JsonObjectBody.optional(body), fleet.policyNames());
    if (!store.loaded()) {
      return Problem.notLoaded();
    }
    return switch (read) {
      case Checked.Invalid<SelectionRequest>(var violations) -> Problem.invalid(violations);
      case Checked.Valid<SelectionRequest>(var request) -> {
        Selection selection = fleet.select(request);
        metrics.selected(selection);
        yield Response.ok(SelectionRow.of(selection)).build();
      }
    };
  }

  @POST
  @Path("/outcomes")
  @ServiceOnly
  @Operation(summary = "A replica's report; the same (replica, seq) again changes nothing")
  public Response report(
      @RequestBody(
              content =
                  @Content(
                      mediaType = MediaType.APPLICATION_JSON,
                      schema = @Schema(implementation = OutcomeDocument.class)))
          byte[] body) {
    return switch (OutcomeForm.read(JsonObjectBody.read(body))) {
      case Checked.Invalid<OutcomeReport>(var violations) -> Problem.invalid(violations);
      case Checked.Valid<OutcomeReport>(var report) -> {
        if (fleet.report(report)) {
          report.outcomes().forEach(metrics::reported);
        }
        yield Response.accepted().build();
      }
    };
  }

  @GET
  @Path("/models")
  @Operation(summary = "All models and the backends that serve them")
  @APIResponseSchema(ModelList.class)
  public Response models() {
    if (!store.loaded()) {
      return Problem.notLoaded();
    }
    return Response.ok(new ModelList(fleet.models().stream().map(BalancingResource::row).toList()))
        .build();
  }

  @GET
  @Path("/capacity")
  @Operation(summary = "How much is in flight and how much fits")
  @APIResponseSchema(Capacity.class)
  public Response capacity() {
    if (!store.loaded()) {
      return Problem.notLoaded();
    }
    List<CapacityRow> rows = fleet.statuses().stream().map(BalancingResource::row).toList();
    boolean limited = rows.stream().allMatch(row -> row.maxConcurrency() != null);
    return Response.ok(
            new Capacity(
                rows,
                new FleetCapacity(
                    rows.stream().mapToInt(CapacityRow::inFlight).sum(),
                    limited
                        ? (Integer)
                            rows.stream()
                                .mapToInt(r -> r.maxConcurrency() == null ? 0 : r.maxConcurrency())
                                .sum()
                        : null,
                    rows.stream().mapToDouble(CapacityRow::requestsPerSecond).sum())))
        .build();
  }

  private static ModelRow row(ServedModel model) {
    return new ModelRow(model.id(), model.backendIds(), model.available());
  }

  private static CapacityRow row(BackendStatus status) {
    var backend = status.stored().backend();
    return new CapacityRow(
        backend.id(),
        backend.name(),
        status.state().word(),
        status.inFlight(),
        backend.maxConcurrency(),
        Candidate.targetConcurrency(backend.maxConcurrency()),
        status.requestsPerSecond());
  }
}
