package dev.parley.chat.generation;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.ChatConfig;
import dev.parley.chat.Draining;
import dev.parley.chat.context.TokenCounter;
import dev.parley.chat.conversation.Conversation;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.chat.conversation.ConversationStore.Versioned;
import dev.parley.chat.conversation.Generation;
import dev.parley.chat.conversation.Keys;
import dev.parley.chat.conversation.LiveText;
import dev.parley.chat.conversation.Message;
import dev.parley.chat.conversation.State;
import dev.parley.chat.routing.Router;
import dev.parley.chat.upstream.UpstreamClient;
import dev.parley.kv.client.Condition;
import dev.parley.kv.client.StoreUnavailableException;
import dev.parley.kv.client.WriteOutcome;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The answers under way: those this replica writes, and, when another replica falls silent, those
/// it takes over.
///
/// A silent owner is one whose record has not changed for a while by this replica's own monotonic
/// clock. The clock only decides when to try: who is right is decided by the compare-and-set that
/// raises the epoch, and by the chain of chunks, in which the new owner's first link stops the old
/// owner's next.
@ApplicationScoped
public class Generations {

  private static final Logger LOG = Logger.getLogger(Generations.class);
  private static final int MAX_SCANNED = 2_000;
  private static final int MAX_ASKED_ABOUT = 2_000;
  private static final int MAX_ADOPTIONS_PER_SCAN = 50;

  private final ConversationStore store;
  private final Hub hub;
  private final Writer.Tools tools;
  private final ChatConfig.Chat settings;
  private final String replica;
  private final Draining draining;
  private final Counter adoptions;
  private final Map<String, GenerationRun> running = new ConcurrentHashMap<>();
  private final Map<String, Generation.Pointer> askedAbout = new ConcurrentHashMap<>();
  private final Map<String, Sighting> sightings = new HashMap<>();
  private volatile boolean watching = true;
  private @Nullable Thread watcher;

  /// What was seen of a generation, and since when it has been just that.
  private record Sighting(String version, long sinceNanos) {}

  /// What this replica knows at first hand of an answer it writes.
  public record View(Message message, LiveText text) {}

  @Inject
  Generations(
      ConversationStore store,
      Hub hub,
      Router router,
      UpstreamClient upstream,
      TokenCounter tokens,
      ObjectMapper mapper,
      ChatConfig config,
      InstantSource clock,
      MeterRegistry metrics,
      Draining draining) {
    this.store = store;
    this.hub = hub;
    this.settings = config.chat();
    this.replica = config.name();
    this.draining = draining;
    this.tools =
        new Writer.Tools(
            store, router, upstream, tokens, mapper, hub, config.chat(), clock, metrics);
    this.adoptions = metrics.counter("parley_adoptions");
    metrics.gaugeMapSize("parley_generations_active", List.of(), running);
  }

  void start(@Observes StartupEvent event) {
    watcher = Thread.ofVirtual().name("adoption").start(this::watch);
  }

  void stop(@Observes ShutdownEvent event) {
    draining.begin();
    watching = false;
    if (watcher != null) {
      watcher.interrupt();
    }
    long until = System.nanoTime() + settings.shutdownGrace().toNanos();
    awaitNone(until);
    running.values().forEach(GenerationRun::handOver);
    awaitNone(System.nanoTime() + settings.shutdownGrace().toNanos());
    hub.ringAll();
  }

