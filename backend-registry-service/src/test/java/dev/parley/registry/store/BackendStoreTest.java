package dev.parley.registry.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.client.Condition;
import dev.parley.kv.client.Entry;
import dev.parley.kv.client.InMemoryKvStore;
import dev.parley.kv.client.KvStore;
import dev.parley.kv.client.Page;
import dev.parley.kv.client.StoreUnavailableException;
import dev.parley.kv.client.WatchListener;
import dev.parley.kv.client.WriteOutcome;
import dev.parley.registry.backend.Backend;
import dev.parley.registry.backend.BackendDraft;
import dev.parley.registry.backend.Checked;
import dev.parley.registry.backend.TargetAddresses;
import dev.parley.registry.fleet.ContinuationFact;
import dev.parley.registry.fleet.Fleet;
import dev.parley.registry.fleet.FleetListener;
import dev.parley.registry.fleet.FleetSettings;
import dev.parley.registry.fleet.StoredBackend;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class BackendStoreTest {

  private final InMemoryKvStore kv = new InMemoryKvStore();
  private final AtomicInteger ids = new AtomicInteger();

  private static Map<String, Object> json(String name) {
    Map<String, Object> json = new HashMap<>();
    json.put("name", name);
    json.put("base_url", "http://127.0.0.1:8091/v1");
    return json;
  }

  private static BackendDraft draft(Map<String, Object> json) {
    return ((Checked.Valid<BackendDraft>) BackendDraft.create(json, new TargetAddresses(true)))
        .value();
  }

  private static BackendDraft draft(String name) {
    return draft(json(name));
  }

  private static Fleet fleet() {
    return new Fleet(
        FleetSettings.DEFAULT,
        () -> 0,
        InstantSource.system(),
        new Random(1),
        new FleetListener() {
          @Override
          public void changed(String backendId, boolean urgent) {}

          @Override
          public void removed(String backendId) {}
        });
  }

  private BackendStore store(KvStore on, Fleet fleet, BackendDraft... seeds) {
    return new BackendStore(
        on, fleet, InstantSource.system(), () -> "id" + ids.incrementAndGet(), List.of(seeds));
  }

  private static List<String> names(Fleet fleet) {
    return fleet.backends().stream().map(row -> row.backend().name()).sorted().toList();
  }

  private static StoredBackend done(Change change) {
    return assertInstanceOf(Change.Done.class, change, change::toString).stored();
  }

  @Test
  void aBackendSurvivesTheProcess() {
    BackendStore first = store(kv, fleet());
    first.refresh();
    Map<String, Object> json = json("a");
    json.put("api_key", "sk-0123456789");
    json.put("models", List.of("m", "n"));
    json.put("labels", Map.of("zone", "东"));
    json.put("max_concurrency", 4);
    Backend written = done(first.create(draft(json))).backend();

    Fleet again = fleet();
    store(kv, again).refresh();
    assertEquals(List.of(written), again.backends().stream().map(StoredBackend::backend).toList());
  }

  @Test
  void theDemosBackendsAreAddedExactlyOnce() {
    Fleet first = fleet();
    BackendStore store = store(kv, first, draft("d1"), draft("d2"));
    store.refresh();
    assertEquals(List.of("d1", "d2"), names(first));
    assertInstanceOf(Change.Removed.class, store.delete("d1", VersionMatch.of(null)));

    Fleet second = fleet();
    store(kv, second, draft("d1"), draft("d2")).refresh();
    assertEquals(List.of("d2"), names(second));
    assertInstanceOf(Change.Removed.class, store.delete("d2", VersionMatch.of("*")));

    Fleet third = fleet();
    store(kv, third, draft("d1"), draft("d2")).refresh();
    assertEquals(List.of(), names(third));
  }

  @Test
  void aStoreThatHadABackendGetsNoDemo() {
    BackendStore store = store(kv, fleet());
    store.refresh();
    String id = done(store.create(draft("mine"))).backend().id();
    store.delete(id, VersionMatch.of(null));
    Fleet later = fleet();
    store(kv, later, draft("d1")).refresh();
    assertEquals(List.of(), names(later));
  }

  @Test
  void aCrashWhileTheDemoIsAddedNeitherLosesNorDoublesAny() {
    for (int crashAfter = 0; crashAfter < 6; crashAfter++) {
      InMemoryKvStore disk = new InMemoryKvStore();
      BackendStore crashing =
          store(new FailingWrites(disk, crashAfter), fleet(), draft("d1"), draft("d2"));
      try {
        crashing.refresh();
      } catch (StoreUnavailableException expected) {
        assertFalse(crashing.loaded());
      }
      Fleet fleet = fleet();
      store(disk, fleet, draft("d1"), draft("d2")).refresh();
      assertEquals(List.of("d1", "d2"), names(fleet), "crash after " + crashAfter);
    }
  }

  @Test
  void aNameIsTakenWhateverItsCase() {
    BackendStore store = store(kv, fleet());
    store.refresh();
    done(store.create(draft("Ollama")));
    Change.Invalid refused = assertInstanceOf(Change.Invalid.class, store.create(draft("ollama")));
    assertEquals("name", refused.violations().getFirst().field());
  }

  @Test
  void ofManyWhoWantTheSameNameOneGetsIt() throws Exception {
    BackendStore store = store(kv, fleet());
    store.refresh();
    List<Callable<Change>> wishes = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      wishes.add(() -> store.create(draft("wanted")));
    }
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      int got = 0;
      for (var wish : threads.invokeAll(wishes)) {
        if (wish.get() instanceof Change.Done) {
          got++;
        }
      }
      assertEquals(1, got);
    }
  }

  @Test
  void thereAreAtMostTwoHundred() {
    BackendStore store = store(kv, fleet());
    store.refresh();
    for (int i = 0; i < BackendStore.MAX_BACKENDS; i++) {
      done(store.create(draft("b" + i)));
    }
    assertInstanceOf(Change.Full.class, store.create(draft("one more")));
  }

  @Test
  void aChangeOfAnotherVersionIsRefused() {
    BackendStore store = store(kv, fleet());
    store.refresh();
    StoredBackend first = done(store.create(draft("a")));
    String id = first.backend().id();
    StoredBackend second =
        done(
            store.replace(
                id,
                VersionMatch.of("\"" + first.version() + "\""),
                current -> BackendDraft.replace(json("b"), new TargetAddresses(true), current)));
    assertEquals(
        new Change.Stale(second.version()),
        store.delete(id, VersionMatch.of("\"" + first.version() + "\"")));
    assertEquals(
        new Change.Stale(second.version()),
        store.edit(id, VersionMatch.of("W/\"" + second.version() + "\""), Backend::drained));
    done(store.edit(id, VersionMatch.of("\"x\", \"" + second.version() + "\""), Backend::drained));
  }

  @Test
  void withTheStoreDeadChangesAreRefusedAndTheCopyStays() {
    Fleet fleet = fleet();
    BackendStore store = store(kv, fleet);
    store.refresh();
    String id = done(store.create(draft("a"))).backend().id();
    kv.available(false);
    assertInstanceOf(Change.Unavailable.class, store.create(draft("b")));
    assertInstanceOf(Change.Unavailable.class, store.delete(id, VersionMatch.of(null)));
    assertThrows(StoreUnavailableException.class, store::refresh);
    assertFalse(store.reachable());
    assertEquals(List.of("a"), names(fleet));
    kv.available(true);
    store.refresh();
    assertTrue(store.reachable());
    assertEquals(List.of("a"), names(fleet));
  }

  @Test
  void beforeTheFirstReadingNothingIsChanged() {
    assertInstanceOf(Change.Unavailable.class, store(kv, fleet()).create(draft("a")));
  }

  @Test
  void aChangeMadeElsewhereIsSeen() {
    Fleet here = fleet();
    BackendStore store = store(kv, here);
    store.refresh();
    BackendStore elsewhere = store(kv, fleet());
    elsewhere.refresh();
    done(elsewhere.create(draft("a")));
    store.refresh();
    assertEquals(List.of("a"), names(here));
    assertInstanceOf(Change.Invalid.class, store.create(draft("a")));
  }

  @Test
  void aRowThatCannotBeReadIsPassedOver() {
    kv.put("backends/broken", "{".getBytes(StandardCharsets.UTF_8), Condition.ALWAYS);
    kv.put(
        "backends/liar", "{\"id\":\"other\"}".getBytes(StandardCharsets.UTF_8), Condition.ALWAYS);
    Fleet fleet = fleet();
    BackendStore store = store(kv, fleet);
    store.refresh();
    done(store.create(draft("a")));
    assertEquals(List.of("a"), names(fleet));
  }

  @Test
  void aFactAboutContinuationSurvivesTheProcess() {
    BackendStore store = store(kv, fleet());
    store.refresh();
    Map<String, Object> json = json("a");
    json.put("models", List.of("m"));
    Backend backend = done(store.create(draft(json))).backend();
    store.remember(
        new ContinuationFact(backend.id(), URI.create("http://127.0.0.1:8091/v1"), "m", true));
    Fleet again = fleet();
    store(kv, again).refresh();
    assertEquals(Boolean.TRUE, again.status(backend.id()).orElseThrow().continues());
  }

  /// A store that takes some writes and then none.
  private record FailingWrites(KvStore inner, AtomicInteger left) implements KvStore {

    FailingWrites(KvStore inner, int writes) {
      this(inner, new AtomicInteger(writes));
    }

    @Override
    public Optional<Entry> get(String key) {
      return inner.get(key);
    }

    @Override
    public WriteOutcome put(String key, byte[] value, Condition condition) {
      return left.getAndDecrement() > 0
          ? inner.put(key, value, condition)
          : new WriteOutcome.NotApplied("crashed");
    }

    @Override
    public WriteOutcome delete(String key, Condition condition) {
      return inner.delete(key, condition);
    }

    @Override
    public Page list(String prefix, @Nullable String after, int limit) {
      return inner.list(prefix, after, limit);
    }

    @Override
    public Watch watch(String prefix, boolean values, WatchListener listener) {
      return inner.watch(prefix, values, listener);
    }

    @Override
    public void close() {}
  }
}
