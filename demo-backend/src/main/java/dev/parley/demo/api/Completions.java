package dev.parley.demo.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.parley.demo.DemoConfig;
import dev.parley.demo.fault.Fault;
import dev.parley.demo.fault.FaultSettings;
import dev.parley.demo.fault.Knob;
import dev.parley.demo.fault.RequestFaults;
import dev.parley.demo.reply.Completion;
import dev.parley.demo.reply.Replies;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// `/v1/chat/completions` and `/v1/models`, with the faults that strike them.
@ApplicationScoped
class Completions {
  private static final Logger LOG = Logger.getLogger(Completions.class);
  private static final String FAULTS_HEADER = "X-Demo-Faults";

  /// Bodies above this are parsed off the event loop, so that other streams keep their pace.
  private static final int PARSED_IN_PASSING = 64 * 1024;

  private final DemoConfig config;
  private final Vertx vertx;
  private final Traffic traffic;
  private final Bodies bodies;
  private final Answers answers;
  private final Faults faults;

  Completions(
      DemoConfig config,
      Vertx vertx,
      Traffic traffic,
      Bodies bodies,
      Answers answers,
      Faults faults) {
    this.config = config;
    this.vertx = vertx;
    this.traffic = traffic;
    this.bodies = bodies;
    this.answers = answers;
    this.faults = faults;
  }

  void complete(HttpServerRequest request) {
    var exchange = new Exchange(request, vertx, traffic);
    bodies.read(
        request,
        (body, release) ->
            withFaults(
                request, exchange, true, struck -> read(exchange, body, release, struck), release),
        exchange::refuse);
  }

  void models(HttpServerRequest request) {
    var exchange = new Exchange(request, vertx, traffic);
    request.endHandler(
        _ -> withFaults(request, exchange, false, _ -> exchange.json(modelList()), () -> {}));
    request.resume();
  }

  private JsonNode modelList() {
    ArrayNode data = JsonNodeFactory.instance.arrayNode();
    for (String model : config.models()) {
      data.addObject()
          .put("id", model)
          .put("object", "model")
          .put("created", 0)
          .put("owned_by", "parley");
    }
    return JsonNodeFactory.instance.objectNode().put("object", "list").set("data", data);
  }

  private interface Step {
    void with(RequestFaults faults);
  }

  /// Lets the faults strike that keep a request from being answered at all, then goes on. When a
  /// fault strikes, `otherwise` runs instead.
  private void withFaults(
      HttpServerRequest request,
      Exchange exchange,
      boolean completion,
      Step step,
      Runnable otherwise) {
    FaultSettings own = null;
    String header = request.getHeader(FAULTS_HEADER);
    if (header != null) {
      try {
        own = Faults.parse(header);
      } catch (IOException | FaultSettings.BadKnob e) {
        otherwise.run();
        exchange.refuse(ApiError.invalid(FAULTS_HEADER + ": " + e.getMessage(), FAULTS_HEADER));
        return;
      }
    }
    RequestFaults struck = faults.standing().forRequest(completion, own);
    Optional<Fault> unavailable = struck.strike(Knob.UNAVAILABLE_FOR_S);
    if (unavailable.isPresent()) {
      otherwise.run();
      exchange.strike(
          ApiError.overloaded(
              "The fault knob \"unavailable_for_s\" is set.", (int) unavailable.get().value()));
    } else if (struck.strikes(Knob.RESET_BEFORE_HEADERS)) {
      otherwise.run();
      exchange.reset();
    } else if (struck.strikes(Knob.SILENCE)) {
      otherwise.run();
    } else {
      exchange.after(
          (long) struck.amount(Knob.LATENCY_MS, 0),
          () -> {
            Optional<Fault> status = struck.strike(Knob.STATUS);
            if (status.isPresent()) {
              otherwise.run();
              Fault fault = status.get();
              exchange.strike(ApiError.wanted((int) fault.value(), fault.retryAfterSeconds()));
            } else {
              step.with(struck);
            }
          });
    }
  }

  /// What is made of a body: the request and its answer, or why there is none.
  private record Prepared(
      @Nullable ChatRequest chat, @Nullable String answer, @Nullable ApiError error) {}

