package dev.parley.chat.upstream;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.openai.ErrorObject;
import dev.parley.chat.openai.RetryAfter;
import dev.parley.chat.openai.StreamChunk;
import dev.parley.chat.openai.UpstreamFailure;
import dev.parley.chat.sse.SseEvent;
import dev.parley.chat.sse.SseParser;
import io.vertx.core.Context;
import io.vertx.core.MultiMap;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import java.io.IOException;
import java.net.InetAddress;
import java.time.InstantSource;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// One request to one backend, from connect to the last byte.
///
/// ```
/// connecting --status 200--> streaming --finish_reason and [DONE] or end--> over (completed)
///      |                         |  first-token, stall and total clocks
///      +--refused, reset, status-+--cut, error frame, clock--> over (failed)
/// ```
///
/// The first-token clock runs until content, reasoning or a tool call arrives, not until headers
/// do: a backend that accepts and says nothing is as dead as one that refuses. Everything here runs
/// on one event loop.
public final class UpstreamCall {

  private static final int MAX_LINE_BYTES = 4 << 20;
  private static final int MAX_ERROR_BYTES = 64 << 10;
  private static final int MAX_PLAIN_BYTES = 32 << 20;

  /// After every choice has finished, how long to wait for figures and `[DONE]`, which some
  /// backends never send.
  private static final long AFTERGLOW_MILLIS = 1_000;

  private final Vertx vertx;
  private final HttpClient client;
  private final ObjectMapper mapper;
  private final InstantSource clock;
  private final UpstreamClient.Call call;
  private final UpstreamClient.Clocks clocks;
  private final UpstreamListener listener;
  private final Context context;

  private @Nullable HttpClientRequest request;
  private @Nullable HttpClientResponse response;
  private final SseParser parser = new SseParser(MAX_LINE_BYTES);
  private final Buffer plain = Buffer.buffer();
  private boolean contentSeen;
  private int finished;
  private boolean over;
  private long silenceTimer = -1;
  private long totalTimer = -1;
  private boolean answered;

  UpstreamCall(
      Vertx vertx,
      HttpClient client,
      ObjectMapper mapper,
      InstantSource clock,
      UpstreamClient.Call call,
      UpstreamClient.Clocks clocks,
      UpstreamListener listener,
      Context context) {
    this.vertx = vertx;
    this.client = client;
    this.mapper = mapper;
    this.clock = clock;
    this.call = call;
    this.clocks = clocks;
    this.listener = listener;
    this.context = context;
  }

  /// Ends the call; the listener hears nothing more. May come from any thread, at any time.
  public void cancel() {
    context.runOnContext(
        _ -> {
          if (!over) {
            end();
            abort();
          }
        });
  }

  /// Stops reading until [#resume]. From the call's own context.
  public void pause() {
    if (response != null && !over) {
      response.pause();
      // Silence that we asked for ourselves is not the backend's.
      disarm();
    }
  }

  public void resume() {
    if (response != null && !over) {
      response.resume();
      arm();
    }
  }

  void open() {
    if (over) {
      return;
    }
    RequestOptions options;
    try {
      String base = call.candidate().baseUrl();
      String url = (base.endsWith("/") ? base.substring(0, base.length() - 1) : base) + call.path();
      options =
          new RequestOptions()
              .setMethod(HttpMethod.POST)
              .setAbsoluteURI(url)
              .setFollowRedirects(false)
              .setConnectTimeout(clocks.connect().toMillis());
    } catch (RuntimeException badUrl) {
      fail(new UpstreamFailure.Connect("the backend's address is not usable"));
      return;
    }
    totalTimer =
        vertx.setTimer(
            clocks.total().toMillis(), _ -> on(() -> fail(new UpstreamFailure.TotalTimeout())));
    arm();
    client
        .request(options)
        .onComplete(
            opened ->
                on(
                    () -> {
                      if (over) {
                        if (opened.succeeded()) {
                          opened.result().reset();
                        }
                      } else if (opened.failed()) {
                        fail(new UpstreamFailure.Connect(describe(opened.cause())));
                      } else if (isLinkLocal(opened.result())) {
                        opened.result().reset();
                        fail(new UpstreamFailure.Connect("the backend's address is not allowed"));
                      } else {
                        send(opened.result());
                      }
                    }));
  }

