package dev.parley.chat.api;

import dev.parley.chat.ChatConfig;
import dev.parley.chat.Draining;
import dev.parley.chat.balance.Ranking;
import dev.parley.chat.context.TokenCounter;
import dev.parley.chat.conversation.Conversation;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.chat.conversation.ConversationStore.Versioned;
import dev.parley.chat.conversation.Generation;
import dev.parley.chat.conversation.Keys;
import dev.parley.chat.conversation.Message;
import dev.parley.chat.conversation.Parameters;
import dev.parley.chat.conversation.Role;
import dev.parley.chat.conversation.State;
import dev.parley.chat.generation.Generations;
import dev.parley.chat.generation.Hub;
import dev.parley.chat.routing.Router;
import dev.parley.kv.client.Condition;
import dev.parley.kv.client.StoreUnavailableException;
import dev.parley.kv.client.WriteOutcome;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// What can be done with conversations. Every call blocks, and throws
/// [StoreUnavailableException] when the store is away.
@ApplicationScoped
public class Conversations {

  /// Whose everything is until there are users.
  public static final String OWNER = "local";

  private static final Logger LOG = Logger.getLogger(Conversations.class);
  private static final int MAX_LISTED = 5_000;
  private static final int MAX_RACES = 20;
  private static final HexFormat HEX = HexFormat.of();

  private final ConversationStore store;
  private final Generations generations;
  private final Hub hub;
  private final Router router;
  private final TokenCounter tokens;
  private final InstantSource clock;
  private final Draining draining;
  private final Duration turnTakes;
  private final SecureRandom random = new SecureRandom();
  private final ExecutorService parallel = Executors.newVirtualThreadPerTaskExecutor();

  /// A user's message, or a repeat of one.
  public record NewMessage(
      String clientId, String content, @Nullable String model, Parameters parameters) {}

  /// What a turn made.
  public record Posted(Message message, Started generation) {}

  public record Started(String id, State state, Message message) {}

  public record Listing(List<Conversation.Row> conversations, @Nullable String next) {}

  public record History(List<Message> messages, @Nullable Integer next) {}

  @Inject
  Conversations(
      ConversationStore store,
      Generations generations,
      Hub hub,
      Router router,
      TokenCounter tokens,
      InstantSource clock,
      Draining draining,
      ChatConfig config) {
    this.store = store;
    this.generations = generations;
    this.hub = hub;
    this.router = router;
    this.tokens = tokens;
    this.clock = clock;
    this.draining = draining;
    this.turnTakes = config.chat().adoptAfter();
  }

  public Result<Conversation> create(
      @Nullable String title,
      @Nullable String model,
      @Nullable String systemPrompt,
      Parameters parameters,
      boolean pinned) {
    Conversation made =
        Conversation.create(
            newId("c"), title, model, systemPrompt, parameters, pinned, OWNER, clock.instant());
    if (!store.fits(made)) {
      return Result.refused(new Refusal.TooLarge("The conversation's settings are too large."));
    }
    WriteOutcome outcome = store.put(Keys.conversation(made.id()), made, Condition.ABSENT);
    if (!(outcome instanceof WriteOutcome.Applied)) {
      throw unavailable(outcome);
    }
    WriteOutcome row = store.put(Keys.row(OWNER, made.id()), made.row(), Condition.ALWAYS);
    if (!(row instanceof WriteOutcome.Applied)) {
      throw unavailable(row);
    }
    return Result.ok(made);
  }

  public Result<Conversation> get(String id) {
    Optional<Versioned<Conversation>> found = load(id);
    if (found.isEmpty()) {
      return Result.refused(new Refusal.NoConversation(id));
    }
    Conversation conversation = found.get().value();
    repairRow(conversation);
    return Result.ok(conversation);
  }

