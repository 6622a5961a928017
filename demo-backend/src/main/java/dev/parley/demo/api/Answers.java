package dev.parley.demo.api;

import dev.parley.demo.DemoConfig;
import dev.parley.demo.idiom.IdiomDictionary;
import dev.parley.demo.reply.Replies;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/// The replies, there as soon as the dictionary has been read in the background.
@ApplicationScoped
class Answers {
  private static final Logger LOG = Logger.getLogger(Answers.class);

  private final CompletableFuture<Replies> replies = new CompletableFuture<>();
  private final DemoConfig config;

  Answers(DemoConfig config) {
    this.config = config;
  }

  void onStart(@Observes StartupEvent event) {
    Thread.ofPlatform().daemon().name("idioms").start(this::load);
  }

  /// Completes on the loading thread, or at once if the dictionary is there.
  CompletableFuture<Replies> replies() {
    return replies;
  }

  private void load() {
    try {
      long began = System.nanoTime();
      IdiomDictionary dictionary = IdiomDictionary.bundled();
      LOG.infof(
          "%d idioms read in %d ms",
          dictionary.size(), TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began));
      replies.complete(new Replies(dictionary, config.name(), config.seed()));
    } catch (RuntimeException e) {
      LOG.error("the idiom dictionary cannot be read", e);
      replies.completeExceptionally(e);
    }
  }
}
