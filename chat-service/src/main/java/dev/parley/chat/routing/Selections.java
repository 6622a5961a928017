package dev.parley.chat.routing;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.ChatConfig;
import dev.parley.chat.balance.InFlight;
import dev.parley.chat.balance.Selection;
import dev.parley.chat.balance.Snapshot;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The selections in use, kept fresh in the background so that the registry is off the hot path.
@ApplicationScoped
public class Selections {

  private static final Logger LOG = Logger.getLogger(Selections.class);
  private static final int MAX_REFRESHED = 32;
  private static final long IDLE_NANOS = 60_000_000_000L;
  private static final long SAVE_EVERY_NANOS = 10_000_000_000L;

  private final GuardedRegistry registry;
  private final InFlight inFlight;
  private final ObjectMapper mapper;
  private final Optional<Path> file;
  private final long refreshMillis;
  private final Map<String, Known> known = new ConcurrentHashMap<>();
  private volatile boolean running = true;
  private @Nullable Thread refresher;

  private static final class Known {
    volatile @Nullable Snapshot snapshot;
    volatile long usedNanos = System.nanoTime();
  }

  @Inject
  Selections(GuardedRegistry registry, InFlight inFlight, ObjectMapper mapper, ChatConfig config) {
    this.registry = registry;
    this.inFlight = inFlight;
    this.mapper = mapper;
    this.file = config.dataDir().map(dir -> dir.resolve("selections-" + config.name() + ".json"));
    this.refreshMillis = config.chat().selectionRefresh().toMillis();
  }

  void start(@Observes StartupEvent event) {
    recall();
    refresher = Thread.ofVirtual().name("selections").start(this::keepFresh);
  }

  void stop(@Observes ShutdownEvent event) {
    running = false;
    if (refresher != null) {
      refresher.interrupt();
    }
  }

  /// The present view of a model, if there is one young enough to act on and with somebody in it.
  public @Nullable Snapshot current(String model) {
    Known entry = known.get(model);
    if (entry == null) {
      return null;
    }
    entry.usedNanos = System.nanoTime();
    Snapshot snapshot = entry.snapshot;
    if (snapshot == null || snapshot.selection().candidates().isEmpty()) {
      return null;
    }
    long age = (System.nanoTime() - snapshot.takenNanos()) / 1_000_000;
    return age <= Math.max(2_000, snapshot.selection().ttlMs()) * 2 ? snapshot : null;
  }

  /// Asks the registry now. Blocks for a bounded time; null if nothing was ever known.
  public @Nullable Snapshot refresh(String model) {
    Known entry = known.computeIfAbsent(model, _ -> new Known());
    Map<String, Integer> own = inFlight.levels();
    GuardedRegistry.Answer answer = registry.select(model);
    Selection selection = answer.selection();
    if (selection == null) {
      return null;
    }
    if (!answer.fresh() && entry.snapshot != null) {
      // Old figures with our later counts on top: what we have already is better.
      Snapshot before = entry.snapshot;
      if (!before.selection().candidates().isEmpty()) {
        entry.snapshot = new Snapshot(before.selection(), System.nanoTime(), before.ownInFlight());
        return entry.snapshot;
      }
    }
    Snapshot snapshot = new Snapshot(selection, System.nanoTime(), own);
    entry.snapshot = snapshot;
    return snapshot;
  }

  private void keepFresh() {
    known.computeIfAbsent("", _ -> new Known());
    long savedNanos = System.nanoTime();
    while (running) {
      for (String model : inUse()) {
        try {
          refresh(model);
        } catch (RuntimeException unexpected) {
          if (running) {
            LOG.warn("could not refresh a selection", unexpected);
          }
        }
      }
      if (System.nanoTime() - savedNanos > SAVE_EVERY_NANOS) {
        save();
        savedNanos = System.nanoTime();
      }
      try {
        double jitter = 0.8 + 0.4 * ThreadLocalRandom.current().nextDouble();
        Thread.sleep((long) (refreshMillis * jitter));
      } catch (InterruptedException stopped) {
        return;
      }
    }
  }

  private List<String> inUse() {
    long now = System.nanoTime();
    List<String> models = new ArrayList<>();
    models.add("");
    known.entrySet().stream()
        .filter(entry -> !entry.getKey().isEmpty())
        .sorted((a, b) -> Long.compare(b.getValue().usedNanos, a.getValue().usedNanos))
        .limit(MAX_REFRESHED)
        .filter(entry -> now - entry.getValue().usedNanos < IDLE_NANOS)
        .forEach(entry -> models.add(entry.getKey()));
    known.entrySet().removeIf(e -> !models.contains(e.getKey()) && !e.getKey().isEmpty());
    return models;
  }

  private void recall() {
    if (file.isEmpty() || !Files.isReadable(file.get())) {
      return;
    }
    try {
      registry.recall(
          mapper.readValue(
              Files.readAllBytes(file.get()), new TypeReference<Map<String, Selection>>() {}));
    } catch (IOException unreadable) {
      LOG.infof("the selections saved earlier cannot be read and are ignored");
    }
  }

  private void save() {
    Map<String, Selection> now = registry.known();
    if (file.isEmpty() || now.isEmpty()) {
      return;
    }
    try {
      Path target = file.get();
      Path parent = target.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      Path fresh = target.resolveSibling(target.getFileName() + ".new");
      Files.write(fresh, mapper.writeValueAsBytes(now));
      Files.move(
          fresh, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException failed) {
      LOG.warnf("could not save the selections: %s", failed.getMessage());
    }
  }
}
