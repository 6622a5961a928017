package dev.parley.chat.generation;

import dev.parley.chat.conversation.Generation;
import dev.parley.chat.conversation.LiveText;
import dev.parley.chat.conversation.Message;
import dev.parley.chat.conversation.State;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// An answer that this replica owns, as its threads share it.
///
/// Two virtual threads work on it: the [Writer] gets the text from backends, the [Keeper] makes it
/// durable and watches over the ownership. Readers look at [#view]. A final state is shown only
/// once it is durable, so that nobody is told of an end that could still be lost.
final class GenerationRun {

  /// What the writer came to.
  record End(State state, Message.@Nullable Failure error) {}

  final String conversationId;
  final String messageId;
  final LiveText text;
  final String requestId;

  private final Semaphore attention = new Semaphore(0);
  private Generation record;
  private String version;
  private Message message;
  private boolean dirty;
  private int partsSinceFlush;
  private int nextChunk;
  private int durableLength;
  private @Nullable End end;
  private volatile boolean stopRequested;
  private volatile boolean lost;
  private volatile boolean handover;
  private @Nullable Runnable interruption;

  GenerationRun(Generation record, String version, LiveText text, int nextChunk, String requestId) {
    this.record = record;
    this.version = version;
    this.conversationId = record.conversationId();
    this.messageId = record.message().id();
    this.message = record.message();
    this.text = text;
    this.nextChunk = nextChunk;
    this.durableLength = text.length();
    this.stopRequested = record.stopRequested();
    this.requestId = requestId;
  }

  synchronized Generation record() {
    return record;
  }

  synchronized String version() {
    return version;
  }

  /// The record as it now is in the store.
  synchronized void stored(Generation now, String nowVersion) {
    record = now;
    version = nowVersion;
    if (now.stopRequested() && !stopRequested) {
      stop();
    }
  }

  /// The answer without its text, and nothing of an end that is not durable.
  synchronized Message message() {
    return message;
  }

  synchronized void change(Message now) {
    message = now;
    dirty = true;
    attention.release();
  }

  /// Shows the final message, now that it is durable.
  synchronized void ended(Message last) {
    message = last;
    dirty = false;
  }

  synchronized boolean takeDirty() {
    boolean was = dirty;
    dirty = false;
    return was;
  }

  synchronized void markDirty() {
    dirty = true;
  }

  /// Text was added; the keeper is woken if it is enough for a chunk.
  synchronized void grown(int chunkTokens) {
    if (++partsSinceFlush >= chunkTokens) {
      attention.release();
    }
  }

  synchronized int parts() {
    return partsSinceFlush;
  }

  /// Text that is not durable yet, without marking it as such.
  synchronized String pending() {
    return text.from(durableLength);
  }

  synchronized int nextChunk() {
    return nextChunk;
  }

  synchronized void flushed(int length) {
    durableLength += length;
    nextChunk++;
    partsSinceFlush = 0;
  }

  synchronized void end(End how) {
    end = how;
    attention.release();
  }

  synchronized @Nullable End end() {
    return end;
  }

  void await(long millis) throws InterruptedException {
    if (attention.tryAcquire(millis, TimeUnit.MILLISECONDS)) {
      attention.drainPermits();
    }
  }

  boolean stopRequested() {
    return stopRequested;
  }

  void stop() {
    stopRequested = true;
    interrupt();
  }

  /// Somebody else owns it, or it was deleted: nothing more is written.
  void lose() {
    lost = true;
    interrupt();
    attention.release();
  }

  boolean lost() {
    return lost;
  }

  /// This replica leaves; another one shall go on.
  void handOver() {
    handover = true;
    interrupt();
    attention.release();
  }

  boolean handingOver() {
    return handover;
  }

  boolean interrupted() {
    return stopRequested || lost || handover;
  }

  /// @param action ends the attempt under way; null when there is none
  synchronized void interruption(@Nullable Runnable action) {
    interruption = action;
    if (action != null && interrupted()) {
      action.run();
    }
  }

  private synchronized void interrupt() {
    if (interruption != null) {
      interruption.run();
    }
  }
}