  /// Newest first. The cursor names the last row of the page before.
  public Listing list(@Nullable String after, int limit, @Nullable String query) {
    Comparator<Conversation.Row> newestFirst =
        Comparator.comparing(Conversation.Row::updatedAt)
            .thenComparing(Conversation.Row::id)
            .reversed();
    String wanted = query == null ? "" : query.strip().toLowerCase(Locale.ROOT);
    List<Conversation.Row> rows =
        store.all(Keys.rows(OWNER), Conversation.Row.class, MAX_LISTED * 4).stream()
            .sorted(newestFirst)
            .limit(MAX_LISTED)
            .filter(row -> row.title().toLowerCase(Locale.ROOT).contains(wanted))
            .toList();
    int from = 0;
    if (after != null) {
      while (from < rows.size() && cursor(rows.get(from)).compareTo(after) >= 0) {
        from++;
      }
    }
    int to = Math.min(rows.size(), from + limit);
    List<Conversation.Row> page = rows.subList(from, to);
    return new Listing(page, to < rows.size() ? cursor(page.getLast()) : null);
  }

  private static String cursor(Conversation.Row row) {
    return String.format(Locale.ROOT, "%015d-%s", row.updatedAt().toEpochMilli(), row.id());
  }

  public Result<Conversation> change(String id, UnaryOperator<Conversation> change) {
    for (int i = 0; i < MAX_RACES; i++) {
      Optional<Versioned<Conversation>> found = load(id);
      if (found.isEmpty()) {
        return Result.refused(new Refusal.NoConversation(id));
      }
      Conversation changed = change.apply(found.get().value());
      if (!store.fits(changed)) {
        return Result.refused(new Refusal.TooLarge("The conversation's settings are too large."));
      }
      WriteOutcome outcome =
          store.put(Keys.conversation(id), changed, Condition.version(found.get().version()));
      if (outcome instanceof WriteOutcome.Applied) {
        writeRow(changed);
        hub.changed(id);
        return Result.ok(changed);
      }
      if (outcome instanceof WriteOutcome.NotApplied) {
        throw unavailable(outcome);
      }
    }
    throw new StoreUnavailableException("the conversation changes too fast");
  }

  public Result<Boolean> delete(String id) {
    if (!validId(id)) {
      return Result.refused(new Refusal.NoConversation(id));
    }
    Optional<Versioned<Conversation>> found = load(id);
    WriteOutcome row = store.delete(Keys.row(OWNER, id));
    if (found.isEmpty()) {
      return Result.refused(new Refusal.NoConversation(id));
    }
    WriteOutcome outcome = store.delete(Keys.conversation(id));
    if (!(outcome instanceof WriteOutcome.Applied)) {
      throw unavailable(outcome);
    }
    if (!(row instanceof WriteOutcome.Applied)) {
      LOG.debugf("the row of conversation %s goes when it is next seen", id);
    }
    hub.changed(id);
    found.get().value().lastTurn().ifPresent(turn -> forget(id, turn.assistantId()));
    var _ = parallel.submit(() -> clear(id));
    return Result.ok(true);
  }

  private void forget(String id, String messageId) {
    store.delete(Keys.generation(id, messageId));
    store.delete(Keys.pointer(messageId));
  }

  private void clear(String id) {
    try {
      while (true) {
        List<String> keys = store.keys(Keys.within(id), null);
        if (keys.isEmpty()) {
          return;
        }
        for (String key : keys) {
          if (!(store.delete(key) instanceof WriteOutcome.Applied)) {
            LOG.warnf("parts of the deleted conversation %s are left in the store", id);
            return;
          }
        }
      }
    } catch (StoreUnavailableException unavailable) {
      LOG.warnf("parts of the deleted conversation %s are left in the store", id);
    }
  }

  /// @param before ordinal above the page; 0 for the newest page
  public Result<History> messages(String id, int before, int limit) {
    Optional<Versioned<Conversation>> found = load(id);
    if (found.isEmpty()) {
      return Result.refused(new Refusal.NoConversation(id));
    }
    Conversation conversation = found.get().value();
    int end = before <= 0 ? conversation.nextOrdinal() : before;
    int from = Math.max(0, end - 1 - limit);
    List<Message> page =
        store.messages(id, from, Math.max(0, end - 1 - from)).stream()
            .filter(message -> message.ordinal() < end)
            .map(message -> conversation.seen(generations.current(id, message)))
            .toList();
    return Result.ok(new History(page, from > 0 ? from + 1 : null));
  }

