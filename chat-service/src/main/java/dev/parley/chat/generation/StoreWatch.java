package dev.parley.chat.generation;

import dev.parley.chat.conversation.Keys;
import dev.parley.kv.client.KvStore;
import dev.parley.kv.client.WatchListener;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import org.jspecify.annotations.Nullable;

/// This replica's one watch of all conversations in the store, by which its event streams learn
/// what other replicas do, however many streams there are.
@ApplicationScoped
public class StoreWatch {

  private final KvStore store;
  private final Hub hub;
  private KvStore.@Nullable Watch watch;

  @Inject
  StoreWatch(KvStore store, Hub hub, MeterRegistry metrics) {
    this.store = store;
    this.hub = hub;
    metrics.gauge("parley_store_watched", hub, each -> each.hearsAll() ? 1 : 0);
  }

  void start(@Observes StartupEvent event) {
    watch = store.watch(Keys.CONVERSATIONS, false, new Ringing());
  }

  void stop(@Observes ShutdownEvent event) {
    KvStore.Watch now = watch;
    if (now != null) {
      now.close();
    }
  }

  private final class Ringing implements WatchListener {

    @Override
    public void rescan() {
      hub.ringAll();
    }

    @Override
    public void changed(Change change) {
      String id = Keys.conversationOf(change.key());
      if (id != null) {
        hub.changed(id);
      }
    }

    @Override
    public void live(boolean now) {
      hub.hearsAll(now);
    }
  }
}
