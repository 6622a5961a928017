package dev.parley.system.kv;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.kv.history.Operation;
import dev.parley.kv.history.Operation.Condition;
import dev.parley.kv.history.Operation.Outcome;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.IntSupplier;
import okhttp3.HttpUrl;
import okhttp3.MediaType;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/// One client of the store's HTTP API, which says of every operation exactly what the API promises
/// and no more.
///
/// A write is retried at other nodes under its one `Idempotency-Key`. As long as an attempt may be
/// under way somewhere whose answer was not seen, only such answers of later attempts are believed
/// that the straggler cannot make untrue: success, which is the operation's own wherever it is
/// told, and a conflict about a version, since no version ever returns.
final class KvClient {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final MediaType BYTES = MediaType.get("application/octet-stream");
  private static final int PAGE = 1000;

  private final KvCluster cluster;
  private final History history;
  private final int number;
  private final IntSupplier anyNode;

  /// @param number of this client, in what is recorded
  /// @param anyNode chooses the node of the next attempt
  KvClient(KvCluster cluster, History history, int number, IntSupplier anyNode) {
    this.cluster = cluster;
    this.history = history;
    this.number = number;
    this.anyNode = anyNode;
  }

  /// A response, read to its end.
  private record Answer(int status, @Nullable String tag, byte[] body) {

    long version() {
      if (tag == null || !tag.matches("\"[0-9]+\"")) {
        throw new AssertionError("no version in the answer " + this + ": " + text());
      }
      return Long.parseLong(tag.substring(1, tag.length() - 1));
    }

    String text() {
      return new String(body, StandardCharsets.UTF_8);
    }

    /// The last part of the type of the problem document.
    String problem() {
      try {
        String type = JSON.readTree(body).path("type").asText();
        return type.substring(type.lastIndexOf('/') + 1);
      } catch (IOException e) {
        return "";
      }
    }
  }

  /// What one attempt of a write came to: an outcome, or null for one to be had elsewhere, and
  /// whether the attempt may still take effect.
  private record Attempt(@Nullable Outcome outcome, boolean mayBeUnderWay) {}

  /// Reads a key, at up to `attempts` nodes.
  Outcome read(String key, int attempts) {
    for (int attempt = 1; attempt <= attempts; attempt++) {
      int node = anyNode.getAsInt();
      // An attempt that failed saw nothing, so the read is the attempt that succeeded.
      long begun = System.nanoTime();
      try {
        Answer answer = send(request(node, key).get().build());
        Outcome outcome =
            switch (answer.status()) {
              case 200 -> new Outcome.Found(answer.version(), answer.text());
              case 404 -> new Outcome.Absent();
              case 503 -> null;
              default -> throw unexpected(answer);
            };
        if (outcome != null) {
          history.add(number, node, key, begun, new Operation.Request.Read(), outcome);
          return outcome;
        }
      } catch (IOException e) {
        // The next node may answer.
      }
    }
    return new Outcome.Unknown();
  }

  /// Lists all keys under a prefix at a node, and records a read of each of `keys`: what the
  /// listing shows, or that it shows nothing. Each row is linearizable at some instant of the
  /// listing.
  ///
  /// @return the rows, or null if the node did not list them
  @Nullable Map<String, Outcome> list(int node, String prefix, List<String> keys) {
    Map<String, Outcome> rows = new TreeMap<>();
    String after = null;
    long begun = System.nanoTime();
    try {
      do {
        HttpUrl.Builder url =
            HttpUrl.get(cluster.url(node))
                .newBuilder("/v1/kv")
                .addQueryParameter("prefix", prefix)
                .addQueryParameter("limit", Integer.toString(PAGE));
        if (after != null) {
          url.addQueryParameter("after", after);
        }
        Answer answer = send(new Request.Builder().url(url.build()).build());
        if (answer.status() == 503) {
          return null;
        }
        if (answer.status() != 200) {
          throw unexpected(answer);
        }
        JsonNode page = JSON.readTree(answer.body());
        for (JsonNode row : page.path("entries")) {
          rows.put(
              row.path("key").asText(),
              new Outcome.Found(row.path("version").asLong(), row.path("value").asText()));
        }
        after = page.path("next").isNull() ? null : page.path("next").asText();
      } while (after != null);
    } catch (IOException e) {
      return null;
    }
    for (String key : keys) {
      Outcome outcome = rows.getOrDefault(key, new Outcome.Absent());
      history.add(number, node, key, begun, new Operation.Request.Read(), outcome);
    }
    return rows;
  }