  /// Whether the name led to where cloud machines keep their credentials. The registry refuses such
  /// addresses too, but a name can lead elsewhere by the time it is called, so what counts is the
  /// connection itself, before the key has been sent.
  private static boolean isLinkLocal(HttpClientRequest opened) {
    String address = opened.connection().remoteAddress().hostAddress();
    try {
      return address != null && InetAddress.ofLiteral(address).isLinkLocalAddress();
    } catch (IllegalArgumentException notAnAddress) {
      return false;
    }
  }

  private void send(HttpClientRequest opened) {
    request = opened;
    MultiMap headers = opened.headers();
    headers.set("content-type", "application/json");
    headers.set("accept", call.streamed() ? "text/event-stream" : "application/json");
    headers.set("accept-encoding", "identity");
    headers.set("user-agent", "parley");
    headers.set("x-request-id", call.requestId());
    if (!call.credential().isEmpty()) {
      headers.set("authorization", "Bearer " + call.credential());
    }
    opened
        .send(Buffer.buffer(call.body()))
        .onComplete(
            answered ->
                on(
                    () -> {
                      if (over) {
                        return;
                      }
                      if (answered.failed()) {
                        fail(new UpstreamFailure.Reset(describe(answered.cause())));
                      } else {
                        receive(answered.result());
                      }
                    }));
  }

  private void receive(HttpClientResponse answer) {
    response = answer;
    answer.exceptionHandler(broken -> on(() -> cut(describe(broken))));
    String header = answer.getHeader("content-type");
    String type = header == null ? "" : header.toLowerCase(Locale.ROOT);
    if (answer.statusCode() != 200) {
      collect(answer, MAX_ERROR_BYTES, () -> failStatus(answer));
    } else if (call.streamed() && !type.contains("application/json")) {
      answer.handler(buffer -> on(() -> read(buffer)));
      answer.endHandler(_ -> on(this::streamEnded));
    } else {
      collect(answer, MAX_PLAIN_BYTES, () -> finishPlain(type));
    }
  }

  private void collect(HttpClientResponse answer, int limit, Runnable then) {
    answer.handler(
        buffer ->
            on(
                () -> {
                  if (over) {
                    return;
                  }
                  if (plain.length() + buffer.length() > limit) {
                    if (answer.statusCode() == 200) {
                      fail(new UpstreamFailure.Unreadable("the answer is too large"));
                    } else {
                      then.run();
                      abort();
                    }
                  } else {
                    plain.appendBuffer(buffer);
                  }
                }));
    answer.endHandler(
        _ ->
            on(
                () -> {
                  if (!over) {
                    then.run();
                  }
                }));
  }

  private void failStatus(HttpClientResponse answer) {
    Long retryAfter = RetryAfter.millis(answer.getHeader("retry-after"), clock.instant());
    String code = "";
    String message = "";
    String body = null;
    JsonNode error = errorIn(plain);
    if (error != null) {
      code = ErrorObject.code(error);
      message = ErrorObject.message(error);
      body = plain.toString();
    }
    fail(new UpstreamFailure.Status(answer.statusCode(), retryAfter, code, message, body));
  }

  private void finishPlain(String type) {
    JsonNode root;
    try {
      root = mapper.readTree(plain.getBytes());
    } catch (IOException notJson) {
      root = null;
    }
    if (root == null || !root.isObject()) {
      fail(new UpstreamFailure.Unreadable("the answer is not a JSON object"));
      return;
    }
    JsonNode error = root.get("error");
    if (error != null && !error.isNull()) {
      fail(new UpstreamFailure.ErrorBody(ErrorObject.code(error), ErrorObject.message(error)));
    } else if (call.streamed()) {
      fail(new UpstreamFailure.Unreadable("the answer is not a stream"));
    } else {
      end();
      listener.completed(plain.getBytes(), type.isEmpty() ? "application/json" : type);
    }
  }

