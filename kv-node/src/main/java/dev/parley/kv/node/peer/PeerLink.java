package dev.parley.kv.node.peer;

import dev.parley.kv.core.Message;
import dev.parley.kv.core.Versioned;
import dev.parley.kv.core.wire.Batch;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import java.net.URI;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The way to one peer: while one batch is out, the next gathers. Lives on the core's event loop.
///
/// A batch is posted at most once. If there was no connection it is reported as undelivered, which
/// the core may rely on; if anything fails later it is simply lost, as a network may lose it.
public final class PeerLink {

  private static final Logger LOG = Logger.getLogger(PeerLink.class);

  private static final int BATCH_MESSAGES = 512;
  private static final int BATCH_BYTES = 1 << 20;

  /// Beyond this the peer is too slow for what it is sent, and messages are dropped.
  private static final int QUEUE_BYTES = 16 << 20;

  private static final int CONNECT_MILLIS = 500;
  private static final int ANSWER_MILLIS = 1500;

  private record Queued(Message message, int weight) {}

  private final Vertx vertx;
  private final String id;
  private final String cluster;
  private final String self;
  private final String bearer;
  private final LongSupplier boot;
  private final Consumer<List<Message>> undelivered;
  private final HttpClient client;
  private final RequestOptions request;
  private final ArrayDeque<Queued> queue = new ArrayDeque<>();
  private int queuedBytes;
  private boolean busy;
  private boolean scheduled;
  private @Nullable String lastProblem;

  public PeerLink(
      Vertx vertx,
      String id,
      URI url,
      String cluster,
      String self,
      String bearer,
      LongSupplier boot,
      Consumer<List<Message>> undelivered) {
    this.vertx = vertx;
    this.id = id;
    this.cluster = cluster;
    this.self = self;
    this.bearer = bearer;
    this.boot = boot;
    this.undelivered = undelivered;
    this.client =
        vertx.createHttpClient(
            new HttpClientOptions()
                .setKeepAlive(true)
                .setConnectTimeout(CONNECT_MILLIS)
                .setTcpNoDelay(true));
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

  /// Queues a message; it leaves in this turn of the event loop if nothing else is out.
  public void send(Message message) {
    int weight = weight(message);
    if (queuedBytes + weight > QUEUE_BYTES) {
      // Not in this turn: the core's other effects, of which this message was one, come first.
      vertx.runOnContext(_ -> undelivered.accept(List.of(message)));
      return;
    }
    queue.add(new Queued(message, weight));
    queuedBytes += weight;
    if (!busy && !scheduled) {
      scheduled = true;
      vertx.runOnContext(
          _ -> {
            scheduled = false;
            flush();
          });
    }
  }

  private void flush() {
    if (busy || queue.isEmpty()) {
      return;
    }
    busy = true;
    List<Message> messages = new ArrayList<>();
    int bytes = 0;
    while (!queue.isEmpty()
        && messages.size() < BATCH_MESSAGES
        && (messages.isEmpty() || bytes + queue.peek().weight() <= BATCH_BYTES)) {
      Queued next = queue.remove();
      queuedBytes -= next.weight();
      bytes += next.weight();
      messages.add(next.message());
    }
    client
        .request(new RequestOptions(request))
        .onComplete(
            connected -> {
              if (connected.failed()) {
                problem("cannot be connected: " + connected.cause().getMessage());
                // What was queued meanwhile would meet the same end; say so now.
                while (!queue.isEmpty()) {
                  messages.add(queue.remove().message());
                }
                queuedBytes = 0;
                busy = false;
                undelivered.accept(messages);
              } else {
                post(connected.result(), messages);
              }
            });
  }

  private void post(HttpClientRequest post, List<Message> messages) {
    byte[] body = new Batch(cluster, self, boot.getAsLong(), messages).encode();
    post.putHeader("Authorization", bearer)
        .putHeader("Content-Type", PeerRoute.CONTENT_TYPE)
        .send(Buffer.buffer(body))
        .onComplete(
            answered -> {
              busy = false;
              if (answered.failed()) {
                problem("did not answer: " + answered.cause().getMessage());
                undelivered.accept(List.of());
              } else if (answered.result().statusCode() != 204) {
                problem("refuses messages with status " + answered.result().statusCode());
                undelivered.accept(messages);
              } else if (lastProblem != null) {
                LOG.infof("%s is connected again", id);
                lastProblem = null;
              }
              flush();
            });
  }

  private void problem(String text) {
    String kind = text.substring(0, Math.min(text.length(), 12));
    if (!kind.equals(lastProblem)) {
      lastProblem = kind;
      LOG.warnf("%s %s", id, text);
    }
  }

  private static int weight(Message message) {
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
    return weight;
  }
}
