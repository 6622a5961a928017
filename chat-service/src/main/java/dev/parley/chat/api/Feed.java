package dev.parley.chat.api;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.ChatConfig;
import dev.parley.chat.conversation.Conversation;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.chat.conversation.ConversationStore.Versioned;
import dev.parley.chat.conversation.Generation;
import dev.parley.chat.conversation.Keys;
import dev.parley.chat.conversation.LiveText;
import dev.parley.chat.conversation.Message;
import dev.parley.chat.conversation.Seq;
import dev.parley.chat.conversation.State;
import dev.parley.chat.generation.Generations;
import dev.parley.chat.generation.Hub;
import dev.parley.kv.client.StoreUnavailableException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// Tells one client what happens in one conversation, from a place it names.
///
/// It keeps no log and needs none: it compares what the client has, which the sequence number says,
/// with what there is, and sends the difference. What there is comes from the writer's memory if
/// this
/// replica writes the answer, and otherwise from the store. So any replica can go on where another
/// one stopped.
///
/// One thing the number cannot say: a client of a replica that died may have seen a few words that
/// never became durable, and the next owner wrote others. The message names the places where that
/// can have happened, and a client that is beyond such a place gets the whole message again.
final class Feed {

  /// Where events go. Blocks while the client is slow.
  interface Sink {
    void send(String event) throws IOException, InterruptedException;

    boolean closed();
  }

  private static final int PAGE = 100;
  private static final long HEARTBEAT_NANOS = 10_000_000_000L;
  private static final long HEARTBEAT_LOOK_MILLIS = 1_000;
  private static final long COALESCE_MILLIS = 40;

  private final String conversationId;
  private final ConversationStore store;
  private final Generations generations;
  private final ObjectMapper mapper;
  private final ChatConfig.Chat settings;
  private final Sink sink;
  private final BooleanSupplier leaving;

  private Seq cursor;
  private @Nullable String conversationVersion;
  private int seenSupersessionsBy;
  private @Nullable State shownState;
  private int shownAttempts;
  private int knownTakeovers;
  private long lastSentNanos = System.nanoTime();
  private long lookedNanos;
  private @Nullable Followed followed;

  /// An answer that another replica writes, as far as its chunks have been read.
  private static final class Followed {
    final String messageId;
    final StringBuilder text = new StringBuilder();
    int nextChunk;

    Followed(String messageId) {
      this.messageId = messageId;
    }
  }

  Feed(
      String conversationId,
      Seq after,
      ConversationStore store,
      Generations generations,
      ObjectMapper mapper,
      ChatConfig.Chat settings,
      Sink sink,
      BooleanSupplier leaving) {
    this.conversationId = conversationId;
    this.cursor = after;
    this.seenSupersessionsBy = after.ordinal();
    this.store = store;
    this.generations = generations;
    this.mapper = mapper;
    this.settings = settings;
    this.sink = sink;
    this.leaving = leaving;
  }

  void run(Hub.Watch watch) throws IOException, InterruptedException {
    while (!sink.closed() && !leaving.getAsBoolean()) {
      long pause;
      try {
        if (!catchUp()) {
          return;
        }
        pause = pauseMillis(watch);
      } catch (StoreUnavailableException unavailable) {
        pause = settings.idleInterval().toMillis();
      }
      await(watch, pause);
      Thread.sleep(Math.max(0, COALESCE_MILLIS - (System.nanoTime() - lastSentNanos) / 1_000_000));
    }
  }

  /// How long to wait for a ring before looking all the same. While every change rings, an answer
  /// in progress is still looked after now and then, because a writer that died rings no more.
  private long pauseMillis(Hub.Watch watch) {
    if (followed == null) {
      return watch.hearsAll() ? Long.MAX_VALUE : settings.idleInterval().toMillis();
    }
    return (watch.hearsAll() ? settings.idleInterval() : settings.followInterval()).toMillis();
  }