  public Result<Posted> post(String id, NewMessage message, String requestId) {
    return turn(
        id,
        message,
        requestId,
        conversation ->
            Result.ok(
                conversation.withTurn(
                    message.clientId(),
                    newId("m"),
                    newId("m"),
                    message.content(),
                    0,
                    clock.instant())));
  }

  public Result<Posted> edit(String id, String messageId, NewMessage message, String requestId) {
    return turn(
        id,
        message,
        requestId,
        conversation ->
            find(conversation, messageId)
                .then(
                    edited ->
                        edited.role() != Role.USER
                            ? Result.refused(
                                new Refusal.Invalid(
                                    "message_id", "Only a user's message can be edited."))
                            : Result.ok(
                                conversation.withTurn(
                                    message.clientId(),
                                    newId("m"),
                                    newId("m"),
                                    message.content(),
                                    edited.ordinal(),
                                    clock.instant()))));
  }

  /// @param messageId of the answer to replace, or null for the last one
  public Result<Posted> regenerate(
      String id, String clientId, @Nullable String messageId, String requestId) {
    NewMessage nothing = new NewMessage(clientId, "", null, Parameters.NONE);
    return turn(
        id,
        nothing,
        requestId,
        conversation ->
            (messageId == null ? lastAnswer(conversation) : find(conversation, messageId))
                .then(
                    answer ->
                        answer.role() != Role.ASSISTANT
                            ? Result.refused(
                                new Refusal.Invalid(
                                    "message_id", "Only an answer can be regenerated."))
                            : Result.ok(
                                conversation.withRegeneration(
                                    clientId, newId("m"), answer.ordinal(), clock.instant()))));
  }

  public Result<Boolean> stop(String id) {
    Optional<Versioned<Conversation>> found = load(id);
    if (found.isEmpty()) {
      return Result.refused(new Refusal.NoConversation(id));
    }
    return Result.ok(
        found
            .get()
            .value()
            .lastTurn()
            .map(turn -> generations.stop(id, turn.assistantId()))
            .orElse(false));
  }

  /// One turn, once: the record of the conversation decides its place by one compare-and-set, then
  /// what it consists of is created where absent. A repeat with the same `client_id` finds the
  /// place
  /// decided, and completes whatever is missing.
  private Result<Posted> turn(
      String id,
      NewMessage message,
      String requestId,
      Function<Conversation, Result<Conversation>> append) {
    for (int i = 0; i < MAX_RACES; i++) {
      Optional<Versioned<Conversation>> found = load(id);
      if (found.isEmpty()) {
        return Result.refused(new Refusal.NoConversation(id));
      }
      Conversation conversation = found.get().value();
      Optional<Conversation.Turn> known = conversation.turn(message.clientId());
      if (known.isPresent()) {
        return Result.ok(complete(conversation, known.get(), message, requestId));
      }
      Refusal refusal = refusal(conversation, message);
      if (refusal != null) {
        return Result.refused(refusal);
      }
      switch (append.apply(conversation)) {
        case Result.Refused<Conversation>(var why) -> {
          return Result.refused(why);
        }
        case Result.Ok<Conversation>(var appended) -> {
          WriteOutcome outcome =
              store.put(Keys.conversation(id), appended, Condition.version(found.get().version()));
          if (outcome instanceof WriteOutcome.Applied) {
            Conversation.Turn turn = appended.turn(message.clientId()).orElseThrow();
            return Result.ok(complete(appended, turn, message, requestId));
          }
          if (outcome instanceof WriteOutcome.NotApplied) {
            throw unavailable(outcome);
          }
        }
      }
    }
    throw new StoreUnavailableException("the conversation changes too fast");
  }

