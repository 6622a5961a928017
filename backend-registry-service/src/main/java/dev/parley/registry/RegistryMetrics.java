package dev.parley.registry;

import dev.parley.registry.fleet.BackendStatus;
import dev.parley.registry.fleet.Fleet;
import dev.parley.registry.fleet.Outcome;
import dev.parley.registry.fleet.ProbeResult;
import dev.parley.registry.fleet.ProbeTask;
import dev.parley.registry.fleet.Selection;
import dev.parley.registry.health.State;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// What the registry tells Prometheus.
@Singleton
public final class RegistryMetrics {

  private final Fleet fleet;
  private final MeterRegistry meters;
  private final MultiGauge states;
  private final MultiGauge inFlight;

  @Inject
  RegistryMetrics(Fleet fleet, MeterRegistry meters) {
    this.fleet = fleet;
    this.meters = meters;
    states =
        MultiGauge.builder("parley.backend.state")
            .description("1 for the state that the backend is in")
            .register(meters);
    inFlight =
        MultiGauge.builder("parley.backend.in.flight")
            .description("Requests that all replicas together have on the backend")
            .register(meters);
  }

  /// Brings the gauges up to date with the backends there are.
  void refresh() {
    List<MultiGauge.Row<?>> stateRows = new ArrayList<>();
    List<MultiGauge.Row<?>> inFlightRows = new ArrayList<>();
    for (BackendStatus status : fleet.statuses()) {
      Tags backend = Tags.of("backend", status.stored().backend().name());
      String id = status.stored().backend().id();
      for (State state : State.values()) {
        stateRows.add(
            MultiGauge.Row.of(
                backend.and("state", state.word()),
                () -> fleet.status(id).filter(now -> now.state() == state).isPresent() ? 1 : 0));
      }
      inFlightRows.add(
          MultiGauge.Row.of(
              backend, () -> fleet.status(id).map(BackendStatus::inFlight).orElse(0)));
    }
    states.register(stateRows, true);
    inFlight.register(inFlightRows, true);
  }

  void probed(ProbeTask task, ProbeResult result) {
    meters
        .counter(
            "parley.probes",
            "kind",
            task.kind().name().toLowerCase(Locale.ROOT),
            "result",
            result.getClass().getSimpleName().toLowerCase(Locale.ROOT))
        .increment();
  }

  public void selected(Selection selection) {
    Selection.Unavailable unavailable = selection.unavailable();
    meters
        .counter(
            "parley.selections",
            "policy",
            selection.policy(),
            "result",
            unavailable == null ? "ok" : unavailable.kind().word())
        .increment();
  }

  public void reported(Outcome outcome) {
    meters.counter("parley.outcomes", "kind", outcome.kind().word()).increment();
  }
}
