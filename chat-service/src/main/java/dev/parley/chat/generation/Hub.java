package dev.parley.chat.generation;

import jakarta.enterprise.context.ApplicationScoped;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/// Wakes those who watch a conversation when this replica has changed something in it. A wake-up
/// says nothing about what changed: who is woken looks for itself.
@ApplicationScoped
public class Hub {

  private final Map<String, Set<Watch>> watches = new ConcurrentHashMap<>();

  /// One watcher's bell.
  public final class Watch implements AutoCloseable {
    private final String conversationId;
    private final Semaphore rung = new Semaphore(0);

    private Watch(String conversationId) {
      this.conversationId = conversationId;
    }

    /// Waits until somebody rings, or the time is over.
    public void await(long millis) throws InterruptedException {
      if (rung.tryAcquire(millis, TimeUnit.MILLISECONDS)) {
        rung.drainPermits();
      }
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
