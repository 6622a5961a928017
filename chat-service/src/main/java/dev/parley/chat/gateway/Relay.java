package dev.parley.chat.gateway;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.RequestIds;
import dev.parley.chat.balance.Candidate;
import dev.parley.chat.balance.Ranking;
import dev.parley.chat.balance.RetryBudget;
import dev.parley.chat.openai.CompletionRequest;
import dev.parley.chat.openai.ErrorObject;
import dev.parley.chat.openai.FailureClass;
import dev.parley.chat.openai.StreamChunk;
import dev.parley.chat.openai.StreamFrames;
import dev.parley.chat.openai.UpstreamFailure;
import dev.parley.chat.routing.Router;
import dev.parley.chat.upstream.UpstreamCall;
import dev.parley.chat.upstream.UpstreamClient;
import dev.parley.chat.upstream.UpstreamListener;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Context;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.ext.web.RoutingContext;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// One client request on its way through: choose, wait for the first content, relay, end.
///
/// ```
/// choosing --candidate--> waiting --first content--> committed --completed--> over
///    ^                      |                            |
///    +---failed, may retry--+                            +--failed--> error frame, over
/// ```
///
/// Nothing, not even a status, reaches the client before the first content of an attempt: until
/// then a failed attempt leaves no trace. All of it runs on the client connection's event loop.
final class Relay {

  private static final Logger LOG = Logger.getLogger(Relay.class);

  private final RoutingContext rc;
  private final Context context;
  private final String path;
  private final CompletionRequest request;
  private final Router router;
  private final UpstreamClient upstream;
  private final RetryBudget retryBudget;
  private final ObjectMapper mapper;
  private final int maxAttempts;
  private final MeterRegistry metrics;
  private final Runnable release;
  private final HttpServerResponse response;
  private final Ranking.Request shape;
  private final long startedNanos = System.nanoTime();

  private final Set<String> tried = new HashSet<>();
  private final List<byte[]> held = new ArrayList<>();
  private int attempts;
  private boolean sameAgain;
  private boolean committed;
  private boolean over;
  private long outputParts;
  private long outputTokens = -1;
  private Router.@Nullable Attempt attempt;
  private @Nullable UpstreamCall call;

  Relay(
      RoutingContext rc,
      Context context,
      String path,
      CompletionRequest request,
      Router router,
      UpstreamClient upstream,
      RetryBudget retryBudget,
      ObjectMapper mapper,
      int maxAttempts,
      MeterRegistry metrics,
      Runnable release) {
    this.rc = rc;
    this.context = context;
    this.path = path;
    this.request = request;
    this.router = router;
    this.upstream = upstream;
    this.retryBudget = retryBudget;
    this.mapper = mapper;
    this.maxAttempts = maxAttempts;
    this.metrics = metrics;
    this.release = release;
    this.response = rc.response();
    Integer limit = request.maxTokens();
    this.shape = new Ranking.Request(request.roughTokens(), limit == null ? 1e9 : limit);
  }

  void start() {
    retryBudget.request();
    response.closeHandler(_ -> clientGone());
    response.exceptionHandler(_ -> clientGone());
    choose(null);
  }

  /// @param failure of the attempt before, null at the first
  private void choose(@Nullable UpstreamFailure failure) {
    Router.Route known = router.known(request.model(), shape, tried);
    if (known != null) {
      routed(known, failure);
      return;
    }
    Set<String> exclude = Set.copyOf(tried);
    blocking(() -> router.route(request.model(), shape, exclude), route -> routed(route, failure));
  }

  private void routed(Router.Route route, @Nullable UpstreamFailure failure) {
    if (over) {
      return;
    }
    switch (route) {
      case Router.Route.To to -> withCredential(to.candidates().getFirst(), to);
      case Router.Route.Nowhere nowhere -> {
        if (failure != null) {
          giveUp(failure, nowhere.retryAfterMillis());
        } else {
          finish("unavailable");
          refuse(nowhere);
        }
      }
    }
  }

  private void withCredential(Candidate candidate, Router.Route.To route) {
    String known = router.cachedCredential(candidate);
    if (known != null) {
      attempt(candidate, known, route);
      return;
    }
    blocking(() -> router.credential(candidate), fetched -> attempt(candidate, fetched, route));
  }

