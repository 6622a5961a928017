package dev.parley.chat.generation;

import jakarta.enterprise.context.ApplicationScoped;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/// Wakes those who watch a conversation when something in it has changed, through this replica or,
/// as long as the store is watched, through another one. A wake-up says nothing about what changed:
/// who is woken looks for itself.
@ApplicationScoped
public class Hub {

  private final Map<String, Set<Watch>> watches = new ConcurrentHashMap<>();
  private volatile boolean hearsAll;

  /// One watcher's bell.
  public final class Watch implements AutoCloseable {
    private final String conversationId;
    private final Semaphore rung = new Semaphore(0);

    private Watch(String conversationId) {
      this.conversationId = conversationId;
    }

    /// Waits until somebody rings, or the time is over.
    ///
    /// @return whether somebody rang
    public boolean await(long millis) throws InterruptedException {
      boolean somebody = rung.tryAcquire(millis, TimeUnit.MILLISECONDS);
      if (somebody) {
        rung.drainPermits();
      }
      return somebody;
    }

    /// Whether every change rings, so that there is no need to look without having been woken.
    public boolean hearsAll() {
      return hearsAll;
    }

    public void ring() {
      rung.release();
    }

    @Override
    public void close() {
      watches.computeIfPresent(
          conversationId,
          (_, all) -> {
            all.remove(this);
            return all.isEmpty() ? null : all;
          });
    }
  }

  /// Whether changes made through other replicas are rung for. Whoever has relied on the one or the
  /// other is woken.
  public void hearsAll(boolean now) {
    hearsAll = now;
    ringAll();
  }

  boolean hearsAll() {
    return hearsAll;
  }

  public Watch watch(String conversationId) {
    Watch watch = new Watch(conversationId);
    watches.compute(
        conversationId,
        (_, all) -> {
          Set<Watch> set = all == null ? ConcurrentHashMap.newKeySet() : all;
          set.add(watch);
          return set;
        });
    return watch;
  }

  public void changed(String conversationId) {
    watches.getOrDefault(conversationId, Set.of()).forEach(Watch::ring);
  }

  public void ringAll() {
    watches.values().forEach(all -> all.forEach(Watch::ring));
  }
}
