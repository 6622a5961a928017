package dev.parley.registry.store;

import dev.parley.kv.client.Condition;
import dev.parley.kv.client.Entry;
import dev.parley.kv.client.KvStore;
import dev.parley.kv.client.Page;
import dev.parley.kv.client.StoreUnavailableException;
import dev.parley.kv.client.WriteOutcome;
import dev.parley.registry.backend.Backend;
import dev.parley.registry.backend.BackendDraft;
import dev.parley.registry.backend.Checked;
import dev.parley.registry.backend.Violation;
import dev.parley.registry.fleet.ContinuationFact;
import dev.parley.registry.fleet.Fleet;
import dev.parley.registry.fleet.StoredBackend;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The backends in the store, and the way in which the [Fleet] learns of them.
///
/// The store is the truth; the fleet is a copy, refreshed from time to time and after each change
/// made here, so that everything but a change works with the store dead. Changes go one at a time,
/// each from a fresh listing, so that a name is unique among all that this process accepted.
public final class BackendStore {

  /// Where backends lie: `backends/<id>`.
  public static final String BACKENDS = "backends/";

  /// Where it lies whether a backend continues a begun answer: `registry/continuation/<id>`.
  static final String CONTINUATION = "registry/continuation/";

  /// Says that the store has had backends: those of the demo are not added again, even if all
  /// were deleted since.
  static final String SEEDED = "registry/seeded";

  private static final String SEEDING = "seeding";
  private static final String DONE = "done";

  public static final int MAX_BACKENDS = 200;
  private static final int PAGE = 1000;

  /// Pages of a listing; far more than [#MAX_BACKENDS] can fill.
  private static final int MAX_PAGES = 4;

  private static final int TRIES = 4;
  private static final long LONGEST_QUEUE_SECONDS = 5;
  private static final Logger LOG = Logger.getLogger(BackendStore.class.getName());

  private final KvStore kv;
  private final Fleet fleet;
  private final InstantSource clock;
  private final Supplier<String> ids;
  private final List<BackendDraft> seeds;

  /// Held while a change is made, store calls included.
  private final ReentrantLock changing = new ReentrantLock();

  /// Counts changes, so that a listing begun before one is not taken for newer. Guarded by
  /// `changing`, but for a harmless early look.
  private volatile long changes;

  private final Set<String> warned = ConcurrentHashMap.newKeySet();
  private volatile boolean loaded;
  private volatile boolean reachable;
  private boolean seededKnown;

  /// @param ids makes a new unique name at each call
  /// @param seeds what to add to a store that never had a backend
  public BackendStore(
      KvStore kv,
      Fleet fleet,
      InstantSource clock,
      Supplier<String> ids,
      List<BackendDraft> seeds) {
    this.kv = kv;
    this.fleet = fleet;
    this.clock = clock;
    this.ids = ids;
    this.seeds = List.copyOf(seeds);
  }

  /// Whether the backends were read once. Before that nothing is known about them.
  public boolean loaded() {
    return loaded;
  }

  /// Whether the store answered when last asked.
  public boolean reachable() {
    return reachable;
  }

  /// Reads the backends again; the first time also adds those of the demo, if it should.
  ///
  /// @throws StoreUnavailableException if the store does not answer; then all stays as it is
  public void refresh() {
    try {
      long before = changes;
      if (!loaded) {
        seed();
        readContinuation();
      }
      List<StoredBackend> rows = readAll();
      changing.lock();
      try {
        if (changes == before) {
          fleet.replaceAll(rows);
          loaded = true;
        }
      } finally {
        changing.unlock();
      }
      reachable = true;
    } catch (StoreUnavailableException e) {
      reachable = false;
      throw e;
    }
  }

