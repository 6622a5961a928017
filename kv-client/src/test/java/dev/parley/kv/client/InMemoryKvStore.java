package dev.parley.kv.client;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/// A [KvStore] in one process's memory, for tests of the services that stand on the store. It takes
/// and refuses what the real one does, and it can be told to be unavailable.
public final class InMemoryKvStore implements KvStore {

  private record Row(long version, byte[] value) {}

  private static final Comparator<String> BY_UTF8_BYTES =
      (a, b) ->
          Arrays.compareUnsigned(
              a.getBytes(StandardCharsets.UTF_8), b.getBytes(StandardCharsets.UTF_8));

  private final TreeMap<String, Row> rows = new TreeMap<>(BY_UTF8_BYTES);
  private final TreeMap<String, Integer> gets = new TreeMap<>();
  private final List<Watching> watchings = new ArrayList<>();
  private long lastVersion;
  private boolean available = true;

  /// While false, reads throw and writes are not applied.
  public synchronized void available(boolean now) {
    if (available != now) {
      watchings.forEach(watching -> watching.tell(() -> watching.listener().live(now)));
    }
    available = now;
  }

  /// How often the key was read by itself.
  public synchronized int gets(String key) {
    return gets.getOrDefault(key, 0);
  }

  @Override
  public synchronized Optional<Entry> get(String key) {
    Limits.requireKey(key);
    gets.merge(key, 1, Integer::sum);
    requireAvailable();
    return Optional.ofNullable(rows.get(key)).map(row -> entry(key, row));
  }

  @Override
  public synchronized WriteOutcome put(String key, byte[] value, Condition condition) {
    Limits.requireKey(key);
    Limits.requireValue(value);
    return write(key, value.clone(), condition);
  }

  @Override
  public synchronized WriteOutcome delete(String key, Condition condition) {
    Limits.requireKey(key);
    Limits.requireDeletable(condition);
    return write(key, null, condition);
  }

  @Override
  public synchronized Page list(String prefix, @Nullable String after, int limit) {
    Limits.requireListing(prefix, limit);
    requireAvailable();
    List<Entry> found = new ArrayList<>();
    String from = after == null || BY_UTF8_BYTES.compare(after, prefix) < 0 ? prefix : after;
    for (var row : rows.tailMap(from, !from.equals(after)).entrySet()) {
      if (!row.getKey().startsWith(prefix)) {
        break;
      }
      if (found.size() == limit) {
        return new Page(found, found.getLast().key());
      }
      found.add(entry(row.getKey(), row.getValue()));
    }
    return new Page(found, null);
  }

  @Override
  public synchronized Watch watch(String prefix, boolean values, WatchListener listener) {
    Watching watching = new Watching(prefix, values, listener);
    watchings.add(watching);
    watching.tell(listener::rescan);
    watching.tell(() -> listener.live(true));
    return () -> {
      synchronized (this) {
        watchings.remove(watching);
      }
      watching.teller.shutdownNow();
    };
  }

  @Override
  public synchronized void close() {
    watchings.forEach(watching -> watching.teller.shutdownNow());
    watchings.clear();
  }

  /// One who watches, told on a thread of its own in the order of the changes.
  private record Watching(
      String prefix, boolean values, WatchListener listener, ExecutorService teller) {

    Watching(String prefix, boolean values, WatchListener listener) {
      this(
          prefix,
          values,
          listener,
          Executors.newSingleThreadExecutor(Thread.ofVirtual().name("watch").factory()));
    }

    void tell(Runnable call) {
      teller.execute(call);
    }

    void changed(String key, long version, byte @Nullable [] value) {
      if (key.startsWith(prefix)) {
        tell(
            () ->
                listener.changed(
                    new WatchListener.Change(
                        key,
                        Long.toString(version),
                        value == null,
                        values && value != null ? value.clone() : null)));
      }
    }
  }

  private WriteOutcome write(String key, byte @Nullable [] value, Condition condition) {
    if (!available) {
      return new WriteOutcome.NotApplied("the test made the store unavailable");
    }
    Row current = rows.get(key);
    boolean holds =
        switch (condition) {
          case Condition.Always() -> true;
          case Condition.Absent() -> current == null;
          case Condition.Version(var version) ->
              current != null && Long.toString(current.version).equals(version);
        };
    if (!holds) {
      return new WriteOutcome.Conflict(current == null ? null : Long.toString(current.version));
    }
    lastVersion++;
    if (value == null) {
      rows.remove(key);
    } else {
      rows.put(key, new Row(lastVersion, value));
    }
    if (value != null || current != null) {
      long version = lastVersion;
      watchings.forEach(watching -> watching.changed(key, version, value));
    }
    return new WriteOutcome.Applied(Long.toString(lastVersion), current != null);
  }

  private void requireAvailable() {
    if (!available) {
      throw new StoreUnavailableException("the test made the store unavailable");
    }
  }

  private static Entry entry(String key, Row row) {
    return new Entry(key, Long.toString(row.version), row.value.clone());
  }
}