  /// Waits for a ring, at most for this long, and shows the client meanwhile that the line is
  /// alive.
  private void await(Hub.Watch watch, long millis) throws IOException, InterruptedException {
    long left = millis;
    boolean rung = false;
    while (!rung && left > 0 && !sink.closed() && !leaving.getAsBoolean()) {
      if (System.nanoTime() - lastSentNanos > HEARTBEAT_NANOS) {
        write(": \n\n");
      }
      long piece = Math.min(left, HEARTBEAT_LOOK_MILLIS);
      rung = watch.await(piece);
      left -= piece;
    }
  }

  /// Sends everything the client does not have.
  ///
  /// @return false if the conversation is gone
  boolean catchUp() throws IOException, InterruptedException {
    if (cursor.ordinal() > 0 && !cursor.isFinal() && local()) {
      return true;
    }
    Optional<Versioned<Conversation>> found =
        store.get(Keys.conversation(conversationId), Conversation.class);
    if (found.isEmpty()) {
      event("deleted", cursor, Map.of());
      return false;
    }
    lookedNanos = System.nanoTime();
    Conversation conversation = found.get().value();
    boolean news = !found.get().version().equals(conversationVersion);
    if (news) {
      event("conversation", cursor, Map.of("conversation", conversation.card()));
      conversationVersion = found.get().version();
      superseded(conversation);
    }
    if (!cursor.isFinal() && cursor.ordinal() > 0) {
      Optional<Versioned<Message>> stored =
          store.get(Keys.message(conversationId, cursor.ordinal()), Message.class);
      if (stored.isPresent()) {
        follow(conversation.seen(stored.get().value()));
        if (!cursor.isFinal()) {
          return true;
        }
      }
    }
    // Not only after news: a turn's place is decided before its messages are written.
    if (cursor.ordinal() < conversation.nextOrdinal() - 1) {
      later(conversation);
    }
    return true;
  }

  /// The fast way while this replica writes the answer: nothing is read from the store.
  private boolean local() throws IOException, InterruptedException {
    Followed now = followed;
    boolean lookedLately = System.nanoTime() - lookedNanos < settings.idleInterval().toNanos();
    if (now == null || conversationVersion == null || !lookedLately) {
      return false;
    }
    Optional<Generations.View> view = generations.local(now.messageId);
    if (view.isEmpty()) {
      return false;
    }
    Message message = view.get().message();
    if (message.state().terminal()) {
      return false;
    }
    LiveText text = view.get().text();
    progress(message, text.length(), text::from);
    return true;
  }

  private void later(Conversation conversation) throws IOException, InterruptedException {
    while (true) {
      List<Message> messages = store.messages(conversationId, cursor.ordinal(), PAGE);
      for (Message stored : messages) {
        Message now = conversation.seen(generations.current(conversationId, stored));
        cursor = Seq.ofMessage(now);
        whole(now);
        if (!now.state().terminal()) {
          followed = new Followed(now.id());
          return;
        }
      }
      if (messages.size() < PAGE) {
        return;
      }
    }
  }

  private void superseded(Conversation conversation) throws IOException, InterruptedException {
    for (Conversation.Supersession each : conversation.supersessions()) {
      if (each.byOrdinal() <= seenSupersessionsBy) {
        continue;
      }
      for (Message stored :
          store.messages(conversationId, each.from() - 1, each.to() - each.from() + 1)) {
        if (stored.ordinal() <= Math.min(each.to(), cursor.ordinal())) {
          Message now = conversation.seen(generations.current(conversationId, stored));
          event("message", cursor, Map.of("message", now));
        }
      }
    }
    for (Conversation.Supersession each : conversation.supersessions()) {
      seenSupersessionsBy = Math.max(seenSupersessionsBy, each.byOrdinal());
    }
  }

