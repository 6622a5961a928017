package dev.parley.chat.conversation;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// The record of an answer being written. Whoever wrote it last with the highest epoch owns it.
///
/// @param epoch rises with every owner
/// @param owner name of the replica
/// @param beat rises while the owner lives
/// @param stopRequested set by any replica; the owner obeys
/// @param model asked for, empty for any
/// @param message the answer without its text, which is in the chunks until it is final
public record Generation(
    String conversationId,
    long epoch,
    String owner,
    State state,
    long beat,
    boolean stopRequested,
    String model,
    @Nullable Parameters parameters,
    Message message,
    Instant startedAt) {

  public Generation {
    parameters = parameters == null ? Parameters.NONE : parameters;
  }

  @Override
  public Parameters parameters() {
    return parameters == null ? Parameters.NONE : parameters;
  }

  public Generation with(Message now) {
    return new Generation(
        conversationId,
        epoch,
        owner,
        now.state(),
        beat + 1,
        stopRequested,
        model,
        parameters,
        now.withContent(""),
        startedAt);
  }

  public Generation stopping() {
    return new Generation(
        conversationId, epoch, owner, state, beat, true, model, parameters, message, startedAt);
  }

  public Generation adoptedBy(String replica, Message now) {
    return new Generation(
        conversationId,
        epoch + 1,
        replica,
        now.state(),
        beat + 1,
        stopRequested,
        model,
        parameters,
        now.withContent(""),
        startedAt);
  }

  /// A piece of an answer's text. The chunks of a generation form a chain: each is created only if
  /// absent, after the one before it, so that a new owner's first chunk stops an old owner's next.
  public record Chunk(long epoch, String text) {}

  /// The row by which every replica finds the generations under way.
  public record Pointer(String conversationId, String messageId, int ordinal) {}
}
