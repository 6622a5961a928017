package dev.parley.kv.node.http;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// `POST /v1/batch`: up to a thousand operations in one request, each with an outcome of its own.
/// They are not one transaction. Those on the same key take effect in the order in which they
/// stand; the others run side by side.
///
/// The whole batch is checked before anything is done, so that a request that cannot be understood
/// changes nothing.
@ApplicationScoped
class BatchRoute {

  private static final int MAX_OPERATIONS = 1000;

  /// What all large bodies may take at once (see [Bodies]): a larger one would never get its turn.
  private static final int MAX_BODY = 8 << 20;

  /// Bytes of values in one answer; what a read finds beyond that is not sent.
  private static final long MAX_ANSWER = 8 << 20;

  /// Operations of one batch with the core at a time.
  private static final int MAX_ASKED = 64;

  /// @param mutation null reads
  private record Operation(Key key, @Nullable Mutation mutation) {}

  private final Settings settings;
  private final NodeHost host;

  BatchRoute(Settings settings, NodeHost host) {
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    router.post("/v1/batch").order(-10).handler(KvRoutes.guarded(this::post));
    router.route("/v1/batch").order(-10).handler(KvRoutes.only("POST"));
  }

  private void post(RoutingContext context) {
    Requests.parameters(context.request(), Set.of());
    Requests.requireJson(context.request());
    Bodies.read(
        context,
        Bodies.From.CLIENT,
        MAX_BODY,
        bytes ->
            KvRoutes.guard(
                context,
                () -> {
                  List<Operation> operations = parse(bytes);
                  for (Operation operation : operations) {
                    Requests.authorize(context, settings, operation.key());
                  }
                  new Run(context, operations).advance();
                }));
  }

  /// One batch on its way, on its request's event loop.
  private final class Run {

    private final RoutingContext context;
    private final List<Operation> operations;
    private final @Nullable Answer[] answers;

    /// For each key with an operation under way or waiting, those that wait, first first.
    private final Map<Key, ArrayDeque<Integer>> waiting = new HashMap<>();

    private final ArrayDeque<Integer> ready = new ArrayDeque<>();
    private boolean advancing;
    private int asked;
    private int answered;
    private long valueBytes;

    Run(RoutingContext context, List<Operation> operations) {
      this.context = context;
      this.operations = operations;
      this.answers = new Answer[operations.size()];
      for (int i = 0; i < operations.size(); i++) {
        ArrayDeque<Integer> before = waiting.get(operations.get(i).key());
        if (before == null) {
          waiting.put(operations.get(i).key(), new ArrayDeque<>());
          ready.add(i);
        } else {
          before.add(i);
        }
      }
    }

    void advance() {
      if (advancing) {
        return; // An answer came at once; the loop below goes on with it.
      }
      advancing = true;
      while (asked < MAX_ASKED && !ready.isEmpty()) {
        int index = ready.remove();
        Operation operation = operations.get(index);
        asked++;
        Consumer<Answer> back = KvRoutes.back(context, answer -> answered(index, answer));
        Mutation mutation = operation.mutation();
        if (mutation == null) {
          host.read(operation.key(), back);
        } else {
          host.write(operation.key(), mutation, back);
        }
      }
      advancing = false;
      if (answered == operations.size()) {
        context
            .response()
            .putHeader("Content-Type", "application/json")
            .putHeader("Cache-Control", "no-store")
            .end(Buffer.buffer(encode(operations, answers)));
      }
    }

    private void answered(int index, Answer answer) {
      asked--;
      answered++;
      if (answer instanceof Answer.Found found) {
        valueBytes += found.body().length;
      }
      // The value is let go of at once: a thousand of them could fill the heap.
      answers[index] = answer instanceof Answer.Found && valueBytes > MAX_ANSWER ? null : answer;
      Key key = operations.get(index).key();
      ArrayDeque<Integer> rest = waiting.get(key);
      if (rest == null || rest.isEmpty()) {
        waiting.remove(key);
      } else {
        ready.add(rest.remove());
      }
      advance();
    }
  }

