package dev.parley.registry;

import dev.parley.kv.client.KvStore;
import dev.parley.kv.client.StoreUnavailableException;
import dev.parley.kv.client.WatchListener;
import dev.parley.registry.fleet.Fleet;
import dev.parley.registry.fleet.ProbeResult;
import dev.parley.registry.fleet.ProbeTask;
import dev.parley.registry.probe.Prober;
import dev.parley.registry.store.BackendStore;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// What the registry does by itself: it reads the backends again when they changed in the store,
/// and from time to time, and asks those that are due how they are. Each runs on a virtual thread,
/// and survives any failure of its work.
@Singleton
final class RegistryLoops {

  private static final Logger LOG = Logger.getLogger(RegistryLoops.class);
  private static final Duration LOAD_RETRY = Duration.ofSeconds(1);
  private static final Duration PROBE_TICK = Duration.ofMillis(100);

  /// Requests that cost tokens, at once over all backends.
  private static final int MAX_COMPLETIONS = 8;

  private final Settings settings;
  private final Fleet fleet;
  private final BackendStore store;
  private final Prober prober;
  private final RegistryMetrics metrics;
  private final Semaphore completions = new Semaphore(MAX_COMPLETIONS);
  private final Semaphore changed = new Semaphore(0);
  private final KvStore kv;
  private KvStore.@Nullable Watch watch;
  private volatile boolean stopping;

  @Inject
  RegistryLoops(
      Settings settings,
      Fleet fleet,
      KvStore kv,
      BackendStore store,
      Prober prober,
      RegistryMetrics metrics) {
    this.settings = settings;
    this.kv = kv;
    this.fleet = fleet;
    this.store = store;
    this.prober = prober;
    this.metrics = metrics;
  }

  void start(@Observes StartupEvent event) {
    Thread.ofVirtual().name("refresh").start(() -> repeat(this::refresh, this::awaitChange));
    Thread.ofVirtual().name("probes").start(() -> repeat(this::probe, Thread::sleep));
    watch =
        kv.watch(
            BackendStore.BACKENDS,
            false,
            new WatchListener() {
              @Override
              public void rescan() {
                changed.release();
              }

              @Override
              public void changed(Change change) {
                changed.release();
              }
            });
  }

  void stop(@Observes ShutdownEvent event) {
    stopping = true;
    KvStore.Watch now = watch;
    if (now != null) {
      now.close();
    }
  }

  private void awaitChange(Duration pause) throws InterruptedException {
    if (changed.tryAcquire(pause.toNanos(), TimeUnit.NANOSECONDS)) {
      changed.drainPermits();
    }
  }

  private interface Waiting {
    void pause(Duration longest) throws InterruptedException;
  }

  private interface Work {
    /// Does one round and says how long to wait before the next.
    Duration round();
  }

  private void repeat(Work work, Waiting waiting) {
    while (!stopping) {
      Duration pause = LOAD_RETRY;
      try {
        pause = work.round();
      } catch (RuntimeException e) {
        LOG.error("a background round failed", e);
      }
      try {
        waiting.pause(pause);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private Duration refresh() {
    boolean was = store.reachable();
    boolean first = !store.loaded();
    try {
      store.refresh();
      if (!was) {
        LOG.infof("the store answers; %d backends", fleet.backends().size());
      }
    } catch (StoreUnavailableException e) {
      if (was || first) {
        LOG.warnf("the store does not answer: %s", e.getMessage());
      }
    }
    metrics.refresh();
    return store.loaded() ? settings.refreshInterval() : LOAD_RETRY;
  }

  private Duration probe() {
    for (ProbeTask task : fleet.claimDue()) {
      Thread.ofVirtual().name("probe-" + task.backendName()).start(() -> ask(task));
    }
    return PROBE_TICK;
  }

  private void ask(ProbeTask task) {
    boolean costs = task.kind() != ProbeTask.Kind.MODELS;
    if (costs) {
      completions.acquireUninterruptibly();
    }
    ProbeResult result;
    try {
      result = prober.ask(task);
    } catch (RuntimeException e) {
      LOG.warnf(e, "a probe of %s failed in an unexpected way", task.backendName());
      result =
          task.kind() == ProbeTask.Kind.CONTINUATION
              ? new ProbeResult.Continuation(null)
              : new ProbeResult.Failed(0, "the probe itself failed");
    } finally {
      if (costs) {
        completions.release();
      }
    }
    metrics.probed(task, result);
    fleet
        .answered(task, result)
        .ifPresent(
            fact -> {
              try {
                store.remember(fact);
              } catch (StoreUnavailableException e) {
                LOG.debugf("continuation of %s is not remembered", task.backendName());
              }
            });
  }
}