  public Change create(BackendDraft draft) {
    return change(
        rows -> {
          if (rows.size() >= MAX_BACKENDS) {
            return new Change.Full(MAX_BACKENDS);
          }
          if (nameTaken(draft.name(), null, rows)) {
            return duplicate(draft.name());
          }
          if (!seededKnown) {
            switch (kv.put(SEEDED, utf8(DONE), Condition.ABSENT)) {
              case WriteOutcome.Applied _, WriteOutcome.Conflict _ -> seededKnown = true;
              case WriteOutcome.NotApplied(String reason) -> {
                return new Change.Unavailable(reason, false);
              }
              // The marker alone changes nothing that anyone can see.
              case WriteOutcome.Unknown(String reason) -> {
                return new Change.Unavailable(reason, false);
              }
            }
          }
          Backend backend = Backend.create("b-" + ids.get(), draft, ids.get(), now());
          return write(backend, Condition.ABSENT);
        });
  }

  /// @param read reads the new description, given the backend that stands
  public Change replace(
      String id, VersionMatch match, Function<Backend, Checked<BackendDraft>> read) {
    return changeOne(
        id,
        match,
        (current, rows) ->
            switch (read.apply(current.backend())) {
              case Checked.Invalid<BackendDraft>(var violations) -> new Change.Invalid(violations);
              case Checked.Valid<BackendDraft>(var draft) ->
                  nameTaken(draft.name(), id, rows)
                      ? duplicate(draft.name())
                      : write(
                          current.backend().replacedBy(draft, ids.get(), now()),
                          Condition.version(current.version()));
            });
  }

  /// @param edit gives the backend as it should be from now on
  public Change edit(String id, VersionMatch match, BiFunction<Backend, Instant, Backend> edit) {
    return changeOne(
        id,
        match,
        (current, _) ->
            write(edit.apply(current.backend(), now()), Condition.version(current.version())));
  }

  public Change delete(String id, VersionMatch match) {
    return changeOne(
        id,
        match,
        (current, _) -> {
          Change change =
              outcome(
                  kv.delete(BACKENDS + id, Condition.version(current.version())),
                  _ -> new Change.Removed());
          if (change instanceof Change.Removed) {
            fleet.remove(id);
            forgetContinuation(id);
          }
          return change;
        });
  }

  /// Remembers a fact over restarts. If that fails, it will be found out once more.
  public void remember(ContinuationFact fact) {
    kv.put(CONTINUATION + fact.backendId(), BackendCodec.write(fact), Condition.ALWAYS);
  }

  private void forgetContinuation(String id) {
    kv.delete(CONTINUATION + id, Condition.ALWAYS);
  }

  // Changing

  private Change changeOne(
      String id,
      VersionMatch match,
      BiFunction<StoredBackend, Map<String, StoredBackend>, Change> work) {
    return change(
        rows -> {
          StoredBackend current = rows.get(id);
          if (current == null) {
            return new Change.NotFound();
          }
          if (!match.accepts(current.version())) {
            return new Change.Stale(current.version());
          }
          return work.apply(current, rows);
        });
  }

