package dev.parley.chat.conversation;

import dev.parley.chat.openai.Usage;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One message of a conversation, as stored and as shown.
///
/// @param backend name of the backend that served it last
/// @param context what the model was shown
/// @param attempts every backend that was asked, in order
/// @param takeovers where in the text another replica took over; text beyond such a place that was
///     seen before the takeover may differ
/// @param tokens length of the content, framing not included; null while it grows
public record Message(
    String id,
    int ordinal,
    Role role,
    String content,
    State state,
    @Nullable String model,
    @Nullable String backend,
    @Nullable String backendId,
    @Nullable Usage usage,
    @Nullable Failure error,
    @Nullable Shown context,
    @Nullable List<Attempt> attempts,
    @Nullable List<Integer> takeovers,
    @Nullable Long firstTokenMs,
    @Nullable Long durationMs,
    Instant createdAt,
    @Nullable String clientId,
    @Nullable String supersededBy,
    @Nullable Integer tokens) {

  public Message {
    attempts = attempts == null ? List.of() : List.copyOf(attempts);
    takeovers = takeovers == null ? List.of() : List.copyOf(takeovers);
  }

  /// Why an answer failed.
  ///
  /// @param type a stable word such as `no-backends`, `all-down`, `unknown-model`
  public record Failure(String type, String message, boolean retryable) {}

  /// How much of the conversation the model was shown.
  public record Shown(int tokens, int limit, int droppedMessages) {}

  /// One backend that was asked.
  ///
  /// @param outcome `running`, `ok`, or why it ended
  /// @param offset where in the text its part begins, in UTF-16 units
  public record Attempt(
      String backend,
      String backendId,
      @Nullable String model,
      String outcome,
      int offset,
      Instant at) {

    public Attempt withOutcome(String now) {
      return new Attempt(backend, backendId, model, now, offset, at);
    }
  }

  public static Message fromUser(
      String id, int ordinal, String content, String clientId, Instant at, int tokens) {
    Edit edit = new Edit(id, ordinal, Role.USER, State.DONE, clientId, at);
    edit.content = content;
    edit.tokens = tokens;
    return edit.done();
  }

  public static Message queued(
      String id, int ordinal, @Nullable String model, String clientId, Instant at) {
    Edit edit = new Edit(id, ordinal, Role.ASSISTANT, State.QUEUED, clientId, at);
    edit.model = model;
    return edit.done();
  }

  @Override
  public List<Attempt> attempts() {
    return attempts == null ? List.of() : attempts;
  }

  @Override
  public List<Integer> takeovers() {
    return takeovers == null ? List.of() : takeovers;
  }

  public Message withContent(String text) {
    return with(edit -> edit.content = text);
  }

  public Message withState(State now) {
    return with(edit -> edit.state = now);
  }

  public Message withSupersededBy(@Nullable String other) {
    return with(edit -> edit.supersededBy = other);
  }

  public Message withContext(Shown shown) {
    return with(edit -> edit.context = shown);
  }

  /// With another list of attempts, the last of which says who serves.
  public Message withAttempts(List<Attempt> all) {
    return with(
        edit -> {
          edit.attempts = all;
          if (!all.isEmpty()) {
            Attempt last = all.getLast();
            edit.model = last.model() == null ? model : last.model();
            edit.backend = last.backend();
            edit.backendId = last.backendId();
          }
        });
  }

  public Message withTakeovers(List<Integer> places) {
    return with(edit -> edit.takeovers = places);
  }

  public Message withFirstTokenMs(@Nullable Long millis) {
    return with(edit -> edit.firstTokenMs = millis);
  }

  /// In its last state.
  public Message ended(
      State last, @Nullable Failure failure, Usage used, long millis, int contentTokens) {
    return with(
        edit -> {
          edit.state = last;
          edit.error = failure;
          edit.usage = used;
          edit.durationMs = millis;
          edit.tokens = contentTokens;
        });
  }

  private Message with(Consumer<Edit> change) {
    Edit edit = new Edit(this);
    change.accept(edit);
    return edit.done();
  }

  /// A message being changed, so that only what differs has to be named.
  private static final class Edit {
    private final String id;
    private final int ordinal;
    private final Role role;
    private final @Nullable String clientId;
    private final Instant createdAt;
    private String content = "";
    private State state;
    private @Nullable String model;
    private @Nullable String backend;
    private @Nullable String backendId;
    private @Nullable Usage usage;
    private @Nullable Failure error;
    private @Nullable Shown context;
    private List<Attempt> attempts = List.of();
    private List<Integer> takeovers = List.of();
    private @Nullable Long firstTokenMs;
    private @Nullable Long durationMs;
    private @Nullable String supersededBy;
    private @Nullable Integer tokens;

    Edit(
        String id,
        int ordinal,
        Role role,
        State state,
        @Nullable String clientId,
        Instant createdAt) {
      this.id = id;
      this.ordinal = ordinal;
      this.role = role;
      this.state = state;
      this.clientId = clientId;
      this.createdAt = createdAt;
    }

    Edit(Message from) {
      this(from.id, from.ordinal, from.role, from.state, from.clientId, from.createdAt);
      content = from.content;
      model = from.model;
      backend = from.backend;
      backendId = from.backendId;
      usage = from.usage;
      error = from.error;
      context = from.context;
      attempts = from.attempts();
      takeovers = from.takeovers();
      firstTokenMs = from.firstTokenMs;
      durationMs = from.durationMs;
      supersededBy = from.supersededBy;
      tokens = from.tokens;
    }

    Message done() {
      return new Message(
          id,
          ordinal,
          role,
          content,
          state,
          model,
          backend,
          backendId,
          usage,
          error,
          context,
          attempts,
          takeovers,
          firstTokenMs,
          durationMs,
          createdAt,
          clientId,
          supersededBy,
          tokens);
    }
  }
}
