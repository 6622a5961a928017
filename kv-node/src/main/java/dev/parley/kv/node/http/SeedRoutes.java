package dev.parley.kv.node.http;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.json.Json;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The small API the project began with: one pair in, one pair out, at the root.
@ApplicationScoped
class SeedRoutes {

  private record Pair(String key, String value) {}

  private final Settings settings;
  private final NodeHost host;

  SeedRoutes(Settings settings, NodeHost host) {
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    router.post("/").order(-5).handler(KvRoutes.guarded(this::post));
    router
        .getWithRegex("/[^/]+")
        .method(HttpMethod.HEAD)
        .setName("/{key}")
        .order(-5)
        .handler(KvRoutes.guarded(this::get));
    router
        .deleteWithRegex("/[^/]+")
        .setName("/{key}")
        .order(-5)
        .handler(KvRoutes.guarded(this::delete));
    router.routeWithRegex("/").order(-5).handler(KvRoutes.only("POST"));
    router.routeWithRegex("/[^/]+").order(-5).handler(KvRoutes.guarded(this::noMethod));
  }

  private void noMethod(RoutingContext context) {
    key(context);
    KvRoutes.only("GET, HEAD, DELETE").handle(context);
  }

  private Key key(RoutingContext context) {
    Key key = Requests.key(context.request(), "/");
    Requests.parameters(context.request(), Set.of());
    refuseSlash(key);
    Requests.authorize(context, settings, key);
    return key;
  }

  private static void refuseSlash(Key key) {
    for (byte b : key.utf8()) {
      if (b == '/') {
        throw new Requests.BadRequestException(
            Problem.BAD_KEY, "keys with a slash live under /v1/kv/");
      }
    }
  }

  private void post(RoutingContext context) {
    Requests.parameters(context.request(), Set.of());
    Requests.requireJson(context.request());
    Bodies.read(
        context,
        Bodies.From.CLIENT,
        KvRoutes.MAX_VALUE + 4096,
        bytes -> KvRoutes.guard(context, () -> store(context, bytes)));
  }

  private void store(RoutingContext context, byte[] bytes) {
    Pair pair = pair(bytes);
    Key key = Requests.key(pair.key());
    refuseSlash(key);
    Requests.authorize(context, settings, key);
    byte[] value = pair.value().getBytes(StandardCharsets.UTF_8);
    if (value.length > KvRoutes.MAX_VALUE) {
      throw new Requests.BadRequestException(
          Problem.TOO_LARGE, "at most " + KvRoutes.MAX_VALUE + " bytes");
    }
    write(context, key, value, answer -> json(context, 200, "\"ok\""));
  }

  private void get(RoutingContext context) {
    Key key = key(context);
    context.request().resume();
    host.read(
        key,
        KvRoutes.back(
            context,
            answer -> {
              switch (answer) {
                case Answer.Found(_, var body, _) ->
                    json(
                        context, 200, "{" + Json.encode(key.toString()) + ":" + asJson(body) + "}");
                case Answer.Absent() -> json(context, 404, "{\"detail\":\"Not Found\"}");
                default -> KvRoutes.failed(context, answer);
              }
            }));
  }

  private void delete(RoutingContext context) {
    Key key = key(context);
    context.request().resume();
    write(
        context,
        key,
        null,
        answer -> json(context, 200, answer instanceof Answer.Applied ? "1" : "0"));
  }

  private void write(
      RoutingContext context,
      Key key,
      byte @Nullable [] value,
      java.util.function.Consumer<Answer> done) {
    Mutation mutation = Requests.mutation(context.request(), key, new Precondition.Always(), value);
    host.write(
        key,
        mutation,
        KvRoutes.back(
            context,
            answer -> {
              if (answer instanceof Answer.Applied || answer instanceof Answer.Missing) {
                done.accept(answer);
              } else {
                KvRoutes.failed(context, answer);
              }
            }));
  }

  private static void json(RoutingContext context, int status, String body) {
    context.response().setStatusCode(status).putHeader("Content-Type", "application/json");
    KvRoutes.end(context, Buffer.buffer(body));
  }

  /// The one pair of the body: its key, and its value exactly as it was written.
  private static Pair pair(byte[] bytes) {
    try {
      String text = Requests.text(bytes);
      try (JsonParser parser = JsonText.JSON.createParser(text)) {
        if (parser.nextToken() != JsonToken.START_OBJECT
            || parser.nextToken() != JsonToken.FIELD_NAME) {
          throw bad("the body must be a JSON object with exactly one pair");
        }
        String key = parser.currentName();
        parser.nextToken();
        int from = (int) parser.currentTokenLocation().getCharOffset();
        finishValue(parser);
        int to = (int) parser.currentLocation().getCharOffset();
        if (parser.nextToken() != JsonToken.END_OBJECT) {
          throw bad("the body must be a JSON object with exactly one pair");
        }
        if (parser.nextToken() != null) {
          throw bad("there is something after the JSON object");
        }
        return new Pair(key, text.substring(from, to).strip());
      }
    } catch (IOException e) {
      throw JsonText.bad(e);
    }
  }

  /// Reads to the very end of the value, lazily read strings included.
  private static void finishValue(JsonParser parser) throws IOException {
    if (parser.currentToken().isStructStart()) {
      parser.skipChildren();
    } else {
      parser.getText();
    }
  }

  private static Requests.BadRequestException bad(String detail) {
    return new Requests.BadRequestException(Problem.BAD_REQUEST, detail);
  }

  /// A value stored through another API need not be JSON; it is shown as a string then.
  private static String asJson(byte[] body) {
    String text = new String(body, StandardCharsets.UTF_8);
    try (JsonParser parser = JsonText.JSON.createParser(text)) {
      if (parser.nextToken() != null) {
        finishValue(parser);
        if (parser.nextToken() == null) {
          return text;
        }
      }
    } catch (IOException e) {
      // Not JSON.
    }
    return Json.encode(text);
  }
}
