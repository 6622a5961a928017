package dev.parley.frontend.edge;

import dev.parley.frontend.routing.HeaderRules;
import dev.parley.frontend.routing.Replay;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import java.util.Iterator;
import java.util.List;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// One relayed request, in four moments: take the body, choose a replica, answer begins, end.
///
///   Taking --body held--> Trying(replica) --head--> Relaying --end--> done
///              |              ^    |
///              |              +----+ not sent, or sent and repeatable: next replica
///              +--body too big to hold--> Trying once per refused connection, then streaming
///
/// All of it runs on the request's event loop, so nothing here is synchronized.
final class Exchange {
  /// Up to here a body is held, so that it can be sent again to another replica.
  private static final int HELD_BYTES = 2 * 1024 * 1024;

  /// The largest body of an OpenAI call; it is streamed once past HELD_BYTES.
  private static final long LARGEST_BYTES = 32L * 1024 * 1024;

  /// Conversation and registry calls answer at once; only `/v1` and `/chat` wait for a model.
  private static final long API_HEAD_TIMEOUT_MS = 30_000;

  private static final Logger LOG = Logger.getLogger(Exchange.class);

  private final Vertx vertx;
  private final HttpClient client;
  private final HttpServerRequest request;
  private final HttpServerResponse response;
  private final String path;
  private final Replicas replicas;
  private final Iterator<String> candidates;

  private Buffer held = Buffer.buffer();
  private boolean bodyIsHeld;
  private boolean bodyStarted;
  private boolean repeatable;
  private boolean over;
  private @Nullable HttpClientRequest upstream;
  private long headTimer = -1;

  Exchange(
      Vertx vertx,
      HttpClient client,
      HttpServerRequest request,
      String path,
      Replicas replicas,
      List<String> inOrder) {
    this.vertx = vertx;
    this.client = client;
    this.request = request;
    this.response = request.response();
    this.path = path;
    this.replicas = replicas;
    this.candidates = inOrder.iterator();
  }

  void begin() {
    response.closeHandler(gone -> abandon());
    response.exceptionHandler(broken -> abandon());
    request.exceptionHandler(broken -> abandon());
    long declared = declaredLength();
    if (declared > limit()) {
      over = true;
      Problem.TOO_LARGE.answer(request);
      return;
    }
    if (declared == 0 && request.getHeader("Transfer-Encoding") == null) {
      bodyHeld();
      return;
    }
    if (declared > HELD_BYTES) {
      tryNext();
      return;
    }
    request.handler(this::hold);
    request.endHandler(end -> bodyHeld());
    request.resume();
  }

  private void hold(Buffer chunk) {
    held.appendBuffer(chunk);
    if (held.length() > HELD_BYTES) {
      request.pause();
      request.handler(null);
      request.endHandler(null);
      if (held.length() > limit()) {
        over = true;
        Problem.TOO_LARGE.answer(request);
      } else {
        tryNext();
      }
    }
  }

  private void bodyHeld() {
    bodyIsHeld = true;
    var method = request.method().name();
    boolean named = Replay.contractHasClientId(path) && hasClientId(held);
    repeatable = Replay.allowed(method, path, named);
    tryNext();
  }

  private void tryNext() {
    if (over) {
      return;
    }
    if (!candidates.hasNext()) {
      over = true;
      Problem.NOTHING_UP.answer(request);
      return;
    }
    var replica = candidates.next();
    var query = request.query();
    var options =
        new RequestOptions()
            .setMethod(request.method())
            // The normalized path that was judged is the one sent, never the raw one.
            .setAbsoluteURI(replica + path + (query == null ? "" : "?" + query));
    client
        .request(options)
        .onSuccess(connected -> send(connected, replica))
        .onFailure(
            refused -> {
              // Nothing was sent, so any request may go to the next replica.
              LOG.debugf("%s refused a connection: %s", replica, refused.getMessage());
              replicas.refused(replica);
              tryNext();
            });
  }