  /// Asks something that blocks on a thread of its own and goes on here with the answer. Should it
  /// break, the client still gets an answer and the place among the relays is given back.
  private <T> void blocking(Supplier<T> question, Consumer<T> then) {
    Thread.startVirtualThread(
        () -> {
          try {
            T answer = question.get();
            context.runOnContext(_ -> then.accept(answer));
          } catch (RuntimeException unexpected) {
            LOG.error("a request could not be routed", unexpected);
            context.runOnContext(_ -> broken());
          }
        });
  }

  private void broken() {
    if (!over) {
      finish("failed");
      OpenAiRoutes.answer(
          rc, ErrorObject.unavailable(500, "The gateway failed.", "internal_error"), null);
    }
  }

  private void attempt(Candidate candidate, String credential, Router.Route.To route) {
    if (over) {
      return;
    }
    attempts++;
    tried.add(candidate.backendId());
    held.clear();
    Router.Attempt begun = router.begin(candidate, route.snapshot(), request.roughTokens());
    attempt = begun;
    call =
        upstream.start(
            new UpstreamClient.Call(
                candidate,
                path,
                request.bodyFor(candidate.model()),
                credential,
                request.streamed(),
                request.choices(),
                RequestIds.of(rc)),
            context,
            new UpstreamListener() {
              @Override
              public void part(StreamChunk.Part part) {
                relay(begun, part);
              }

              @Override
              public void completed(byte[] body, String contentType) {
                complete(begun, body, contentType);
              }

              @Override
              public void failed(UpstreamFailure failure) {
                fail(begun, route, credential, failure);
              }
            });
  }

  private void relay(Router.Attempt from, StreamChunk.Part part) {
    if (over) {
      return;
    }
    if (part.usage() != null) {
      outputTokens = part.usage().completionTokens();
    }
    if (part.usageOnly() && !request.usageAsked()) {
      return;
    }
    if (part.carriesContent()) {
      outputParts++;
      from.firstToken();
    }
    byte[] frame =
        part.usageNull() && !request.usageAsked()
            ? StreamFrames.withoutNullUsage(part.raw(), mapper)
            : part.raw();
    if (!committed) {
      held.add(frame);
      if (!part.carriesContent() && part.finished() == 0) {
        return;
      }
      commit(from);
      held.forEach(this::send);
      held.clear();
    } else {
      send(frame);
    }
    if (response.writeQueueFull() && call != null) {
      UpstreamCall paused = call;
      paused.pause();
      response.drainHandler(_ -> paused.resume());
    }
  }

  private void commit(Router.Attempt from) {
    committed = true;
    metrics
        .timer("parley_first_token", "api", "openai")
        .record(System.nanoTime() - startedNanos, TimeUnit.NANOSECONDS);
    sayWhoServed(from);
    response
        .setStatusCode(200)
        .setChunked(true)
        .putHeader("content-type", "text/event-stream; charset=utf-8")
        .putHeader("cache-control", "no-cache")
        .putHeader("x-accel-buffering", "no");
  }

  private void send(byte[] data) {
    response.write(Buffer.buffer(StreamFrames.frame(data)));
  }

  private void complete(Router.Attempt from, byte[] body, String contentType) {
    if (over) {
      return;
    }
    from.succeeded(outputTokens >= 0 ? outputTokens : outputParts);
    finish("completed");
    if (!request.streamed()) {
      sayWhoServed(from);
      response.setStatusCode(200).putHeader("content-type", contentType).end(Buffer.buffer(body));
      return;
    }
    if (!committed) {
      commit(from);
      held.forEach(this::send);
    }
    send("[DONE]".getBytes(StandardCharsets.US_ASCII));
    response.end();
  }