  private void awaitNone(long untilNanos) {
    while (!running.isEmpty() && System.nanoTime() - untilNanos < 0) {
      try {
        Thread.sleep(20);
      } catch (InterruptedException hurried) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  public String replica() {
    return replica;
  }

  public boolean full() {
    return running.size() >= settings.maxGenerations();
  }

  public Optional<View> local(String messageId) {
    GenerationRun run = running.get(messageId);
    return run == null || run.lost()
        ? Optional.empty()
        : Optional.of(new View(run.message(), run.text));
  }

  /// Starts to write an answer whose record this replica has just created.
  public void begin(Generation record, String version, String requestId) {
    run(new GenerationRun(record, version, new LiveText(), 0, requestId));
  }

  /// Asks for an answer's end, wherever it is written.
  ///
  /// @return whether there was one to end
  public boolean stop(String conversationId, String messageId) {
    GenerationRun local = running.get(messageId);
    if (local != null) {
      local.stop();
    }
    String key = Keys.generation(conversationId, messageId);
    for (int i = 0; i < 20; i++) {
      Optional<Versioned<Generation>> found = store.get(key, Generation.class);
      if (found.isEmpty() || found.get().value().state().terminal()) {
        return false;
      }
      Generation record = found.get().value();
      if (record.stopRequested()) {
        return true;
      }
      WriteOutcome outcome =
          store.put(key, record.stopping(), Condition.version(found.get().version()));
      if (outcome instanceof WriteOutcome.Applied) {
        return true;
      }
      if (outcome instanceof WriteOutcome.NotApplied(var reason)) {
        throw new StoreUnavailableException(reason);
      }
    }
    throw new StoreUnavailableException("the stop request could not be written");
  }

  /// Somebody looks at an answer that is not final: make sure that somebody writes it.
  public void askedAbout(String conversationId, Message message) {
    if (!message.state().terminal()
        && !running.containsKey(message.id())
        && askedAbout.size() < MAX_ASKED_ABOUT) {
      askedAbout.put(
          message.id(), new Generation.Pointer(conversationId, message.id(), message.ordinal()));
    }
  }

  /// A message as it is at this moment, with the text that exists so far.
  public Message current(String conversationId, Message stored) {
    if (stored.state().terminal()) {
      return stored;
    }
    Optional<View> view = local(stored.id());
    if (view.isPresent()) {
      return view.get().message().withContent(view.get().text().toString());
    }
    askedAbout(conversationId, stored);
    Optional<Versioned<Generation>> found =
        store.get(Keys.generation(conversationId, stored.id()), Generation.class);
    if (found.isEmpty()) {
      return stored;
    }
    Message told = found.get().value().message();
    String text = joined(store.chunks(conversationId, stored.id(), 0));
    if (told.state().terminal()) {
      // Only now: while the message is not final, its chunks are all there.
      Optional<Versioned<Message>> last =
          store.get(Keys.message(conversationId, stored.ordinal()), Message.class);
      if (last.isPresent() && last.get().value().state().terminal()) {
        return last.get().value();
      }
    }
    return told.withContent(text);
  }

  private void run(GenerationRun run) {
    if (running.putIfAbsent(run.messageId, run) != null) {
      return;
    }
    askedAbout.remove(run.messageId);
    Writer writer = new Writer(run, tools);
    Keeper keeper =
        new Keeper(
            run,
            store,
            settings,
            end -> lastMessage(run, writer, end),
            () -> hub.changed(run.conversationId));
    Thread.ofVirtual().name("writer-" + run.messageId).start(() -> write(run, writer));
    Thread.ofVirtual().name("keeper-" + run.messageId).start(() -> keep(run, keeper));
  }

  private static void write(GenerationRun run, Writer writer) {
    try {
      GenerationRun.End end = writer.write();
      if (end != null) {
        run.end(end);
      }
    } catch (InterruptedException unexpected) {
      run.lose();
    } catch (RuntimeException | Error broken) {
      LOG.errorf(broken, "generation %s broke", run.messageId);
      run.end(
          new GenerationRun.End(
              State.FAILED,
              new Message.Failure("internal", "The answer failed for an internal reason.", true)));
    }
  }

  private static Message lastMessage(GenerationRun run, Writer writer, GenerationRun.End end) {
    Message now = run.message();
    return now.ended(
        end.state(),
        end.error(),
        writer.usage(),
        now.durationMs() == null ? writer.elapsedMillis() : now.durationMs(),
        (int) Math.min(Integer.MAX_VALUE, writer.usage().completionTokens()));
  }

  private void keep(GenerationRun run, Keeper keeper) {
    try {
      if (keeper.keep()) {
        settle(run.record(), run.text::toString);
      }
    } catch (InterruptedException unexpected) {
      run.lose();
    } catch (RuntimeException broken) {
      LOG.errorf(broken, "keeping generation %s broke", run.messageId);
    } finally {
      run.lose();
      running.remove(run.messageId, run);
      hub.changed(run.conversationId);
    }
  }

  /// The end is decided: writes the final message and clears away what it was made of. Whoever
  /// finds this half done, or at the same time, can do it again.
  private void settle(Generation record, Supplier<String> text) {
    while (!settled(store, record, text)) {
      try {
        Thread.sleep(250);
      } catch (InterruptedException stopped) {
        Thread.currentThread().interrupt();
        return;
      }
      if (!watching) {
        return;
      }
    }
    String id = record.conversationId();
    String messageId = record.message().id();
    hub.changed(id);
    try {
      List<String> chunks = store.keys(Keys.chunks(id, messageId), null);
      while (!chunks.isEmpty()) {
        for (String chunk : chunks) {
          if (!(store.delete(chunk) instanceof WriteOutcome.Applied)) {
            return;
          }
        }
        chunks = store.keys(Keys.chunks(id, messageId), null);
      }
      // Last, since it is by the pointer that what is left is found.
      store.delete(Keys.pointer(messageId));
    } catch (StoreUnavailableException later) {
      LOG.debugf("what is left of generation %s is cleared away later", messageId);
    }
  }

  /// Writes the final message if nobody has. The text is taken after the message was seen not to be
  /// final, and replaces nothing but what was seen: its chunks may be on their way out otherwise.
  static boolean settled(ConversationStore store, Generation record, Supplier<String> text) {
    String id = record.conversationId();
    Message last = record.message();
    String key = Keys.message(id, last.ordinal());
    try {
      Optional<Versioned<Message>> there = store.get(key, Message.class);
      if (there.isPresent() && there.get().value().state().terminal()) {
        return true;
      }
      if (there.isEmpty() && store.get(Keys.conversation(id), Conversation.class).isEmpty()) {
        return true;
      }
      Condition unchanged =
          there.isEmpty() ? Condition.ABSENT : Condition.version(there.get().version());
      return store.put(key, last.withContent(text.get()), unchanged)
          instanceof WriteOutcome.Applied;
    } catch (StoreUnavailableException unavailable) {
      return false;
    }
  }

  private void watch() {
    while (watching) {
      try {
        long pause = settings.adoptionScan().toMillis();
        Thread.sleep((long) (pause * (0.8 + 0.4 * ThreadLocalRandom.current().nextDouble())));
        scan();
      } catch (InterruptedException stopped) {
        return;
      } catch (StoreUnavailableException unavailable) {
        // What was not seen for a while is not what was silent for a while.
        sightings.clear();
      } catch (RuntimeException unexpected) {
        LOG.error("looking for silent generations failed", unexpected);
      }
    }
  }

  private void scan() {
    Map<String, Generation.Pointer> pointers = new HashMap<>(askedAbout);
    store
        .all(Keys.GENERATIONS, Generation.Pointer.class, MAX_SCANNED)
        .forEach(pointer -> pointers.put(pointer.messageId(), pointer));
    Set<String> seen = new HashSet<>();
    int adopted = 0;
    for (Generation.Pointer pointer : pointers.values()) {
      String messageId = pointer.messageId();
      if (running.containsKey(messageId)) {
        continue;
      }
      seen.add(messageId);
      Optional<Versioned<Generation>> found;
      try {
        found = store.get(Keys.generation(pointer.conversationId(), messageId), Generation.class);
      } catch (StoreUnavailableException unavailable) {
        throw unavailable;
      } catch (RuntimeException unreadable) {
        // One damaged record must not keep the others from being adopted.
        LOG.errorf(unreadable, "the record of generation %s cannot be read", messageId);
        continue;
      }
      String version = found.map(Versioned::version).orElse("absent");
      boolean left =
          found.isPresent()
              && found.get().value().owner().isEmpty()
              && !found.get().value().state().terminal();
      if (!left && !silent(messageId, version)) {
        continue;
      }
      if (adopted < MAX_ADOPTIONS_PER_SCAN && !full() && !draining.isDraining()) {
        adopted++;
        sightings.remove(messageId);
        takeCare(pointer, found);
      }
    }
    sightings.keySet().retainAll(seen);
  }

  private boolean silent(String messageId, String version) {
    long now = System.nanoTime();
    Sighting before = sightings.get(messageId);
    if (before == null || !before.version.equals(version)) {
      sightings.put(messageId, new Sighting(version, now));
      return false;
    }
    return now - before.sinceNanos >= settings.adoptAfter().toNanos();
  }

  private void takeCare(Generation.Pointer pointer, Optional<Versioned<Generation>> found) {
    askedAbout.remove(pointer.messageId());
    if (found.isEmpty()) {
      restart(pointer);
    } else if (found.get().value().state().terminal()) {
      String id = pointer.conversationId();
      settle(found.get().value(), () -> joined(store.chunks(id, pointer.messageId(), 0)));
    } else {
      adopt(found.get());
    }
  }

  /// There is a message that waits for an answer, and no record of one: its writer died in between.
  private void restart(Generation.Pointer pointer) {
    String id = pointer.conversationId();
    Optional<Versioned<Conversation>> conversation =
        store.get(Keys.conversation(id), Conversation.class);
    Optional<Versioned<Message>> message =
        store.get(Keys.message(id, pointer.ordinal()), Message.class);
    if (conversation.isEmpty() || message.isEmpty() || message.get().value().state().terminal()) {
      store.delete(Keys.pointer(pointer.messageId()));
      return;
    }
    Message waiting = message.get().value();
    String model = waiting.model();
    Generation record =
        new Generation(
            id,
            1,
            replica,
            State.QUEUED,
            0,
            false,
            model == null ? "" : model,
            conversation.get().value().parameters(),
            waiting,
            tools.clock().instant());
    WriteOutcome outcome = store.put(Keys.generation(id, waiting.id()), record, Condition.ABSENT);
    if (outcome instanceof WriteOutcome.Applied(var version, _)) {
      store.put(Keys.pointer(waiting.id()), pointer, Condition.ALWAYS);
      begin(record, version, "");
    }
  }

  private void adopt(Versioned<Generation> found) {
    Generation old = found.value();
    String id = old.conversationId();
    String messageId = old.message().id();
    String key = Keys.generation(id, messageId);
    State state = store.chunks(id, messageId, 0).isEmpty() ? State.QUEUED : State.RECOVERING;
    Generation mine = old.adoptedBy(replica, old.message().withState(state));
    if (!(store.put(key, mine, Condition.version(found.version()))
        instanceof WriteOutcome.Applied(var version, _))) {
      return;
    }
    Sealed sealed = seal(mine);
    if (sealed == null) {
      return;
    }
    int length = sealed.text.length();
    List<Message.Attempt> attempts = new ArrayList<>(mine.message().attempts());
    if (!attempts.isEmpty() && attempts.getLast().outcome().equals("running")) {
      attempts.set(attempts.size() - 1, attempts.getLast().withOutcome("replica-lost"));
    }
    List<Integer> takeovers = new ArrayList<>(mine.message().takeovers());
    takeovers.add(length);
    Message message =
        mine.message()
            .withState(length == 0 ? State.QUEUED : State.RECOVERING)
            .withAttempts(attempts)
            .withTakeovers(takeovers);
    Generation ready = mine.with(message);
    if (!(store.put(key, ready, Condition.version(version))
        instanceof WriteOutcome.Applied(var readyVersion, _))) {
      return;
    }
    adoptions.increment();
    LOG.infof("adopted generation %s at %d characters", messageId, length);
    LiveText text = new LiveText();
    text.append(sealed.text);
    run(new GenerationRun(ready, readyVersion, text, sealed.nextChunk, ""));
    hub.changed(id);
  }

  private record Sealed(String text, int nextChunk) {}

  /// Puts an empty chunk of the new epoch at the end of the chain. After that, the former owner's
  /// next chunk finds its place taken, whatever it had under way.
  private @Nullable Sealed seal(Generation mine) {
    String id = mine.conversationId();
    String messageId = mine.message().id();
    List<Generation.Chunk> chunks = store.chunks(id, messageId, 0);
    StringBuilder text = new StringBuilder(joined(chunks));
    int index = chunks.size();
    Generation.Chunk mark = new Generation.Chunk(mine.epoch(), "");
    while (true) {
      String key = Keys.chunk(id, messageId, index);
      WriteOutcome outcome = store.put(key, mark, Condition.ABSENT);
      if (outcome instanceof WriteOutcome.Applied) {
        return new Sealed(text.toString(), index + 1);
      }
      if (!(outcome instanceof WriteOutcome.Conflict)) {
        return null;
      }
      Optional<Versioned<Generation.Chunk>> there = store.get(key, Generation.Chunk.class);
      if (there.isEmpty() || there.get().value().epoch() > mine.epoch()) {
        return null;
      }
      if (there.get().value().equals(mark)) {
        return new Sealed(text.toString(), index + 1);
      }
      text.append(there.get().value().text());
      index++;
    }
  }

  public static String joined(List<Generation.Chunk> chunks) {
    StringBuilder text = new StringBuilder();
    chunks.forEach(chunk -> text.append(chunk.text()));
    return text.toString();
  }
}