  private static byte[] encode(List<Operation> operations, @Nullable Answer[] answers) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JsonText.JSON.createGenerator(out)) {
      json.writeStartObject();
      json.writeArrayFieldStart("results");
      for (int i = 0; i < answers.length; i++) {
        json.writeStartObject();
        json.writeStringField("key", operations.get(i).key().toString());
        encode(json, answers[i]);
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /// The status and what else the operation would have been answered by itself.
  private static void encode(JsonGenerator json, @Nullable Answer answer) throws IOException {
    switch (answer) {
      case null ->
          problem(
              json,
              Problem.TOO_LARGE,
              "this answer holds " + MAX_ANSWER + " bytes of values already: read the key again");
      case Answer.Found found -> {
        json.writeNumberField("status", 200);
        json.writeStringField("version", Long.toString(found.version()));
        JsonText.value(json, found.body());
      }
      case Answer.Applied(var version, var existed) -> {
        json.writeNumberField("status", existed ? 200 : 201);
        json.writeStringField("version", Long.toString(version));
      }
      case Answer.Absent _, Answer.Missing _ -> problem(json, Problem.NOT_FOUND, null);
      case Answer.Conflict(var current) when current != 0 -> {
        problem(json, Problem.CONFLICT, KvRoutes.reason(answer));
        json.writeStringField("version", Long.toString(current));
      }
      default -> problem(json, KvRoutes.problem(answer), KvRoutes.reason(answer));
    }
  }

  private static void problem(JsonGenerator json, Problem problem, @Nullable String detail)
      throws IOException {
    JsonObject document = problem.document(detail);
    json.writeNumberField("status", document.getInteger("status"));
    json.writeObjectFieldStart("problem");
    for (String field : List.of("type", "title", "detail")) {
      if (document.containsKey(field)) {
        json.writeStringField(field, document.getString(field));
      }
    }
    json.writeEndObject();
  }

  // Reading the request.

  private static List<Operation> parse(byte[] bytes) {
    List<Operation> operations = new ArrayList<>();
    try (JsonParser parser = JsonText.JSON.createParser(Requests.text(bytes))) {
      if (parser.nextToken() != JsonToken.START_OBJECT
          || !"operations".equals(parser.nextFieldName())
          || parser.nextToken() != JsonToken.START_ARRAY) {
        throw bad("the body must be {\"operations\": [...]}");
      }
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        int index = operations.size();
        if (index == MAX_OPERATIONS) {
          throw bad("a batch has at most " + MAX_OPERATIONS + " operations");
        }
        try {
          operations.add(operation(parser));
        } catch (Requests.BadRequestException e) {
          throw new Requests.BadRequestException(
              e.problem(), "operation " + index + ": " + e.getMessage());
        }
      }
      if (parser.nextToken() != JsonToken.END_OBJECT || parser.nextToken() != null) {
        throw bad("the body must be {\"operations\": [...]} and nothing else");
      }
    } catch (IOException e) {
      throw JsonText.bad(e);
    }
    if (operations.isEmpty()) {
      throw bad("a batch has at least one operation");
    }
    return operations;
  }

  private static Operation operation(JsonParser parser) throws IOException {
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      throw bad("an operation is an object");
    }
    Map<String, String> fields = new HashMap<>();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      if (!FIELDS.contains(name)) {
        throw bad("the fields of an operation are " + String.join(", ", FIELDS));
      }
      boolean number = name.equals("ttl_seconds");
      if (parser.nextToken() != (number ? JsonToken.VALUE_NUMBER_INT : JsonToken.VALUE_STRING)) {
        throw bad(name + " must be a " + (number ? "whole number" : "string"));
      }
      fields.put(name, parser.getText());
    }
    String op = fields.getOrDefault("op", "");
    Key key = Requests.key(fields.getOrDefault("key", ""));
    byte @Nullable [] value = value(fields);
    switch (op) {
      case "put" -> {
        if (value == null) {
          throw bad("a put has a value or a value_base64");
        }
      }
      case "delete" -> {
        if (value != null
            || fields.containsKey("if_none_match")
            || fields.containsKey("ttl_seconds")) {
          throw bad("a delete has no value, no ttl_seconds and no if_none_match");
        }
      }
      case "get" -> {
        if (fields.size() > 2) {
          throw bad("a get has only a key");
        }
        return new Operation(key, null);
      }
      default -> throw bad("op must be get, put or delete");
    }
    return new Operation(key, mutation(fields, key, value));
  }

  private static final List<String> FIELDS =
      List.of(
          "op",
          "key",
          "value",
          "value_base64",
          "ttl_seconds",
          "if_match",
          "if_none_match",
          "idempotency_key",
          "attempt",
          "base");

  private static Mutation mutation(Map<String, String> fields, Key key, byte @Nullable [] value) {
    Precondition condition = condition(fields.get("if_match"), fields.get("if_none_match"));
    String idempotencyKey = fields.get("idempotency_key");
    return new Mutation(
        Requests.operation(idempotencyKey, key),
        condition,
        value,
        Requests.base(condition, idempotencyKey, fields.get("attempt"), fields.get("base")),
        Requests.expiry(fields.get("ttl_seconds")));
  }

  private static Precondition condition(@Nullable String match, @Nullable String noneMatch) {
    if (match == null && noneMatch == null) {
      return new Precondition.Always();
    }
    if (match == null && "*".equals(noneMatch)) {
      return new Precondition.Absent();
    }
    if (match != null && noneMatch == null) {
      if (match.equals("*")) {
        return new Precondition.Present();
      }
      if (match.matches("[0-9]{1,18}")) {
        return new Precondition.At(Long.parseLong(match));
      }
    }
    throw new Requests.BadRequestException(
        Problem.BAD_CONDITION, "one of if_match: a version or *, or if_none_match: *");
  }

  private static byte @Nullable [] value(Map<String, String> fields) {
    String text = fields.get("value");
    String base64 = fields.get("value_base64");
    if (text != null && base64 != null) {
      throw bad("value and value_base64 exclude each other");
    }
    byte[] value;
    try {
      value =
          base64 != null
              ? Base64.getDecoder().decode(base64)
              : text == null ? null : Requests.utf8(text);
    } catch (CharacterCodingException e) {
      throw bad("the value is not well-formed Unicode");
    } catch (IllegalArgumentException e) {
      throw bad("value_base64 is not Base64");
    }
    if (value != null && value.length > KvRoutes.MAX_VALUE) {
      throw new Requests.BadRequestException(
          Problem.TOO_LARGE, "a value has at most " + KvRoutes.MAX_VALUE + " bytes");
    }
    return value;
  }

  private static Requests.BadRequestException bad(String detail) {
    return new Requests.BadRequestException(Problem.BAD_REQUEST, detail);
  }
}