  private void fail(
      Router.Attempt from, Router.Route.To route, String credential, UpstreamFailure failure) {
    if (over) {
      return;
    }
    FailureClass verdict = FailureClass.of(failure);
    from.failed(verdict);
    if (committed) {
      finish("truncated");
      ErrorObject error =
          ErrorObject.unavailable(
              502,
              "The backend failed in the middle of the answer.",
              "upstream_" + verdict.reason());
      send(error.json().getBytes(StandardCharsets.UTF_8));
      response.end();
      return;
    }
    boolean worthTrying =
        verdict.next() == FailureClass.Next.ELSEWHERE
            || verdict.next() == FailureClass.Next.ELSEWHERE_OR_SAME;
    if (!worthTrying || attempts >= maxAttempts || !retryBudget.retry()) {
      giveUp(failure, null);
      return;
    }
    metrics.counter("parley_failovers", "api", "openai", "reason", verdict.reason()).increment();
    boolean alone =
        route.snapshot().selection().candidates().stream()
            .allMatch(candidate -> tried.contains(candidate.backendId()));
    if (alone && verdict.next() == FailureClass.Next.ELSEWHERE_OR_SAME && !sameAgain) {
      sameAgain = true;
      attempt(from.candidate(), credential, route);
    } else {
      choose(failure);
    }
  }

  private void giveUp(UpstreamFailure failure, @Nullable Long retryAfterMillis) {
    finish("failed");
    FailureClass verdict = FailureClass.of(failure);
    if (attempt != null) {
      sayWhoServed(attempt);
    }
    if (verdict.next() == FailureClass.Next.NOWHERE
        || verdict.next() == FailureClass.Next.SHORTER) {
      if (failure instanceof UpstreamFailure.Status status) {
        if (status.body() != null) {
          response
              .setStatusCode(status.status())
              .putHeader("content-type", "application/json")
              .end(status.body());
        } else {
          OpenAiRoutes.answer(
              rc,
              ErrorObject.invalid(status.status(), "The backend refused the request.", null),
              null);
        }
        return;
      }
      if (failure instanceof UpstreamFailure.ErrorBody(var code, var message)) {
        OpenAiRoutes.answer(
            rc, new ErrorObject(400, message, "invalid_request_error", null, code), null);
        return;
      }
    }
    response.putHeader("x-should-retry", "false");
    if (verdict.unknownModel() && !request.model().isEmpty()) {
      OpenAiRoutes.answer(rc, OpenAiRoutes.unknownModel(request.model()), null);
      return;
    }
    String code = "upstream_" + verdict.reason();
    switch (verdict.kind()) {
      case RATE_LIMITED -> {
        Long wait = verdict.retryAfterMillis();
        OpenAiRoutes.answer(
            rc,
            new ErrorObject(429, "Every backend is rate-limited.", "rate_limit_error", null, code),
            wait == null ? 5_000L : wait);
      }
      default -> {
        boolean late =
            failure instanceof UpstreamFailure.FirstTokenTimeout
                || failure instanceof UpstreamFailure.Stalled
                || failure instanceof UpstreamFailure.TotalTimeout;
        boolean down = retryAfterMillis != null;
        OpenAiRoutes.answer(
            rc,
            ErrorObject.unavailable(
                down ? 503 : late ? 504 : 502,
                "No backend could answer after " + attempts + " attempts.",
                down ? "all_down" : code),
            retryAfterMillis);
      }
    }
  }

  private void refuse(Router.Route.Nowhere nowhere) {
    switch (nowhere.type()) {
      case "unknown-model" ->
          OpenAiRoutes.answer(rc, OpenAiRoutes.unknownModel(request.model()), null);
      case "all-busy" ->
          OpenAiRoutes.answer(
              rc,
              ErrorObject.unavailable(429, nowhere.detail(), "all_busy"),
              nowhere.retryAfterMillis());
      default ->
          OpenAiRoutes.answer(
              rc,
              ErrorObject.unavailable(503, nowhere.detail(), nowhere.type().replace('-', '_')),
              nowhere.retryAfterMillis());
    }
  }

  private void clientGone() {
    if (over) {
      return;
    }
    finish("aborted");
    if (call != null) {
      call.cancel();
    }
    if (attempt != null) {
      attempt.cancelled();
    }
  }

  private void finish(String outcome) {
    if (!over) {
      over = true;
      release.run();
      metrics.counter("parley_requests", "api", "openai", "outcome", outcome).increment();
    }
  }

  private void sayWhoServed(Router.Attempt from) {
    if (response.headWritten()) {
      return;
    }
    String name = from.candidate().name();
    boolean plain = name.chars().allMatch(c -> c > 0x20 && c < 0x7f);
    response.putHeader("x-parley-backend", plain ? name : from.candidate().backendId());
    response.putHeader("x-parley-attempts", Integer.toString(attempts));
  }
}
