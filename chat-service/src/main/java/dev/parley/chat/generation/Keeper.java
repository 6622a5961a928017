package dev.parley.chat.generation;

import dev.parley.chat.ChatConfig;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.chat.conversation.Generation;
import dev.parley.chat.conversation.Keys;
import dev.parley.chat.conversation.Message;
import dev.parley.kv.client.Condition;
import dev.parley.kv.client.StoreUnavailableException;
import dev.parley.kv.client.WriteOutcome;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Makes an answer durable while it is written, and is the only one who writes to the store for it.
///
/// Text goes into chunks, each created only if absent. State goes into the generation's record by
/// compare-and-set. If either finds somebody else's write, the record is read again: with a higher
/// epoch in it the answer has another owner, and this one stops. A store that is away is waited
/// for;
/// the text grows on meanwhile.
final class Keeper {

  private static final long TICK_MILLIS = 50;
  private static final long STORE_RETRY_MILLIS = 250;

  private final GenerationRun run;
  private final ConversationStore store;
  private final ChatConfig.Chat settings;
  private final Function<GenerationRun.End, Message> lastMessage;
  private final Runnable changed;
  private @Nullable String chunkInDoubt;
  private long lastFlushNanos = System.nanoTime();
  private long lastControlNanos = System.nanoTime();
  private long lastBeatNanos = System.nanoTime();

  /// @param lastMessage makes the final message, without text, of the writer's end
  Keeper(
      GenerationRun run,
      ConversationStore store,
      ChatConfig.Chat settings,
      Function<GenerationRun.End, Message> lastMessage,
      Runnable changed) {
    this.run = run;
    this.store = store;
    this.settings = settings;
    this.lastMessage = lastMessage;
    this.changed = changed;
  }

  /// Works until the answer's end is durable, or it is no longer ours.
  ///
  /// @return whether the end is durable
  boolean keep() throws InterruptedException {
    while (!run.lost()) {
      try {
        if (step()) {
          return true;
        }
        run.await(TICK_MILLIS);
      } catch (StoreUnavailableException unavailable) {
        Thread.sleep(STORE_RETRY_MILLIS);
      }
    }
    return false;
  }

  private boolean step() {
    long now = System.nanoTime();
    GenerationRun.End end = run.end();
    boolean leaving = end != null || run.handingOver();
    boolean due =
        now - lastFlushNanos >= settings.chunkInterval().toNanos()
            || run.parts() >= settings.chunkTokens();
    if (leaving || due) {
      do {
        flush();
      } while (leaving && !run.lost() && !run.pending().isEmpty());
      lastFlushNanos = now;
    }
    if (run.lost()) {
      return false;
    }
    if (end != null) {
      return finish(end);
    }
    if (run.handingOver()) {
      handOver();
      return false;
    }
    if (now - lastControlNanos >= settings.controlInterval().toNanos()) {
      lastControlNanos = now;
      reload();
    }
    boolean dirty = run.takeDirty();
    if (dirty || now - lastBeatNanos >= settings.beatInterval().toNanos()) {
      lastBeatNanos = now;
      Generation next = run.record().with(run.message());
      if (!write(next) && dirty) {
        run.markDirty();
      }
    }
    return false;
  }

  /// Writes the next chunk. One whose outcome is unknown is written again as it was, because it may
  /// yet turn out to stand.
  private void flush() {
    String text = chunkInDoubt == null ? run.pending() : chunkInDoubt;
    if (text.isEmpty()) {
      return;
    }
    chunkInDoubt = text;
    Generation record = run.record();
    Generation.Chunk chunk = new Generation.Chunk(record.epoch(), text);
    String key = Keys.chunk(run.conversationId, run.messageId, run.nextChunk());
    WriteOutcome outcome = store.put(key, chunk, Condition.ABSENT);
    switch (outcome) {
      case WriteOutcome.Applied _ -> flushed(text);
      case WriteOutcome.Conflict _ -> {
        boolean ours =
            store
                .get(key, Generation.Chunk.class)
                .map(there -> there.value().equals(chunk))
                .orElse(false);
        if (ours) {
          flushed(text);
        } else {
          run.lose();
        }
      }
      case WriteOutcome.NotApplied(var reason) -> throw new StoreUnavailableException(reason);
      case WriteOutcome.Unknown(var reason) -> throw new StoreUnavailableException(reason);
    }
  }

  private void flushed(String text) {
    run.flushed(text.length());
    chunkInDoubt = null;
  }

  private boolean finish(GenerationRun.End end) {
    Message last = lastMessage.apply(end);
    if (!write(run.record().with(last))) {
      return false;
    }
    run.ended(last);
    changed.run();
    return true;
  }

  private void handOver() {
    Message now = run.message();
    Generation left = run.record().with(now);
    Generation ownerless =
        new Generation(
            left.conversationId(),
            left.epoch(),
            "",
            left.state(),
            left.beat(),
            left.stopRequested(),
            left.model(),
            left.parameters(),
            left.message(),
            left.startedAt());
    if (write(ownerless)) {
      run.lose();
    }
  }

  private boolean write(Generation next) {
    String key = Keys.generation(run.conversationId, run.messageId);
    switch (store.put(key, next, Condition.version(run.version()))) {
      case WriteOutcome.Applied(var version, _) -> {
        run.stored(next, version);
        return true;
      }
      case WriteOutcome.Conflict _ -> {
        reload();
        return false;
      }
      case WriteOutcome.NotApplied(var reason) -> throw new StoreUnavailableException(reason);
      case WriteOutcome.Unknown _ -> {
        reload();
        return false;
      }
    }
  }

  private void reload() {
    Optional<ConversationStore.Versioned<Generation>> found =
        store.get(Keys.generation(run.conversationId, run.messageId), Generation.class);
    if (found.isEmpty() || found.get().value().epoch() != run.record().epoch()) {
      run.lose();
    } else {
      run.stored(found.get().value(), found.get().version());
    }
  }
}