  private void read(Buffer buffer) {
    if (!over && !parser.feed(buffer.getBytes(), this::event) && !over) {
      fail(new UpstreamFailure.Unreadable("a line of the stream is too long"));
    }
  }

  private void event(SseEvent event) {
    if (over) {
      return;
    }
    switch (StreamChunk.parse(event.data(), mapper)) {
      case StreamChunk.Malformed _ -> {
        // Skipped: one bad frame does not end an answer.
      }
      case StreamChunk.Failed(var code, var message) ->
          fail(new UpstreamFailure.ErrorBody(code, message));
      case StreamChunk.Done _ -> {
        if (finished > 0) {
          complete();
        } else {
          fail(new UpstreamFailure.Truncated("[DONE] without a finish_reason"));
        }
      }
      case StreamChunk.Part part -> {
        finished += part.finished();
        contentSeen |= part.carriesContent();
        if (part.carriesContent() || part.finished() > 0) {
          arm();
        }
        listener.part(part);
      }
    }
  }

  private void streamEnded() {
    answered = true;
    if (over) {
      return;
    }
    parser.finish(this::event);
    if (!over) {
      cut("the stream ended early");
    }
  }

  private void cut(String detail) {
    if (over) {
      return;
    }
    if (finished > 0) {
      complete();
    } else if (response != null && call.streamed()) {
      fail(new UpstreamFailure.Truncated(detail));
    } else {
      fail(new UpstreamFailure.Reset(detail));
    }
  }

  private void complete() {
    end();
    if (finished < call.finishes()) {
      abort();
    } else if (!answered) {
      // A backend that said it is done and leaves the stream open would keep the connection.
      vertx.setTimer(AFTERGLOW_MILLIS, _ -> on(this::abortUnlessAnswered));
    }
    listener.completed(new byte[0], "");
  }

  private void abortUnlessAnswered() {
    if (!answered) {
      abort();
    }
  }

  private void fail(UpstreamFailure failure) {
    if (over) {
      return;
    }
    end();
    abort();
    listener.failed(failure);
  }

  private void arm() {
    disarm();
    long millis =
        finished >= call.finishes()
            ? AFTERGLOW_MILLIS
            : (contentSeen ? clocks.stall() : clocks.firstToken()).toMillis();
    silenceTimer = vertx.setTimer(Math.max(1, millis), _ -> on(this::silent));
  }

  private void disarm() {
    if (silenceTimer >= 0) {
      vertx.cancelTimer(silenceTimer);
      silenceTimer = -1;
    }
  }

  private void silent() {
    if (over) {
      return;
    }
    if (finished >= call.finishes()) {
      end();
      abort();
      listener.completed(new byte[0], "");
    } else if (contentSeen) {
      fail(new UpstreamFailure.Stalled());
    } else {
      fail(new UpstreamFailure.FirstTokenTimeout());
    }
  }

  private void end() {
    over = true;
    disarm();
    if (totalTimer >= 0) {
      vertx.cancelTimer(totalTimer);
      totalTimer = -1;
    }
  }

  private void abort() {
    if (request != null) {
      request.reset();
    }
  }

  private void on(Runnable action) {
    if (Vertx.currentContext() == context) {
      action.run();
    } else {
      context.runOnContext(_ -> action.run());
    }
  }

  private @Nullable JsonNode errorIn(Buffer body) {
    try {
      JsonNode root = mapper.readTree(body.getBytes());
      JsonNode error = root == null ? null : root.get("error");
      return error == null || error.isNull() ? null : error;
    } catch (IOException notJson) {
      return null;
    }
  }

  private static String describe(Throwable cause) {
    return cause.getClass().getSimpleName();
  }
}