  private void read(Exchange exchange, Buffer body, Runnable release, RequestFaults struck) {
    answers
        .replies()
        .whenComplete(
            (replies, failure) ->
                exchange.resume(
                    () -> {
                      if (replies == null) {
                        release.run();
                        LOG.debug("asked without a dictionary", failure);
                        exchange.refuse(ApiError.overloaded("The dictionary is missing.", 5));
                      } else if (body.length() <= PARSED_IN_PASSING) {
                        Prepared prepared = prepare(body, replies);
                        release.run();
                        answer(exchange, prepared, struck);
                      } else {
                        vertx
                            .executeBlocking(() -> prepare(body, replies), false)
                            .onComplete(
                                done -> {
                                  release.run();
                                  Prepared prepared =
                                      done.succeeded() ? done.result() : failed(done.cause());
                                  exchange.resume(() -> answer(exchange, prepared, struck));
                                });
                      }
                    }));
  }

  private Prepared prepare(Buffer body, Replies replies) {
    try {
      ChatRequest chat = ChatRequest.read(Http.JSON.readTree(body.getBytes()), config.models());
      return new Prepared(chat, replies.answer(chat.conversation(), chat.seed()), null);
    } catch (JsonProcessingException e) {
      return new Prepared(
          null,
          null,
          ApiError.invalid("The body is not valid JSON: " + e.getOriginalMessage(), null));
    } catch (ChatRequest.Refused e) {
      return new Prepared(null, null, e.error());
    } catch (IOException | RuntimeException e) {
      return failed(e);
    }
  }

  private static Prepared failed(Throwable cause) {
    LOG.error("a request could not be answered", cause);
    return new Prepared(
        null,
        null,
        new ApiError(500, "The answer could not be made.", "server_error", null, null, -1));
  }

  private void answer(Exchange exchange, Prepared prepared, RequestFaults struck) {
    ChatRequest chat = prepared.chat();
    String answer = prepared.answer();
    if (chat == null || answer == null) {
      exchange.refuse(
          prepared.error() != null ? prepared.error() : ApiError.invalid("No request.", null));
      return;
    }
    Optional<Fault> context = struck.peek(Knob.CONTEXT_LENGTH_ERROR_ABOVE);
    if (context.isPresent()
        && chat.promptTokens() > context.get().value()
        && struck.strikes(Knob.CONTEXT_LENGTH_ERROR_ABOVE)) {
      exchange.strike(ApiError.contextTooLong((int) context.get().value(), chat.promptTokens()));
      return;
    }
    String prefill = chat.prefill();
    if (prefill != null && struck.strikes(Knob.REJECT_PREFILL)) {
      exchange.strike(
          ApiError.invalid(
              "The last message must not be the assistant's: this model does not continue a"
                  + " prefilled answer.",
              "messages"));
      return;
    }
    var completion =
        Completion.of(answer, prefill == null ? "" : prefill, chat.stops(), chat.maxTokens());
    var chunks =
        new Chunks(
            "chatcmpl-" + UUID.randomUUID(),
            Instant.now().getEpochSecond(),
            chat.model(),
            chat.promptTokens(),
            chat.includeUsage());
    Pace pace =
        Pace.of(
            struck.amount(Knob.FIRST_TOKEN_DELAY_MS, config.firstTokenDelayMs()),
            struck.amount(Knob.TOKENS_PER_SECOND, config.tokensPerSecond()));
    int cutAfter = (int) struck.amount(Knob.CUT_AFTER_TOKENS, TokenStream.Script.NEVER);
    int stallAfter = (int) struck.amount(Knob.STALL_AFTER_TOKENS, TokenStream.Script.NEVER);
    if (chat.stream()) {
      new TokenStream(
              exchange,
              chunks,
              completion,
              pace,
              new TokenStream.Script(
                  cutAfter,
                  stallAfter,
                  (int) struck.amount(Knob.MALFORMED_EVENT_AT, TokenStream.Script.NEVER),
                  struck.strikes(Knob.MISSING_DONE)))
          .begin();
    } else {
      whole(exchange, chunks, completion, pace, Math.min(cutAfter, stallAfter), cutAfter);
    }
  }

  /// An answer in one piece takes as long as the same answer streamed, and a fault after n tokens
  /// strikes when the n-th would have been sent.
  private static void whole(
      Exchange exchange, Chunks chunks, Completion completion, Pace pace, int faultAt, int cutAt) {
    boolean struck = faultAt <= completion.tokens();
    int last = Math.max(0, Math.min(faultAt, completion.tokens()) - 1);
    exchange.after(
        pace.dueNanos(last) / 1_000_000,
        () -> {
          if (!struck) {
            exchange.sent(completion.tokens());
            exchange.json(
                chunks.whole(completion.text(), completion.finishReason(), completion.tokens()));
          } else if (faultAt == cutAt) {
            exchange.reset();
          }
        });
  }
}
