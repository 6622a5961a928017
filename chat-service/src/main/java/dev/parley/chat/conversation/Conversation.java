package dev.parley.chat.conversation;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A conversation's record: its settings, and the few facts from which its messages take their
/// order. Every change of order (a new turn, a regeneration, an edit) is one compare-and-set of
/// this
/// record; the messages themselves are then written where it says.
///
/// @param named whether somebody chose the title
/// @param nextOrdinal of the next message; the first is 1. A turn whose writer died may leave a gap
/// @param turns the newest turns, by which a repeated request is known
/// @param supersessions which messages were replaced, and by which
public record Conversation(
    String id,
    String title,
    boolean named,
    Instant createdAt,
    Instant updatedAt,
    boolean pinned,
    @Nullable String model,
    @Nullable String systemPrompt,
    @Nullable Parameters parameters,
    String owner,
    int nextOrdinal,
    @Nullable List<Turn> turns,
    @Nullable List<Supersession> supersessions) {

  /// A client repeats a request within seconds or minutes, not after this many others.
  private static final int REMEMBERED_TURNS = 64;

  private static final int MAX_SUPERSESSIONS = 1_000;
  private static final int TITLE_CHARS = 60;

  public Conversation {
    parameters = parameters == null ? Parameters.NONE : parameters;
    turns = turns == null ? List.of() : List.copyOf(turns);
    supersessions = supersessions == null ? List.of() : List.copyOf(supersessions);
  }

  /// What one request appended.
  ///
  /// @param userOrdinal of the user's message, or null for a regeneration
  public record Turn(
      String clientId,
      @Nullable Integer userOrdinal,
      @Nullable String userId,
      int assistantOrdinal,
      String assistantId,
      Instant at) {}

  /// The messages `from` to `to`, inclusive, are replaced by the message `by`.
  public record Supersession(int from, int to, String by, int byOrdinal) {}

  public static Conversation create(
      String id,
      @Nullable String title,
      @Nullable String model,
      @Nullable String systemPrompt,
      Parameters parameters,
      boolean pinned,
      String owner,
      Instant now) {
    return new Conversation(
        id,
        title == null ? "" : title,
        title != null && !title.isBlank(),
        now,
        now,
        pinned,
        model,
        systemPrompt,
        parameters,
        owner,
        1,
        null,
        null);
  }

  @Override
  public Parameters parameters() {
    return parameters == null ? Parameters.NONE : parameters;
  }

  @Override
  public List<Turn> turns() {
    return turns == null ? List.of() : turns;
  }

  @Override
  public List<Supersession> supersessions() {
    return supersessions == null ? List.of() : supersessions;
  }

  public Optional<Turn> turn(String clientId) {
    return turns().stream().filter(turn -> turn.clientId().equals(clientId)).findFirst();
  }

  public Optional<Turn> lastTurn() {
    return turns().isEmpty() ? Optional.empty() : Optional.of(turns().getLast());
  }

  /// Appends a user's message and the answer to it.
  ///
  /// @param content of the message, for the title
  /// @param replacingFrom the first ordinal that this turn replaces, with all after it; 0 for none
  public Conversation withTurn(
      String clientId,
      String userId,
      String assistantId,
      String content,
      int replacingFrom,
      Instant now) {
    Turn turn = new Turn(clientId, nextOrdinal, userId, nextOrdinal + 1, assistantId, now);
    return appended(turn, replacingFrom, userId, nextOrdinal, nextOrdinal + 2, now)
        .titledBy(content);
  }

  /// Appends another answer, which replaces everything from `replacingFrom` on.
  public Conversation withRegeneration(
      String clientId, String assistantId, int replacingFrom, Instant now) {
    Turn turn = new Turn(clientId, null, null, nextOrdinal, assistantId, now);
    return appended(turn, replacingFrom, assistantId, nextOrdinal, nextOrdinal + 1, now);
  }

  private Conversation appended(
      Turn turn, int replacingFrom, String by, int byOrdinal, int next, Instant now) {
    List<Turn> recent = new ArrayList<>(turns());
    recent.add(turn);
    while (recent.size() > REMEMBERED_TURNS) {
      recent.removeFirst();
    }
    List<Supersession> replaced = new ArrayList<>(supersessions());
    if (replacingFrom > 0) {
      replaced.removeIf(older -> older.from() >= replacingFrom);
      replaced.add(new Supersession(replacingFrom, nextOrdinal - 1, by, byOrdinal));
      while (replaced.size() > MAX_SUPERSESSIONS) {
        Supersession first = replaced.removeFirst();
        Supersession second = replaced.removeFirst();
        replaced.addFirst(
            new Supersession(
                Math.min(first.from, second.from),
                Math.max(first.to, second.to),
                second.by,
                second.byOrdinal));
      }
    }
    return new Conversation(
        id,
        title,
        named,
        createdAt,
        now,
        pinned,
        model,
        systemPrompt,
        parameters,
        owner,
        next,
        recent,
        replaced);
  }

  private Conversation titledBy(String content) {
    if (named || !title.isEmpty()) {
      return this;
    }
    String words = content.strip().replaceAll("\\s+", " ");
    if (words.codePointCount(0, words.length()) > TITLE_CHARS) {
      int cut = words.offsetByCodePoints(0, TITLE_CHARS);
      int space = words.lastIndexOf(' ', cut);
      words = words.substring(0, space > cut / 2 ? space : cut) + "…";
    }
    return with(words, false, pinned, model, systemPrompt, parameters(), updatedAt);
  }

  /// With other settings.
  public Conversation with(
      String title,
      boolean named,
      boolean pinned,
      @Nullable String model,
      @Nullable String systemPrompt,
      Parameters parameters,
      Instant updatedAt) {
    return new Conversation(
        id,
        title,
        named,
        createdAt,
        updatedAt,
        pinned,
        model,
        systemPrompt,
        parameters,
        owner,
        nextOrdinal,
        turns,
        supersessions);
  }

  /// Which message replaced the one at `ordinal`, or null.
  public @Nullable String supersededBy(int ordinal) {
    for (Supersession each : supersessions()) {
      if (each.from() <= ordinal && ordinal <= each.to()) {
        return each.by();
      }
    }
    return null;
  }

  public Message seen(Message message) {
    return message.withSupersededBy(supersededBy(message.ordinal()));
  }

  public Card card() {
    return new Card(
        id, title, createdAt, updatedAt, pinned, model, systemPrompt, parameters(), owner);
  }

  /// What a client sees of a conversation.
  public record Card(
      String id,
      String title,
      Instant createdAt,
      Instant updatedAt,
      boolean pinned,
      @Nullable String model,
      @Nullable String systemPrompt,
      Parameters parameters,
      String owner) {}

  /// The small row by which the list knows a conversation.
  public record Row(
      String id,
      String title,
      Instant createdAt,
      Instant updatedAt,
      boolean pinned,
      @Nullable String model,
      String owner) {}

  public Row row() {
    return new Row(id, title, createdAt, updatedAt, pinned, model, owner);
  }
}
