package dev.parley.kv.node.http;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.impl.ContextInternal;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The store's own API: `/v1/kv` and what lies under it.
@ApplicationScoped
class KvRoutes {

  static final int MAX_VALUE = 1 << 20;

  private static final String KEYS = "/v1/kv/";
  private static final int MAX_LIMIT = 1000;
  private static final int DEFAULT_LIMIT = 100;

  private final Vertx vertx;
  private final Settings settings;
  private final NodeHost host;

  KvRoutes(Vertx vertx, Settings settings, NodeHost host) {
    this.vertx = vertx;
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    Bodies.watch(vertx);
    router.route().order(-100).handler(KvRoutes::identify);
    router.get("/v1/kv").method(HttpMethod.HEAD).order(-10).handler(guarded(this::list));
    // A regular expression is not met by a slash more, which begins a key.
    router.routeWithRegex("/v1/kv").order(-10).handler(only("GET, HEAD"));
    router.get("/v1/kv/*").method(HttpMethod.HEAD).order(-10).handler(guarded(this::get));
    router.put("/v1/kv/*").order(-10).handler(guarded(this::put));
    router.delete("/v1/kv/*").order(-10).handler(guarded(this::delete));
    router.route("/v1/kv/*").order(-10).handler(guarded(this::noMethod));
  }

  /// Gives every request the id it came with, if that is sane, or a new one.
  private static void identify(RoutingContext context) {
    String id = context.request().getHeader("X-Request-Id");
    if (id == null || !Requests.isRequestId(id)) {
      id = Requests.newRequestId();
    }
    context.response().putHeader("X-Request-Id", id);
    context.next();
  }

  /// Turns a request that cannot be understood into its problem.
  static Handler<RoutingContext> guarded(Consumer<RoutingContext> handler) {
    return context -> guard(context, () -> handler.accept(context));
  }

  static void guard(RoutingContext context, Runnable handler) {
    try {
      handler.run();
    } catch (Requests.BadRequestException e) {
      context.request().resume();
      e.problem().answer(context, e.getMessage());
    }
  }

  /// Brings an answer from the core's event loop back to the request's, at once if they are one.
  static Consumer<Answer> back(RoutingContext context, Consumer<Answer> then) {
    ContextInternal request = (ContextInternal) Vertx.currentContext();
    return answer ->
        request.emit(
            answer,
            given -> {
              HttpServerResponse response = context.response();
              if (!response.ended() && !response.closed()) {
                then.accept(given);
              }
            });
  }

  /// Refuses the methods that no route before took.
  static Handler<RoutingContext> only(String methods) {
    return context -> {
      context.request().resume();
      context.response().putHeader("Allow", methods);
      Problem.NO_METHOD.answer(context, "what is here takes " + methods);
    };
  }

  private void noMethod(RoutingContext context) {
    Requests.authorize(context, settings, Requests.key(context.request(), KEYS));
    only("GET, HEAD, PUT, DELETE").handle(context);
  }

  private void get(RoutingContext context) {
    Key key = Requests.key(context.request(), KEYS);
    Requests.parameters(context.request(), Set.of());
    Requests.authorize(context, settings, key);
    Set<String> match = Requests.tags(context.request(), "If-Match");
    Set<String> noneMatch = Requests.tags(context.request(), "If-None-Match");
    context.request().resume();
    host.read(
        key,
        back(
            context,
            answer -> {
              switch (answer) {
                case Answer.Found(var version, var body, _) ->
                    found(context, match, noneMatch, version, body);
                case Answer.Absent() -> Problem.NOT_FOUND.answer(context, null);
                default -> failed(context, answer);
              }
            }));
  }

  private static void found(
      RoutingContext context,
      @Nullable Set<String> match,
      @Nullable Set<String> noneMatch,
      long version,
      byte[] body) {
    String tag = tag(version);
    HttpServerResponse response =
        context.response().putHeader("ETag", tag).putHeader("Cache-Control", "no-store");
    if (match != null && !match.contains("*") && !match.contains(tag)) {
      failed(context, new Answer.Conflict(version));
    } else if (noneMatch != null
        && (noneMatch.contains("*") || noneMatch.contains(tag) || noneMatch.contains("W/" + tag))) {
      response.setStatusCode(304).end();
    } else {
      response
          .putHeader("Content-Type", "application/octet-stream")
          .putHeader("X-Content-Type-Options", "nosniff");
      end(context, Buffer.buffer(body));
    }
  }

  /// Ends a response to a GET or a HEAD; the server leaves out the body of the latter, and its
  /// length, too, unless told.
  static void end(RoutingContext context, Buffer body) {
    if (context.request().method() == HttpMethod.HEAD) {
      context.response().putHeader("Content-Length", Integer.toString(body.length()));
    }
    context.response().end(body);
  }

  private void put(RoutingContext context) {
    Key key = Requests.key(context.request(), KEYS);
    Map<String, String> parameters = Requests.parameters(context.request(), Set.of("ttl_seconds"));
    long expiresAt = Requests.expiry(parameters.get("ttl_seconds"));
    Requests.authorize(context, settings, key);
    Mutation empty = mutation(context, key, null);
    Bodies.read(
        context,
        Bodies.From.CLIENT,
        MAX_VALUE,
        body ->
            host.write(
                key,
                new Mutation(empty.op(), empty.condition(), body, empty.base(), expiresAt),
                back(
                    context,
                    answer -> {
                      if (answer instanceof Answer.Applied(var version, var existed)) {
                        context
                            .response()
                            .setStatusCode(existed ? 200 : 201)
                            .putHeader("ETag", tag(version))
                            .end();
                      } else {
                        failed(context, answer);
                      }
                    })));
  }

