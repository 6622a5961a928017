package dev.parley.kv.node;

import dev.parley.kv.core.Counters;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.function.ToDoubleFunction;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/// Whether this node should get traffic, and what it measures.
@Readiness
@ApplicationScoped
class Checks implements HealthCheck {

  private final NodeHost host;
  private final MeterRegistry meters;

  Checks(NodeHost host, MeterRegistry meters) {
    this.host = host;
    this.meters = meters;
  }

  @Override
  public HealthCheckResponse call() {
    NodeStatus status = host.status();
    return HealthCheckResponse.named("quorum")
        .status(status.hasQuorum())
        .withData("needed", status.needed())
        .withData("reachable", status.reachable())
        .withData("waits_for", status.waitsFor() == null ? "" : status.waitsFor())
        .build();
  }

  void register(@Observes StartupEvent event) {
    count("rounds", "Ballots decided", Counters::rounds);
    count("rounds.warm", "Ballots that needed one round trip only", Counters::warm);
    count("purges", "Tombstones forgotten by all replicas", Counters::purges);
    count("expirations", "Values deleted because their time was over", Counters::expirations);
    count("conflicts", "Ballots lost to another coordinator or to silence", Counters::conflicts);
    count("hedges", "Writes proposed here because their coordinator was slow", Counters::hedges);
    count("read.replays", "Reads that helped a half-finished write along", Counters::replays);
    count("read.identities", "Reads that needed a ballot of their own", Counters::identities);
    count("moved", "Keys moved to other nodes", Counters::moved);
    count("repaired", "Keys brought up to date because nodes differed", Counters::repaired);
    gauge(
        "partitions.behind",
        "Partitions in which the peer that lags most lacks something, -1 if no peer was compared",
        NodeStatus::mostBehind);
    gauge(
        "moving",
        "1 while the members are being changed",
        status -> status.change().joint() ? 1 : 0);
    gauge("keys", "Keys with a value on this node", NodeStatus::keys);
    gauge("tombstones", "Deleted keys that are not purged yet", NodeStatus::tombstones);
    gauge("epoch", "Epoch of the layout this node goes by", NodeStatus::epoch);
    gauge("live.bytes", "Bytes of values held in memory", NodeStatus::liveBytes);
    gauge("log.bytes", "Bytes of the log on disk", NodeStatus::logBytes);
    gauge(
        "log.backlog.bytes",
        "Bytes of records that wait to be written to the log",
        NodeStatus::backlogBytes);
    gauge("disk.free.bytes", "Bytes free on the disk of the log", NodeStatus::diskFreeBytes);
    gauge(
        "full",
        "1 while new values are refused because there is no room",
        status -> status.full() ? 1 : 0);
    gauge(
        "members.reachable", "Members that can be reached, itself included", NodeStatus::reachable);
  }

  private void count(String name, String description, ToDoubleFunction<Counters> value) {
    FunctionCounter.builder(
            "parley.kv." + name, host, h -> value.applyAsDouble(h.status().counters()))
        .description(description)
        .register(meters);
  }

  private void gauge(String name, String description, ToDoubleFunction<NodeStatus> value) {
    Gauge.builder("parley.kv." + name, host, h -> value.applyAsDouble(h.status()))
        .description(description)
        .register(meters);
  }
}