  private void send(HttpClientRequest outgoing, String replica) {
    if (over) {
      outgoing.reset();
      return;
    }
    upstream = outgoing;
    var named = HeaderRules.namedByConnection(request.headers().getAll("Connection"));
    request
        .headers()
        .forEach(
            (name, value) -> {
              if (HeaderRules.forwarded(name, named)) {
                outgoing.headers().add(name, value);
              }
            });
    outgoing.putHeader(Guards.REQUEST_ID, response.headers().get(Guards.REQUEST_ID));
    if (path.startsWith("/api/")) {
      headTimer = vertx.setTimer(API_HEAD_TIMEOUT_MS, late -> tooSlow(outgoing));
    }
    outgoing.response().onSuccess(this::relayBack).onFailure(why -> noAnswer(replica, why));
    if (bodyIsHeld) {
      if (held.length() > 0) {
        outgoing.end(held);
      } else {
        outgoing.end();
      }
    } else {
      stream(outgoing);
    }
  }

  private void stream(HttpClientRequest outgoing) {
    bodyStarted = true;
    long declared = declaredLength();
    if (declared > 0) {
      outgoing.putHeader("Content-Length", Long.toString(declared));
    } else {
      outgoing.setChunked(true);
    }
    long[] sent = {held.length()};
    if (held.length() > 0) {
      outgoing.write(held);
      held = Buffer.buffer();
    }
    request.handler(
        chunk -> {
          sent[0] += chunk.length();
          if (sent[0] > LARGEST_BYTES) {
            over = true;
            outgoing.reset();
            Problem.TOO_LARGE.answer(request);
            return;
          }
          outgoing.write(chunk);
          if (outgoing.writeQueueFull()) {
            request.pause();
            outgoing.drainHandler(drained -> request.resume());
          }
        });
    request.endHandler(end -> outgoing.end());
    request.resume();
  }

  private void noAnswer(String replica, Throwable why) {
    if (over) {
      return;
    }
    LOG.debugf("%s broke off before it answered: %s", replica, why.getMessage());
    vertx.cancelTimer(headTimer);
    if (repeatable && !bodyStarted) {
      tryNext();
      return;
    }
    over = true;
    Problem.OUTCOME_UNKNOWN.answer(request);
  }

  private void tooSlow(HttpClientRequest outgoing) {
    if (over) {
      return;
    }
    over = true;
    outgoing.reset();
    Problem.TOO_SLOW.answer(request);
  }

  private void relayBack(HttpClientResponse incoming) {
    if (over) {
      return;
    }
    vertx.cancelTimer(headTimer);
    response.setStatusCode(incoming.statusCode());
    var named = HeaderRules.namedByConnection(incoming.headers().getAll("Connection"));
    incoming
        .headers()
        .forEach(
            (name, value) -> {
              if (HeaderRules.returned(name, named)) {
                response.headers().add(name, value);
              }
            });
    boolean bodiless = incoming.statusCode() == 204 || incoming.statusCode() == 304;
    if (incoming.getHeader("Content-Length") == null && !bodiless) {
      response.setChunked(true);
    }
    var type = incoming.getHeader("Content-Type");
    if (type != null && type.startsWith("text/event-stream")) {
      response.putHeader("X-Accel-Buffering", "no");
      // The head must not wait for the first event, which may be seconds away.
      response.write(Buffer.buffer());
    }
    incoming
        .pipe()
        .endOnFailure(false) // a cut stream must look cut, never finished
        .to(response)
        .onSuccess(done -> over = true)
        .onFailure(
            cut -> {
              if (!over) {
                over = true;
                response.reset();
              }
            });
  }

  /// The client is gone: what runs behind for this request is told at once.
  private void abandon() {
    if (over) {
      return;
    }
    over = true;
    vertx.cancelTimer(headTimer);
    var sending = upstream;
    if (sending != null) {
      sending.reset();
    }
  }

  private long declaredLength() {
    var value = request.getHeader("Content-Length");
    if (value == null) {
      return 0;
    }
    try {
      return Long.parseLong(value);
    } catch (NumberFormatException malformed) {
      return Long.MAX_VALUE;
    }
  }

  private long limit() {
    return path.startsWith("/v1/") ? LARGEST_BYTES : HELD_BYTES;
  }

  private static boolean hasClientId(Buffer body) {
    try {
      return new JsonObject(body).getValue("client_id") instanceof String id && !id.isBlank();
    } catch (DecodeException | ClassCastException notAnObject) {
      return false;
    }
  }
}