  /// The message at the cursor, which the client has in part.
  private void follow(Message stored) throws IOException, InterruptedException {
    if (stored.state().terminal()) {
      last(stored);
      return;
    }
    Optional<Generations.View> view = generations.local(stored.id());
    if (followed == null || !followed.messageId.equals(stored.id())) {
      followed = new Followed(stored.id());
    }
    if (view.isPresent()) {
      Message message = view.get().message().withSupersededBy(stored.supersededBy());
      if (message.state().terminal()) {
        last(message.withContent(view.get().text().toString()));
      } else {
        LiveText text = view.get().text();
        progress(message, text.length(), text::from);
      }
      return;
    }
    generations.askedAbout(conversationId, stored);
    Optional<Versioned<Generation>> record =
        store.get(Keys.generation(conversationId, stored.id()), Generation.class);
    if (record.isEmpty()) {
      return;
    }
    Message message = record.get().value().message();
    if (message.state().terminal()) {
      // The final message is being written; it comes at the next look.
      return;
    }
    Followed now = followed;
    for (Generation.Chunk chunk : store.chunks(conversationId, stored.id(), now.nextChunk)) {
      now.text.append(chunk.text());
      now.nextChunk++;
    }
    progress(message, now.text.length(), now.text::substring);
  }

  /// @param from the text from an offset on
  private void progress(Message message, int length, IntFunction<String> from)
      throws IOException, InterruptedException {
    if (overtaken(message)) {
      String text = from.apply(0);
      cursor = new Seq(cursor.ordinal(), Math.min(Seq.FINAL - 1, text.length()));
      whole(message.withContent(text));
      return;
    }
    if (message.state() != shownState || message.attempts().size() != shownAttempts) {
      shownState = message.state();
      shownAttempts = message.attempts().size();
      String text = from.apply(0);
      int had = Math.min(text.length(), cursor.position());
      event("state", cursor, state(message.withContent(text.substring(0, had))));
    }
    if (length > cursor.position()) {
      String added = from.apply(cursor.position());
      if (Character.isLowSurrogate(added.charAt(0))) {
        // No event of ours ends inside a character; a client that names such a place starts anew.
        String text = from.apply(0);
        cursor = new Seq(cursor.ordinal(), Math.min(Seq.FINAL - 1, text.length()));
        whole(message.withContent(text));
      } else {
        delta(message, added);
      }
    }
  }

  private void last(Message message) throws IOException, InterruptedException {
    int had = Math.min(cursor.position(), message.content().length());
    String added = message.content().substring(had);
    boolean insideCharacter = !added.isEmpty() && Character.isLowSurrogate(added.charAt(0));
    if (overtaken(message) || insideCharacter) {
      whole(message);
    } else {
      delta(message, added);
    }
    cursor = new Seq(cursor.ordinal(), Seq.FINAL);
    event("state", cursor, state(message));
    followed = null;
    shownState = null;
    shownAttempts = 0;
    knownTakeovers = 0;
  }

  /// Whether another replica went on from a place before the one the client has reached.
  private boolean overtaken(Message message) {
    List<Integer> places = message.takeovers();
    boolean overtaken = false;
    for (int i = knownTakeovers; i < places.size(); i++) {
      overtaken |= places.get(i) < cursor.position();
    }
    knownTakeovers = places.size();
    return overtaken;
  }

  private void delta(Message message, String added) throws IOException, InterruptedException {
    int offset = cursor.position();
    if (added.isEmpty() || offset + added.length() >= Seq.FINAL) {
      return;
    }
    cursor = new Seq(cursor.ordinal(), offset + added.length());
    Map<String, Object> data = new LinkedHashMap<>();
    data.put("message_id", message.id());
    data.put("ordinal", message.ordinal());
    data.put("offset", offset);
    data.put("text", added);
    event("delta", cursor, data);
  }

  private static Map<String, Object> state(Message message) {
    Map<String, Object> data = new LinkedHashMap<>();
    data.put("message_id", message.id());
    data.put("ordinal", message.ordinal());
    data.put("state", message.state());
    data.put("message", message);
    return data;
  }

  private void whole(Message message) throws IOException, InterruptedException {
    shownState = message.state();
    shownAttempts = message.attempts().size();
    knownTakeovers = message.takeovers().size();
    event("message", cursor, Map.of("message", message));
  }

  private void event(String type, Seq seq, Object data) throws IOException, InterruptedException {
    String json;
    try {
      json = mapper.writeValueAsString(data);
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    write("id: " + seq.value() + "\nevent: " + type + "\ndata: " + json + "\n\n");
  }

  private void write(String text) throws IOException, InterruptedException {
    sink.send(text);
    lastSentNanos = System.nanoTime();
  }
}