  private @Nullable Refusal refusal(Conversation conversation, NewMessage message) {
    if (draining.isDraining()) {
      return new Refusal.Draining();
    }
    if (generations.full()) {
      return new Refusal.Overloaded();
    }
    String model = asked(conversation, message);
    if (!model.isEmpty()
        && router.route(model, new Ranking.Request(0, 1e9), Set.of())
            instanceof Router.Route.Nowhere nowhere
        && nowhere.type().equals("unknown-model")) {
      return new Refusal.UnknownModel(model);
    }
    Message sample =
        Message.fromUser(newId("m"), 1, message.content(), message.clientId(), Instant.EPOCH, 0);
    if (!store.fits(sample)) {
      return new Refusal.TooLarge("The message is larger than 1 MiB when stored.");
    }
    return busy(conversation) ? new Refusal.Busy() : null;
  }

  private boolean busy(Conversation conversation) {
    Optional<Conversation.Turn> last = conversation.lastTurn();
    if (last.isEmpty()) {
      return false;
    }
    String id = conversation.id();
    Optional<Versioned<Generation>> generation =
        store.get(Keys.generation(id, last.get().assistantId()), Generation.class);
    if (generation.isPresent()) {
      return !generation.get().value().state().terminal();
    }
    Optional<Versioned<Message>> answer =
        store.get(Keys.message(id, last.get().assistantOrdinal()), Message.class);
    if (answer.isEmpty()) {
      // Another request decided this turn and is about to write it, or died meanwhile.
      Duration age = Duration.between(last.get().at(), clock.instant()).abs();
      return age.compareTo(turnTakes) < 0;
    }
    if (answer.get().value().state().terminal()) {
      return false;
    }
    // Its writer died between the answer and the answer's record.
    generations.askedAbout(id, answer.get().value());
    return true;
  }

  private static String asked(Conversation conversation, NewMessage message) {
    String model = message.model() != null ? message.model() : conversation.model();
    return model == null || model.equals("auto") ? "" : model;
  }

  private Posted complete(
      Conversation conversation, Conversation.Turn turn, NewMessage message, String requestId) {
    String id = conversation.id();
    Optional<Versioned<Generation>> known =
        store.get(Keys.generation(id, turn.assistantId()), Generation.class);
    if (known.isPresent()) {
      return posted(conversation, turn);
    }
    String model = asked(conversation, message);
    Message answer =
        Message.queued(
            turn.assistantId(),
            turn.assistantOrdinal(),
            model.isEmpty() ? null : model,
            turn.clientId(),
            turn.at());
    CompletableFuture<?> user = CompletableFuture.completedFuture(null);
    Integer userOrdinal = turn.userOrdinal();
    String userId = turn.userId();
    if (userOrdinal != null && userId != null) {
      Message said =
          Message.fromUser(
              userId,
              userOrdinal,
              message.content(),
              turn.clientId(),
              turn.at(),
              tokens.count(message.content()));
      user =
          CompletableFuture.runAsync(
              () -> createIfAbsent(Keys.message(id, userOrdinal), said), parallel);
    }
    WriteOutcome pointer =
        store.put(
            Keys.pointer(answer.id()),
            new Generation.Pointer(id, answer.id(), answer.ordinal()),
            Condition.ALWAYS);
    join(user);
    if (!(pointer instanceof WriteOutcome.Applied)) {
      throw unavailable(pointer);
    }
    // The question stands before the answer appears, so that nobody sees them in another order.
    CompletableFuture<?> answered =
        CompletableFuture.runAsync(
            () -> createIfAbsent(Keys.message(id, turn.assistantOrdinal()), answer), parallel);
    Generation record =
        new Generation(
            id,
            1,
            generations.replica(),
            State.QUEUED,
            0,
            false,
            model,
            message.parameters().over(conversation.parameters()),
            answer,
            turn.at());
    WriteOutcome outcome = store.put(Keys.generation(id, answer.id()), record, Condition.ABSENT);
    join(answered);
    switch (outcome) {
      case WriteOutcome.Applied(var version, _) -> generations.begin(record, version, requestId);
      case WriteOutcome.Conflict _ -> {
        // A repeat of this request, or a replica that found the message waiting, was faster.
      }
      default -> throw unavailable(outcome);
    }
    var _ = parallel.submit(() -> writeRow(conversation));
    hub.changed(id);
    return posted(conversation, turn);
  }

