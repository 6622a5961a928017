package dev.parley.chat.conversation;

import dev.parley.chat.openai.Usage;
import java.time.Instant;
import java.util.List;
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
    return new Message(
        id,
        ordinal,
        Role.USER,
        content,
        State.DONE,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        at,
        clientId,
        null,
        tokens);
  }

  public static Message queued(
      String id, int ordinal, @Nullable String model, String clientId, Instant at) {
    return new Message(
        id,
        ordinal,
        Role.ASSISTANT,
        "",
        State.QUEUED,
        model,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        at,
        clientId,
        null,
        null);
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
    return new Message(
        id,
        ordinal,
        role,
        text,
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

  public Message withState(State now) {
    return new Message(
        id,
        ordinal,
        role,
        content,
        now,
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

  public Message withSupersededBy(@Nullable String other) {
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
        other,
        tokens);
  }

  public Message withContext(Shown shown) {
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
        shown,
        attempts,
        takeovers,
        firstTokenMs,
        durationMs,
        createdAt,
        clientId,
        supersededBy,
        tokens);
  }

  /// With another list of attempts, the last of which says who serves.
  public Message withAttempts(List<Attempt> all) {
    Attempt last = all.isEmpty() ? null : all.getLast();
    return new Message(
        id,
        ordinal,
        role,
        content,
        state,
        last == null || last.model() == null ? model : last.model(),
        last == null ? backend : last.backend(),
        last == null ? backendId : last.backendId(),
        usage,
        error,
        context,
        all,
        takeovers,
        firstTokenMs,
        durationMs,
        createdAt,
        clientId,
        supersededBy,
        tokens);
  }

  public Message withTakeovers(List<Integer> places) {
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
        places,
        firstTokenMs,
        durationMs,
        createdAt,
        clientId,
        supersededBy,
        tokens);
  }

  public Message withFirstTokenMs(@Nullable Long millis) {
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
        millis,
        durationMs,
        createdAt,
        clientId,
        supersededBy,
        tokens);
  }

  /// In its last state.
  public Message ended(
      State state, @Nullable Failure error, Usage usage, long durationMs, int tokens) {
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
