package dev.parley.kv.node.peer;

import dev.parley.kv.core.Message;
import dev.parley.kv.core.Versioned;
import dev.parley.kv.core.wire.Batch;
import dev.parley.kv.core.wire.MalformedBytesException;
import dev.parley.kv.node.http.Problem;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import java.net.URI;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The way to one peer: while [#BATCHES_AT_ONCE] are out, the next gathers. Messages with large
/// bodies go by connections of their own, one message each, so that small ones do not wait behind
/// them. Messages may overtake each other. Lives on the core's event loop.
///
/// A batch is posted at most once. If there was no connection it is reported as undelivered, which
/// the core may rely on; if anything fails later it is simply lost, as a network may lose it. The
/// answer to a batch carries the peer's replies; it comes when what the batch wrote is on its disk.
public final class PeerLink {

  private static final Logger LOG = Logger.getLogger(PeerLink.class);

  /// Messages heavier than this travel alone. At 64 KiB, copying a message costs about what a
  /// request of its own does.
  public static final int LARGE = 64 << 10;

  /// Most bytes of one batch, about.
  public static final int BATCH_BYTES = 1 << 20;

  private static final int BATCH_MESSAGES = 512;

  /// How many batches of small messages are out at once. The answer to one waits for the peer's
  /// disk; what comes meanwhile need not wait for that, but on its way meet the next force.
  public static final int BATCHES_AT_ONCE = 2;

  /// How many large messages are out at once. Each is at most a few mebibytes of encoded copy.
  private static final int LARGE_AT_ONCE = 4;

  /// Beyond these the peer is too slow for what it is sent, and messages are dropped. Large bodies
  /// are shared with the core and with the links to the other peers, so that they weigh less.
  private static final int SMALL_QUEUE_BYTES = 16 << 20;

  private static final int LARGE_QUEUE_BYTES = 48 << 20;

  /// Most bytes of replies that are read from an answer.
  private static final int ANSWER_BYTES = 8 << 20;

  private static final int CONNECT_MILLIS = 500;
  private static final int ANSWER_MILLIS = 1500;

  /// After a peer could not be connected it is not tried again for so long, and what is sent to it
  /// counts as undelivered at once. Under load each of thousands of messages a second would else
  /// fail by an attempt of its own, on processors that the living nodes need just then.
  private static final long RETRY_NANOS = 20_000_000;

  /// How much of the words of others goes into the log.
  private static final int MAX_DETAIL = 300;

  /// Who is told what became of messages, on the core's event loop, and never from within
  /// [#send].
  public interface Listener {
    /// These certainly never reached the peer, which cannot be connected or refuses. Or, with an
    /// empty list, the peer stopped answering.
    void undelivered(List<Message> messages);

    /// These were not sent, since too much waits already. That says nothing of the peer's health.
    void dropped(List<Message> messages);

    /// The peer's replies.
    void replied(Batch batch);
  }

  private record Queued(Message message, int weight) {}

  /// What leaves together, and about how many bytes it takes.
  private record Taken(List<Message> messages, int bytes) {}

  /// Messages of one size class, in order.
  private static final class Lane {
    final ArrayDeque<Queued> queue = new ArrayDeque<>();
    final int maxBytes;
    final int maxMessages;
    final int maxOut;
    int queuedBytes;
    int out;

    Lane(int maxBytes, int maxMessages, int maxOut) {
      this.maxBytes = maxBytes;
      this.maxMessages = maxMessages;
      this.maxOut = maxOut;
    }

    boolean offer(Queued message) {
      if (queuedBytes + message.weight() > maxBytes) {
        return false;
      }
      queue.add(message);
      queuedBytes += message.weight();
      return true;
    }

    Taken take() {
      List<Message> messages = new ArrayList<>(Math.min(queue.size(), maxMessages));
      int bytes = 0;
      while (!queue.isEmpty()
          && messages.size() < maxMessages
          && (messages.isEmpty() || bytes + queue.peek().weight() <= BATCH_BYTES)) {
        Queued next = queue.remove();
        queuedBytes -= next.weight();
        bytes += next.weight();
        messages.add(next.message());
      }
      return new Taken(messages, bytes);
    }

    void drainTo(List<Message> target) {
      while (!queue.isEmpty()) {
        target.add(queue.remove().message());
      }
      queuedBytes = 0;
    }
  }

  private final Context loop;
  private final String id;
  private final String cluster;
  private final String self;
  private final String bearer;
  private final LongSupplier boot;
  private final Listener listener;
  private final HttpClient client;
  private final RequestOptions request;
  private final Lane small = new Lane(SMALL_QUEUE_BYTES, BATCH_MESSAGES, BATCHES_AT_ONCE);
  private final Lane large = new Lane(LARGE_QUEUE_BYTES, 1, LARGE_AT_ONCE);
  private boolean scheduled;
  private boolean closed;
  private long notBefore = System.nanoTime();
  private @Nullable String lastProblem;

  /// @param loop the core's event loop, on which everything here runs
  /// @param id of the peer
  /// @param bearer the header value that shows the service token
  /// @param boot of this node
  public PeerLink(
      Context loop,
      String id,
      URI url,
      String cluster,
      String self,
      String bearer,
      LongSupplier boot,
      Listener listener) {
    this.loop = loop;
    this.id = id;
    this.cluster = cluster;
    this.self = self;
    this.bearer = bearer;
    this.boot = boot;
    this.listener = listener;
    this.client =
        loop.owner()
            .createHttpClient(
                new HttpClientOptions()
                    .setKeepAlive(true)
                    .setConnectTimeout(CONNECT_MILLIS)
                    .setTcpNoDelay(true),
                new PoolOptions().setHttp1MaxSize(small.maxOut + large.maxOut));
    String path = url.getRawPath() == null ? "" : url.getRawPath();
    this.request =
        new RequestOptions()
            .setMethod(HttpMethod.POST)
            .setHost(url.getHost())
            .setPort(url.getPort() < 0 ? 80 : url.getPort())
            .setURI(
                (path.endsWith("/") ? path.substring(0, path.length() - 1) : path) + PeerRoute.PATH)
            .setIdleTimeout(ANSWER_MILLIS);
  }

  /// Lets go of the connections. Nothing more is sent, and nobody is told of it.
  public void close() {
    closed = true;
    var _ = client.close();
  }

  /// Queues a message; it leaves in this turn of the event loop if nothing else is out.
  public void send(Message message) {
    if (closed) {
      return;
    }
    int weight = weight(message);
    Lane lane = weight > LARGE ? large : small;
    if (!lane.offer(new Queued(message, weight))) {
      // Not in this turn: the core's other effects, of which this message was one, come first.
      loop.runOnContext(_ -> listener.dropped(List.of(message)));
      return;
    }
    if (lane.out < lane.maxOut && !scheduled) {
      scheduled = true;
      loop.runOnContext(
          _ -> {
            scheduled = false;
            flush(small);
            flush(large);
          });
    }
  }

  private void flush(Lane lane) {
    if (closed) {
      return;
    }
    if (System.nanoTime() - notBefore < 0) {
      undelivered(new ArrayList<>());
      return;
    }
    while (lane.out < lane.maxOut && !lane.queue.isEmpty()) {
      Future<HttpClientRequest> connecting;
      try {
        connecting = client.request(new RequestOptions(request));
      } catch (IllegalStateException e) {
        closed = true; // By Vert.x: the process ends.
        return;
      }
      lane.out++;
      Taken taken = lane.take();
      connecting.onComplete(
          connected -> {
            if (closed) {
              return;
            }
            if (connected.failed()) {
              problem("cannot be connected", connected.cause().getMessage());
              notBefore = System.nanoTime() + RETRY_NANOS;
              lane.out--;
              undelivered(taken.messages());
            } else {
              post(connected.result(), lane, taken);
            }
          });
    }
  }

  /// Reports these, and all that is queued, for it would meet the same end.
  private void undelivered(List<Message> messages) {
    small.drainTo(messages);
    large.drainTo(messages);
    if (!messages.isEmpty() && !closed) {
      listener.undelivered(messages);
    }
  }

  private void post(HttpClientRequest post, Lane lane, Taken taken) {
    List<Message> messages = taken.messages();
    byte[] body = new Batch(cluster, self, boot.getAsLong(), messages).encode(taken.bytes() + 128);
    post.putHeader("Authorization", bearer)
        .putHeader("Content-Type", PeerRoute.CONTENT_TYPE)
        .send(Buffer.buffer(body))
        .compose(answer -> replies(post, answer))
        .onComplete(
            answered -> {
              lane.out--;
              if (closed) {
                return;
              }
              if (answered.failed()) {
                problem("did not answer", answered.cause().getMessage());
                listener.undelivered(List.of());
              } else {
                answered(post.response().result(), answered.result(), messages);
              }
              flush(lane);
            });
  }

  /// The body of an answer, unless it is longer than a peer of ours would send.
  private static Future<Buffer> replies(HttpClientRequest post, HttpClientResponse answer) {
    String length = answer.getHeader("Content-Length");
    if (answer.statusCode() == 200 && (length == null || tooLong(length))) {
      post.reset();
      return Future.failedFuture("an answer of " + length + " bytes");
    }
    return answer.body();
  }

  private static boolean tooLong(String length) {
    try {
      return Long.parseLong(length) > ANSWER_BYTES;
    } catch (NumberFormatException e) {
      return true;
    }
  }

  private void answered(HttpClientResponse answer, Buffer body, List<Message> messages) {
    if (answer.statusCode() == 503) {
      listener.dropped(messages); // It is there, and behind with what it has.
      return;
    }
    if (answer.statusCode() != 200 && answer.statusCode() != 204) {
      String why = reason(body);
      problem(
          "refuses messages with status " + answer.statusCode() + (why == null ? "" : ": " + why),
          null);
      listener.undelivered(messages);
      return;
    }
    if (answer.statusCode() == 200) {
      try {
        Batch replies = Batch.decode(body.getBytes());
        if (!replies.cluster().equals(cluster) || !replies.from().equals(id)) {
          problem("is another node", "node " + replies.from() + " of cluster " + replies.cluster());
          return;
        }
        listener.replied(replies);
      } catch (MalformedBytesException e) {
        problem("answers with what is not a batch", e.getMessage());
        return;
      }
    }
    if (lastProblem != null) {
      LOG.infof("%s is connected again", id);
      lastProblem = null;
    }
  }

  /// Why a peer of ours refuses, in its own words, or nothing if these are none.
  private static @Nullable String reason(Buffer body) {
    try {
      JsonObject problem = new JsonObject(body);
      boolean ours = problem.getString("type", "").startsWith(Problem.TYPES);
      return ours ? problem.getString("detail") : null;
    } catch (DecodeException | ClassCastException e) {
      return null;
    }
  }

  /// Logs each kind of problem once, until it changes.
  ///
  /// @param detail may be the words of whoever listens there
  private void problem(String kind, @Nullable String detail) {
    if (!kind.equals(lastProblem)) {
      lastProblem = kind;
      LOG.warnf("%s %s", id, printable(detail == null ? kind : kind + ": " + detail));
    }
  }

  /// What fits into one line of the log.
  private static String printable(String text) {
    String start = text.substring(0, Math.min(text.length(), MAX_DETAIL));
    return start.replaceAll("[\\p{C}\\p{Zl}\\p{Zp}]", "?");
  }

  /// About how many bytes the message takes.
  public static int weight(Message message) {
    Versioned value =
        switch (message) {
          case Message.Accept accept -> accept.value();
          case Message.Promise promise -> promise.value();
          case Message.ReadReply reply -> reply.value();
          default -> null;
        };
    int weight = 128;
    if (value != null) {
      weight += 8 * value.memory().length + (value.body() == null ? 0 : value.body().length);
    }
    if (message instanceof Message.Forward forward && forward.mutation().body() != null) {
      weight += forward.mutation().body().length;
    }
    if (message instanceof Message.ScanReply scan) {
      for (Message.ScanRow row : scan.rows()) {
        weight += 64 + row.key().utf8().length + (row.body() == null ? 0 : row.body().length);
      }
    }
    if (message instanceof Message.TailReply tail) {
      for (Message.TailRow row : tail.rows()) {
        weight += 64 + row.key().utf8().length;
      }
    }
    return weight;
  }
}