  private static void join(CompletableFuture<?> write) {
    try {
      write.join();
    } catch (CompletionException failed) {
      if (failed.getCause() instanceof StoreUnavailableException unavailable) {
        throw unavailable;
      }
      throw failed;
    }
  }

  private Posted posted(Conversation conversation, Conversation.Turn turn) {
    String id = conversation.id();
    Message answer =
        conversation.seen(generations.current(id, stored(id, turn.assistantOrdinal())));
    Integer userOrdinal = turn.userOrdinal();
    Message first = userOrdinal == null ? answer : conversation.seen(stored(id, userOrdinal));
    return new Posted(first, new Started(answer.id(), answer.state(), answer));
  }

  private Message stored(String id, int ordinal) {
    return store
        .get(Keys.message(id, ordinal), Message.class)
        .map(Versioned::value)
        .orElseThrow(() -> new StoreUnavailableException("the conversation was deleted meanwhile"));
  }

  private void createIfAbsent(String key, Message message) {
    WriteOutcome outcome = store.put(key, message, Condition.ABSENT);
    if (!(outcome instanceof WriteOutcome.Applied) && !(outcome instanceof WriteOutcome.Conflict)) {
      throw unavailable(outcome);
    }
  }

  private Result<Message> find(Conversation conversation, String messageId) {
    int after = Math.max(0, conversation.nextOrdinal() - 1_001);
    return store.messages(conversation.id(), after, 1_001).stream()
        .filter(message -> message.id().equals(messageId))
        .findFirst()
        .map(Result::ok)
        .orElseGet(() -> Result.refused(new Refusal.NoMessage(messageId)));
  }

  private Result<Message> lastAnswer(Conversation conversation) {
    int after = Math.max(0, conversation.nextOrdinal() - 51);
    List<Message> answers =
        store.messages(conversation.id(), after, 51).stream()
            .filter(message -> message.role() == Role.ASSISTANT)
            .filter(message -> conversation.supersededBy(message.ordinal()) == null)
            .toList();
    return answers.isEmpty()
        ? Result.refused(new Refusal.Invalid(null, "There is no answer to regenerate."))
        : Result.ok(answers.getLast());
  }

  Optional<Versioned<Conversation>> load(String id) {
    return validId(id) ? store.get(Keys.conversation(id), Conversation.class) : Optional.empty();
  }

  private static boolean validId(String id) {
    return id.length() <= 64 && id.chars().allMatch(c -> c < 0x80 && Character.isLetterOrDigit(c));
  }

  private void repairRow(Conversation conversation) {
    Optional<Versioned<Conversation.Row>> row =
        store.get(Keys.row(OWNER, conversation.id()), Conversation.Row.class);
    if (row.isEmpty() || !row.get().value().equals(conversation.row())) {
      writeRow(conversation);
    }
  }

  private void writeRow(Conversation conversation) {
    store.put(Keys.row(OWNER, conversation.id()), conversation.row(), Condition.ALWAYS);
  }

  private String newId(String prefix) {
    byte[] bytes = new byte[10];
    random.nextBytes(bytes);
    return prefix + HEX.formatHex(bytes);
  }

  private static StoreUnavailableException unavailable(WriteOutcome outcome) {
    return switch (outcome) {
      case WriteOutcome.NotApplied(var reason) -> new StoreUnavailableException(reason);
      case WriteOutcome.Unknown(var reason) -> new StoreUnavailableException(reason);
      default -> new StoreUnavailableException("the store refused a new key");
    };
  }
}