  private void delete(RoutingContext context) {
    Key key = Requests.key(context.request(), KEYS);
    Requests.parameters(context.request(), Set.of());
    Requests.authorize(context, settings, key);
    Mutation mutation = mutation(context, key, null);
    if (mutation.condition() instanceof Precondition.Absent) {
      throw new Requests.BadRequestException(
          Problem.BAD_CONDITION, "a delete takes no If-None-Match");
    }
    context.request().resume();
    host.write(
        key,
        mutation,
        back(
            context,
            answer -> {
              switch (answer) {
                case Answer.Applied(var version, _) ->
                    context.response().setStatusCode(204).putHeader("ETag", tag(version)).end();
                case Answer.Missing() -> Problem.NOT_FOUND.answer(context, null);
                default -> failed(context, answer);
              }
            }));
  }

  private static Mutation mutation(RoutingContext context, Key key, byte @Nullable [] body) {
    return Requests.mutation(context.request(), key, Requests.condition(context.request()), body);
  }

  private void list(RoutingContext context) {
    if (context.request().path().endsWith("/")) {
      throw new Requests.BadRequestException(Problem.BAD_KEY, "the key is empty");
    }
    var parameters = Requests.parameters(context.request(), Set.of("prefix", "after", "limit"));
    byte[] prefix = parameters.getOrDefault("prefix", "").getBytes(StandardCharsets.UTF_8);
    if (prefix.length > Key.MAX_BYTES) {
      throw new Requests.BadRequestException(Problem.BAD_KEY, "the prefix is too long");
    }
    String from = parameters.getOrDefault("after", "");
    Key after = from.isEmpty() ? null : Requests.key(from);
    int limit = limit(parameters.get("limit"));
    if (settings.reachesProtected(new String(prefix, StandardCharsets.UTF_8))) {
      Requests.requireToken(context, settings, "a listing that can reach protected keyspaces");
    }
    context.request().resume();
    host.scan(
        prefix,
        after,
        limit,
        back(
            context,
            answer -> {
              if (answer instanceof Answer.Page page) {
                context
                    .response()
                    .putHeader("Content-Type", "application/json")
                    .putHeader("Cache-Control", "no-store");
                end(context, Buffer.buffer(encode(page)));
              } else {
                failed(context, answer);
              }
            }));
  }

  private static int limit(@Nullable String text) {
    if (text == null) {
      return DEFAULT_LIMIT;
    }
    if (text.matches("[0-9]{1,4}")) {
      int limit = Integer.parseInt(text);
      if (limit >= 1 && limit <= MAX_LIMIT) {
        return limit;
      }
    }
    throw new Requests.BadRequestException(Problem.BAD_REQUEST, "limit must be 1 to " + MAX_LIMIT);
  }

  private static byte[] encode(Answer.Page page) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JsonText.JSON.createGenerator(out)) {
      json.writeStartObject();
      json.writeArrayFieldStart("entries");
      for (Answer.Row row : page.rows()) {
        json.writeStartObject();
        json.writeStringField("key", row.key().toString());
        json.writeStringField("version", Long.toString(row.version()));
        JsonText.value(json, row.body());
        json.writeEndObject();
      }
      json.writeEndArray();
      Key next = page.next();
      if (next == null) {
        json.writeNullField("next");
      } else {
        json.writeStringField("next", next.toString());
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  static String tag(long version) {
    return "\"" + version + "\"";
  }

  /// Answers with the problem of an answer that is not the one hoped for.
  static void failed(RoutingContext context, Answer answer) {
    if (answer instanceof Answer.Conflict(var current) && current != 0) {
      context.response().putHeader("ETag", tag(current));
    }
    if (answer instanceof Answer.Forgotten(var version)) {
      context.response().putHeader(Requests.BASE, Long.toString(version));
    }
    problem(answer).answer(context, reason(answer));
  }

  /// Every answer that is not the one hoped for, mapped in one place.
  static Problem problem(Answer answer) {
    return switch (answer) {
      case Answer.Conflict _ -> Problem.CONFLICT;
      case Answer.NotApplied _ -> Problem.NOT_APPLIED;
      case Answer.Unknown _ -> Problem.UNKNOWN;
      case Answer.Forgotten _ -> Problem.FORGOTTEN;
      case Answer.NoRoom _ -> Problem.NO_ROOM;
      case Answer.Unavailable _ -> Problem.NO_QUORUM;
      case Answer.OfChange _ -> throw new IllegalStateException("a change of the members");
      case Answer.Applied _,
          Answer.Missing _,
          Answer.Found _,
          Answer.Absent _,
          Answer.Page _,
          Answer.Watched _ ->
          throw new IllegalStateException("not a failure: " + answer.getClass());
    };
  }

  /// Why there is that problem, in a sentence.
  static String reason(Answer answer) {
    return switch (answer) {
      case Answer.Conflict(var current) ->
          current == 0 ? "the key does not exist" : "the key exists, at version " + current;
      case Answer.NotApplied(var reason) -> reason;
      case Answer.Unknown(var reason) -> reason;
      case Answer.Unavailable(var reason) -> reason;
      case Answer.Forgotten _ ->
          "the operation may be older than what the key, or its partition, remembers";
      case Answer.NoRoom _ -> "a majority of the nodes is full";
      case Answer.OfChange _ -> throw new IllegalStateException("a change of the members");
      case Answer.Applied _,
          Answer.Missing _,
          Answer.Found _,
          Answer.Absent _,
          Answer.Page _,
          Answer.Watched _ ->
          throw new IllegalStateException("not a failure: " + answer.getClass());
    };
  }
}
