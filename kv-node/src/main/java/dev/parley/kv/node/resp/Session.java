package dev.parley.kv.node.resp;

import dev.parley.kv.core.Answer;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/// What a connection remembers of its client, and its way to the core: a bounded number of its
/// questions are with the core at a time, whatever it pipelines. Used on the connection's event
/// loop only; answers come back to it.
final class Session {

  /// A quarter of these many connections at their bound would fill the core's own.
  private static final int MAX_ASKED = 64;

  private final long id;
  private final EventExecutor loop;
  private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
  private int asked;
  private boolean authenticated;
  private String name = "";

  Session(long id, EventExecutor loop) {
    this.id = id;
    this.loop = loop;
  }

  long id() {
    return id;
  }

  String name() {
    return name;
  }

  void name(String newName) {
    name = newName;
  }

  boolean authenticated() {
    return authenticated;
  }

  void authenticate() {
    authenticated = true;
  }

  /// Asks the core as soon as this connection may. Never fails.
  CompletableFuture<Answer> ask(Consumer<Consumer<Answer>> question) {
    CompletableFuture<Answer> answer = new CompletableFuture<>();
    waiting.add(() -> question.accept(given -> loop.execute(() -> answered(answer, given))));
    askNext();
    return answer;
  }

  private void answered(CompletableFuture<Answer> answer, Answer given) {
    asked--;
    answer.complete(given);
    askNext();
  }

  private void askNext() {
    while (asked < MAX_ASKED && !waiting.isEmpty()) {
      asked++;
      waiting.remove().run();
    }
  }
}
