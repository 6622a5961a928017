package dev.parley.kv.client;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/// Keeps [Members] up to date, on a virtual thread of its own: asks one node who the members are,
/// and another one if that does not know, every few seconds, and soon after somebody had trouble
/// with a node.
final class MemberSearch implements AutoCloseable {

  /// Members change a few times in a year, and whoever meets one that has left says so: this is for
  /// the nodes that were added, which nobody would meet.
  static final Duration EVERY = Duration.ofSeconds(10);

  /// However much trouble there is, and while no node can say who the members are.
  private static final Duration AT_MOST_EVERY = Duration.ofSeconds(1);

  /// A node answers at once, from memory.
  private static final Duration ANSWER_WITHIN = Duration.ofSeconds(1);

  /// Some hundred bytes a member.
  private static final int MOST_BYTES = 256 << 10;

  private final HttpClient http;
  private final BiFunction<URI, String, HttpRequest.Builder> asking;
  private final Members members;
  private final Duration every;
  private final BlockingQueue<Boolean> troubles = new ArrayBlockingQueue<>(1);
  final Thread thread;

  /// @param asking begins a request to a node, of a path
  MemberSearch(
      HttpClient http,
      BiFunction<URI, String, HttpRequest.Builder> asking,
      Members members,
      Duration every) {
    this.http = http;
    this.asking = asking;
    this.members = members;
    this.every = every;
    this.thread = Thread.ofVirtual().name("kv-members").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /// A node refused or could not be reached: it may be a member no more. Returns at once.
  void trouble() {
    boolean _ = troubles.offer(true);
  }

  @Override
  public void close() {
    thread.interrupt();
  }

  private void run() {
    long gap = Math.min(every.toMillis(), AT_MOST_EVERY.toMillis());
    try {
      while (true) {
        boolean found = search();
        Thread.sleep(gap);
        if (found) {
          // Anything from four to six fifths, so that the processes of a cluster do not ask in
          // step.
          long pause = every.toMillis() * ThreadLocalRandom.current().nextLong(80, 121) / 100;
          Boolean _ = troubles.poll(Math.max(0, pause - gap), TimeUnit.MILLISECONDS);
        }
        troubles.clear();
      }
    } catch (InterruptedException e) {
      // Closed.
    }
  }

  /// Whether a node said who the members are now.
  private boolean search() throws InterruptedException {
    List<URI> likely = members.addresses();
    URI first = likely.get(ThreadLocalRandom.current().nextInt(likely.size()));
    boolean heard = false;
    URI stranger = null;
    byte[] strange = new byte[0];
    for (URI node : members.addresses(first)) {
      byte[] answer = ask(node);
      if (answer == null) {
        continue;
      }
      switch (members.learn(node, answer)) {
        case CURRENT -> {
          return true;
        }
        case BEHIND -> heard = true;
        case OTHER_CLUSTER -> {
          stranger = node;
          strange = answer;
        }
        case USELESS -> {}
      }
    }
    if (heard || stranger == null) {
      return false;
    }
    members.forget();
    return members.learn(stranger, strange) == Members.Verdict.CURRENT;
  }

  private byte @Nullable [] ask(URI node) throws InterruptedException {
    CompletableFuture<HttpResponse<byte[]>> exchange = null;
    try {
      exchange =
          http.sendAsync(
              asking.apply(node, "/v1/cluster").GET().build(),
              BodyHandlers.limiting(BodyHandlers.ofByteArray(), MOST_BYTES));
      HttpResponse<byte[]> response = exchange.get(ANSWER_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
      return response.statusCode() == 200 ? response.body() : null;
    } catch (ExecutionException | TimeoutException | IllegalArgumentException e) {
      return null;
    } finally {
      if (exchange != null) {
        exchange.cancel(true);
      }
    }
  }
}