  /// Stores a value that no other put of the key stores.
  Outcome put(String key, String value, Condition condition, int attempts) {
    RequestBody body = RequestBody.create(value.getBytes(StandardCharsets.UTF_8), BYTES);
    return write(key, new Operation.Request.Put(value, condition), condition, body, attempts);
  }

  Outcome delete(String key, Condition condition, int attempts) {
    return write(key, new Operation.Request.Delete(condition), condition, null, attempts);
  }

  private Outcome write(
      String key,
      Operation.Request asked,
      Condition condition,
      @Nullable RequestBody body,
      int attempts) {
    String operation = UUID.randomUUID().toString();
    long begun = System.nanoTime();
    boolean doubtful = false;
    int node = 0;
    Outcome outcome = null;
    for (int attempt = 1; outcome == null && attempt <= attempts; attempt++) {
      node = anyNode.getAsInt();
      Request.Builder request = request(node, key);
      switch (condition) {
        case Condition.Always() -> {}
        case Condition.Absent() -> request.header("If-None-Match", "*");
        case Condition.Present() -> request.header("If-Match", "*");
        case Condition.At(var version) -> request.header("If-Match", "\"" + version + "\"");
      }
      request.header("Idempotency-Key", operation);
      request.header("Parley-Attempt", Integer.toString(attempt));
      Attempt made = attempt((body == null ? request.delete() : request.put(body)).build());
      outcome = made.outcome();
      boolean settled =
          outcome instanceof Outcome.Applied
              || outcome instanceof Outcome.Unknown
              || (outcome instanceof Outcome.Conflict && condition instanceof Condition.At);
      if (doubtful && outcome != null && !settled) {
        outcome = new Outcome.Unknown();
      }
      doubtful |= made.mayBeUnderWay();
    }
    if (outcome == null) {
      outcome = doubtful ? new Outcome.Unknown() : new Outcome.NotApplied();
    }
    history.add(number, node, key, begun, asked, outcome);
    return outcome;
  }

  private Attempt attempt(Request request) {
    Answer answer;
    try {
      answer = send(request);
    } catch (ConnectException e) {
      return new Attempt(null, false);
    } catch (IOException e) {
      return new Attempt(null, true);
    }
    switch (answer.status()) {
      case 200, 204 -> {
        return new Attempt(new Outcome.Applied(answer.version(), true), false);
      }
      case 201 -> {
        return new Attempt(new Outcome.Applied(answer.version(), false), false);
      }
      case 404 -> {
        if (!request.method().equals("DELETE") || !answer.problem().equals("not-found")) {
          throw unexpected(answer);
        }
        return new Attempt(new Outcome.Missing(), false);
      }
      case 412 -> {
        long version = answer.tag() == null ? 0 : answer.version();
        return new Attempt(new Outcome.Conflict(version), false);
      }
      case 409, 503, 507 -> {
        switch (answer.problem()) {
          case "not-applied", "no-room" -> {
            return new Attempt(null, false);
          }
          case "outcome-unknown" -> {
            // With 409 the store says that asking again cannot help.
            return new Attempt(answer.status() == 409 ? new Outcome.Unknown() : null, true);
          }
          case "" -> {
            // A node that is stopping in good order says no more than 503, and so promises nothing.
            return new Attempt(null, true);
          }
          default -> throw unexpected(answer);
        }
      }
      default -> throw unexpected(answer);
    }
  }

  private Request.Builder request(int node, String key) {
    List<String> segments = new ArrayList<>(List.of("v1", "kv"));
    segments.addAll(List.of(key.split("/", -1)));
    HttpUrl.Builder url = HttpUrl.get(cluster.url(node)).newBuilder();
    segments.forEach(url::addPathSegment);
    return new Request.Builder().url(url.build());
  }

  private Answer send(Request request) throws IOException {
    try (Response response = cluster.http().newCall(request).execute()) {
      return new Answer(response.code(), response.header("ETag"), response.body().bytes());
    }
  }

  /// The API does not promise such an answer.
  private static AssertionError unexpected(Answer answer) {
    return new AssertionError("unexpected answer " + answer.status() + ": " + answer.text());
  }
}
