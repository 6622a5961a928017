package dev.parley.chat.routing;

import dev.parley.chat.ChatConfig;
import dev.parley.chat.balance.InFlight;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.ws.rs.WebApplicationException;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// Tells the registry how attempts ended and what is in flight, in batches, off the request path.
///
/// A batch that fails is sent again under the same number, which the registry counts once. The
/// queue is bounded: with the registry gone for long, the oldest outcomes are forgotten.
@ApplicationScoped
public class Reporter {

  private static final Logger LOG = Logger.getLogger(Reporter.class);

  /// What says that the report itself is at fault and will never be taken as it is.
  private static final Set<Integer> REFUSALS = Set.of(400, 413, 415, 422);

  private static final int BATCH = 256;
  private static final int QUEUE = 4_096;

  private final GuardedRegistry registry;
  private final InFlight inFlight;
  private final String replica;
  private final long intervalMillis;
  private final BlockingQueue<RegistryApi.Outcome> queue = new ArrayBlockingQueue<>(QUEUE);
  private final Counter dropped;
  private long seq;
  private volatile boolean running = true;
  private @Nullable Thread sender;

  @Inject
  Reporter(
      GuardedRegistry registry,
      InFlight inFlight,
      ChatConfig config,
      InstantSource clock,
      MeterRegistry metrics) {
    this.registry = registry;
    this.inFlight = inFlight;
    this.replica = config.name();
    this.intervalMillis = config.chat().reportInterval().toMillis();
    this.dropped = metrics.counter("parley_outcomes_dropped");
    // Numbers must rise across restarts of the same replica, of which nothing is stored.
    this.seq = clock.millis() * 1_000;
  }

  void start(@Observes StartupEvent event) {
    sender = Thread.ofVirtual().name("outcomes").start(this::run);
  }

  void stop(@Observes ShutdownEvent event) {
    running = false;
    if (sender != null) {
      sender.interrupt();
    }
  }

  public void add(RegistryApi.Outcome outcome) {
    while (!queue.offer(outcome)) {
      if (queue.poll() != null) {
        dropped.increment();
      }
    }
  }

  private void run() {
    RegistryApi.Report unsent = null;
    while (running) {
      try {
        if (unsent == null) {
          unsent = new RegistryApi.Report(replica, ++seq, inFlight.levels(), nextBatch());
        }
        registry.report(unsent);
        unsent = null;
      } catch (InterruptedException stopped) {
        return;
      } catch (RuntimeException failed) {
        if (unsent != null && refusedForGood(failed)) {
          // Those behind it must not wait for it.
          LOG.warnf("the registry refused a report: %s", failed.getMessage());
          dropped.increment(unsent.outcomes().size());
          unsent = null;
        }
        try {
          Thread.sleep(intervalMillis);
        } catch (InterruptedException stopped) {
          return;
        }
        if (unsent != null && unsent.outcomes().isEmpty()) {
          // A heartbeat is worth nothing late.
          unsent = null;
        }
      }
    }
  }

  private static boolean refusedForGood(RuntimeException failed) {
    return failed instanceof WebApplicationException answered
        && REFUSALS.contains(answered.getResponse().getStatus());
  }

  /// Collects for one interval, or until the batch is full.
  private List<RegistryApi.Outcome> nextBatch() throws InterruptedException {
    List<RegistryApi.Outcome> batch = new ArrayList<>();
    long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(intervalMillis);
    while (batch.size() < BATCH) {
      long left = until - System.nanoTime();
      RegistryApi.Outcome next = left <= 0 ? null : queue.poll(left, TimeUnit.NANOSECONDS);
      if (next == null) {
        break;
      }
      batch.add(next);
    }
    return batch;
  }
}