  /// Runs `work` on a fresh listing, alone. If somebody else changed the same backend in between,
  /// it runs again on what stands then.
  private Change change(Function<Map<String, StoredBackend>, Change> work) {
    if (!loaded) {
      return new Change.Unavailable("the backends have not been read from the store yet", false);
    }
    try {
      if (!changing.tryLock(LONGEST_QUEUE_SECONDS, TimeUnit.SECONDS)) {
        return new Change.Unavailable("other changes are still waiting for the store", false);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Change.Unavailable("the registry is stopping", false);
    }
    try {
      for (int i = 0; i < TRIES; i++) {
        Map<String, StoredBackend> rows = new HashMap<>();
        readAll().forEach(row -> rows.put(row.backend().id(), row));
        Change change = work.apply(rows);
        reachable = !(change instanceof Change.Unavailable);
        if (!(change instanceof Change.Overtaken)) {
          return change;
        }
      }
      return new Change.Unavailable("others kept changing the same backend", false);
    } catch (StoreUnavailableException e) {
      reachable = false;
      return new Change.Unavailable(String.valueOf(e.getMessage()), false);
    } finally {
      changes++;
      changing.unlock();
    }
  }

  private Change write(Backend backend, Condition condition) {
    return outcome(
        kv.put(BACKENDS + backend.id(), BackendCodec.write(backend), condition),
        version -> {
          StoredBackend stored = new StoredBackend(backend, version);
          fleet.put(stored);
          return new Change.Done(stored);
        });
  }

  private static Change outcome(WriteOutcome outcome, Function<String, Change> applied) {
    return switch (outcome) {
      case WriteOutcome.Applied(String version, boolean _) -> applied.apply(version);
      case WriteOutcome.Conflict _ -> new Change.Overtaken();
      case WriteOutcome.NotApplied(String reason) -> new Change.Unavailable(reason, false);
      case WriteOutcome.Unknown(String reason) -> new Change.Unavailable(reason, true);
    };
  }

  private static boolean nameTaken(
      String name, @Nullable String exceptId, Map<String, StoredBackend> rows) {
    String key = nameKey(name);
    return rows.values().stream()
        .map(StoredBackend::backend)
        .anyMatch(other -> !other.id().equals(exceptId) && nameKey(other.name()).equals(key));
  }

  /// Names that people cannot tell apart are the same name.
  private static String nameKey(String name) {
    return Normalizer.normalize(name, Normalizer.Form.NFKC).toLowerCase(Locale.ROOT);
  }

  private static Change duplicate(String name) {
    return new Change.Invalid(
        List.of(new Violation("name", "is taken: another backend is called " + name)));
  }

  // Reading

  private List<StoredBackend> readAll() {
    List<StoredBackend> rows = new ArrayList<>();
    for (Entry entry : list(BACKENDS)) {
      try {
        Backend backend = BackendCodec.readBackend(entry.value());
        if (entry.key().equals(BACKENDS + backend.id())) {
          rows.add(new StoredBackend(backend, entry.version()));
        }
      } catch (BackendCodec.UnreadableException e) {
        warnOnce(entry, e);
      }
    }
    return rows;
  }

  private void readContinuation() {
    for (Entry entry : list(CONTINUATION)) {
      try {
        fleet.recall(BackendCodec.readContinuation(entry.value()));
      } catch (BackendCodec.UnreadableException e) {
        warnOnce(entry, e);
      }
    }
  }

  /// The row is read every few seconds; saying it once is enough.
  private void warnOnce(Entry entry, BackendCodec.UnreadableException e) {
    if (warned.size() < PAGE && warned.add(entry.key() + "@" + entry.version())) {
      LOG.warning("passing over " + entry.key() + ", which cannot be read: " + e.getMessage());
    }
  }

  private List<Entry> list(String prefix) {
    List<Entry> entries = new ArrayList<>();
    String after = null;
    for (int i = 0; i < MAX_PAGES; i++) {
      Page page = kv.list(prefix, after, PAGE);
      entries.addAll(page.entries());
      after = page.next();
      if (after == null) {
        break;
      }
    }
    return entries;
  }

  // The demo's backends

  /// Adds the demo's backends once. The marker is written before the first of them and completed
  /// after the last, so a crash in between neither loses nor doubles any.
  private void seed() {
    Optional<String> marker = kv.get(SEEDED).map(Entry::text);
    if (marker.isPresent() && marker.get().equals(DONE)) {
      seededKnown = true;
      return;
    }
    if (marker.isEmpty()) {
      if (!kv.list(BACKENDS, null, 1).entries().isEmpty()) {
        put(SEEDED, utf8(DONE), Condition.ABSENT);
        seededKnown = true;
        return;
      }
      if (seeds.isEmpty()) {
        return;
      }
      put(SEEDED, utf8(SEEDING), Condition.ABSENT);
    }
    for (BackendDraft draft : seeds) {
      Backend backend = Backend.create(draft.name(), draft, ids.get(), now());
      put(BACKENDS + backend.id(), BackendCodec.write(backend), Condition.ABSENT);
    }
    put(SEEDED, utf8(DONE), Condition.ALWAYS);
    seededKnown = true;
  }

  /// Puts a value, where one that is there already is as good.
  private void put(String key, byte[] value, Condition condition) {
    WriteOutcome outcome = kv.put(key, value, condition);
    if (!(outcome instanceof WriteOutcome.Conflict)) {
      outcome.orThrow();
    }
  }

  private Instant now() {
    return clock.instant().truncatedTo(ChronoUnit.MILLIS);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
