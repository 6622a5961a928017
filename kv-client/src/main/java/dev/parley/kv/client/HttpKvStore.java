package dev.parley.kv.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The store over HTTP: any node takes any request, so a call goes to the node that answered last,
/// and to the next one as soon as that node refuses, or when it has been silent for
/// [#HEDGE_AFTER]. Which nodes there are is learnt from the nodes, while members come and go.
///
/// Asking twice is safe for writes too: all attempts of one write carry the same
/// `Idempotency-Key`, by which the nodes apply it once and give every attempt the same answer, and
/// a base ([Bases]) by which they know if they no longer can.
public final class HttpKvStore implements KvStore {

  /// About three times the slowest ordinary answer of a healthy node, so that hedges stay rare.
  private static final Duration HEDGE_AFTER = Duration.ofMillis(300);

  /// The whole call, all attempts together. A node itself gives up on a missing quorum after about
  /// two seconds, so every node can be asked once with time to spare.
  private static final Duration DEADLINE = Duration.ofSeconds(3);

  /// A pause between rounds in which every node refused: long enough not to spin.
  private static final Duration BETWEEN_ROUNDS = Duration.ofMillis(150);

  /// How often a write whose base was too old is sent anew. Once is enough unless the key changes
  /// very fast.
  private static final int REBASES = 3;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Members members;
  private final MemberSearch search;
  private final String authorization;
  private final Duration patience;
  private final HttpClient http;
  private final Bases bases = new Bases();
  private final Set<HttpWatch> watches = ConcurrentHashMap.newKeySet();

  /// The node that answered last: it is asked first, whoever is said to be a member.
  private volatile @Nullable URI preferred;

  /// @param nodes base addresses of some nodes, such as `http://127.0.0.1:9527`; at least one
  /// @param serviceToken the secret shared by the services
  public HttpKvStore(List<URI> nodes, String serviceToken) {
    this(nodes, serviceToken, DEADLINE, MemberSearch.EVERY);
  }

  HttpKvStore(List<URI> nodes, String serviceToken, Duration patience, Duration searchEvery) {
    this.members = new Members(nodes);
    this.patience = patience;
    this.authorization = "Bearer " + serviceToken;
    this.http =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(1))
            .followRedirects(HttpClient.Redirect.NEVER)
            .executor(Executors.newVirtualThreadPerTaskExecutor())
            .build();
    this.search = new MemberSearch(http, this::request, members, searchEvery);
    search.start();
  }

  @Override
  public Optional<Entry> get(String key) {
    HttpResponse<byte[]> response = read(node -> request(node, path(key)).GET().build());
    bases.learn(key, response);
    return switch (response.statusCode()) {
      case 200 -> Optional.of(new Entry(key, requireVersion(response), response.body()));
      case 404 -> {
        requireNoSuchKey(response);
        yield Optional.empty();
      }
      default -> throw unexpected(response);
    };
  }

  @Override
  public Page list(String prefix, @Nullable String after, int limit) {
    Limits.requireListing(prefix, limit);
    String query =
        "/v1/kv?limit="
            + limit
            + "&prefix="
            + encode(prefix)
            + (after == null ? "" : "&after=" + encode(after));
    HttpResponse<byte[]> response = read(node -> request(node, query).GET().build());
    if (response.statusCode() != 200) {
      throw unexpected(response);
    }
    return page(response.body());
  }

  @Override
  public WriteOutcome put(String key, byte[] value, Condition condition) {
    Limits.requireValue(value);
    return write(key, builder -> builder.PUT(BodyPublishers.ofByteArray(value)), condition);
  }

  @Override
  public WriteOutcome delete(String key, Condition condition) {
    Limits.requireDeletable(condition);
    return write(key, HttpRequest.Builder::DELETE, condition);
  }

  @Override
  public Watch watch(String prefix, boolean values, WatchListener listener) {
    if (prefix.getBytes(StandardCharsets.UTF_8).length > MAX_KEY_BYTES) {
      throw new IllegalArgumentException("a prefix has at most " + MAX_KEY_BYTES + " bytes");
    }
    HttpWatch watch =
        new HttpWatch(
            http,
            this::request,
            members,
            search::trouble,
            "prefix=" + encode(prefix) + "&values=" + values,
            listener);
    watches.add(watch);
    watch.start();
    return () -> {
      watches.remove(watch);
      watch.close();
    };
  }

  @Override
  public void close() {
    search.close();
    watches.forEach(HttpWatch::close);
    http.shutdownNow();
  }

  private WriteOutcome write(
      String key, Function<HttpRequest.Builder, HttpRequest.Builder> method, Condition condition) {
    Attempts attempts = attemptWrite(key, method, condition);
    if (wasTooOld(attempts) && condition instanceof Condition.Version) {
      // It was not applied, and the version it asks for has passed long ago.
      return new WriteOutcome.Conflict(get(key).map(Entry::version).orElse(null));
    }
    for (int rebased = 0; rebased < REBASES && wasTooOld(attempts); rebased++) {
      attempts = attemptWrite(key, method, condition);
    }
    return outcome(attempts, condition);
  }

  /// Whether the write was certainly not applied, only because its base was too old.
  private static boolean wasTooOld(Attempts attempts) {
    return attempts.answer != null
        && attempts.answer.statusCode() == 409
        && !attempts.maybeApplied
        && attempts.answer.headers().firstValue(Bases.HEADER).isPresent();
  }

  private Attempts attemptWrite(
      String key, Function<HttpRequest.Builder, HttpRequest.Builder> method, Condition condition) {
    String operation = UUID.randomUUID().toString();
    long base = bases.of(key);
    Attempts attempts =
        attempt(
            (node, number) -> {
              HttpRequest.Builder builder =
                  method
                      .apply(request(node, path(key)))
                      .header("Idempotency-Key", operation)
                      .header("Parley-Attempt", Integer.toString(number));
              switch (condition) {
                case Condition.Always() -> builder.header(Bases.HEADER, Long.toString(base));
                case Condition.Absent() ->
                    builder.header("If-None-Match", "*").header(Bases.HEADER, Long.toString(base));
                case Condition.Version(var version) ->
                    builder.header("If-Match", '"' + version + '"');
              }
              return builder.build();
            });
    if (attempts.answer != null) {
      bases.learn(key, attempts.answer);
    }
    return attempts;
  }

  private static WriteOutcome outcome(Attempts attempts, Condition condition) {
    HttpResponse<byte[]> answer = attempts.answer;
    if (answer == null) {
      return attempts.maybeApplied
          ? new WriteOutcome.Unknown(attempts.lastReason)
          : new WriteOutcome.NotApplied(attempts.lastReason);
    }
    if (attempts.maybeApplied && !isFinal(answer, condition)) {
      return new WriteOutcome.Unknown(attempts.lastReason);
    }
    return switch (answer.statusCode()) {
      case 200, 204 -> new WriteOutcome.Applied(version(answer).orElse(""), true);
      case 201 -> new WriteOutcome.Applied(requireVersion(answer), false);
      case 404 -> {
        requireNoSuchKey(answer);
        yield condition instanceof Condition.Version
            ? new WriteOutcome.Conflict(null)
            : new WriteOutcome.Applied("", false);
      }
      case 409 -> new WriteOutcome.Unknown(Problem.of(answer).detail());
      case 412 -> new WriteOutcome.Conflict(version(answer).orElse(null));
      default -> throw unexpected(answer);
    };
  }

  /// Whether an answer settles a write of which another attempt may still arrive. Success does, by
  /// the operation's id, and so does a version that has passed; that a key is absent, or exists,
  /// may change again before the straggler comes.
  private static boolean isFinal(HttpResponse<?> answer, Condition condition) {
    return switch (answer.statusCode()) {
      case 200, 201, 204 -> true;
      case 412 -> condition instanceof Condition.Version;
      default -> false;
    };
  }

  private HttpResponse<byte[]> read(Function<URI, HttpRequest> request) {
    Attempts attempts = attempt((node, _) -> request.apply(node));
    if (attempts.answer == null) {
      throw new StoreUnavailableException(attempts.lastReason);
    }
    return attempts.answer;
  }

  /// Makes the request of one attempt; the first has number 1.
  private interface Asking {
    HttpRequest request(URI node, int number);
  }

  /// What came of asking one node after another.
  private static final class Attempts {
    @Nullable HttpResponse<byte[]> answer;
    boolean maybeApplied;
    String lastReason = "no node of the store could be reached in time";
  }

  /// One node's answer, or why there is none.
  private record Reply(
      int node, @Nullable HttpResponse<byte[]> response, @Nullable Throwable why) {}

  private Attempts attempt(Asking asking) {
    Attempts attempts = new Attempts();
    LinkedBlockingQueue<Reply> replies = new LinkedBlockingQueue<>();
    List<URI> nodes = members.addresses(preferred);
    BitSet pending = new BitSet(nodes.size());
    int next = 0;
    int asked = 0;
    int askedInRounds = 0;
    long now = System.nanoTime();
    long deadline = now + patience.toNanos();
    long askAt = now;
    while (now - deadline < 0) {
      boolean everyNodeBusy = pending.cardinality() == nodes.size();
      if (!everyNodeBusy && now - askAt >= 0) {
        if (pending.isEmpty() && askedInRounds >= nodes.size()) {
          nodes = members.addresses(preferred); // All refused; perhaps others were found meanwhile.
          next = 0;
          askedInRounds = 0;
        }
        while (pending.get(next)) {
          next = (next + 1) % nodes.size();
        }
        pending.set(next);
        asked++;
        askedInRounds++;
        HttpRequest request = asking.request(nodes.get(next), asked);
        send(request, next, Duration.ofNanos(deadline - now), replies);
        next = (next + 1) % nodes.size();
        askAt = now + HEDGE_AFTER.toNanos();
        everyNodeBusy = pending.cardinality() == nodes.size();
      }
      Reply reply;
      try {
        long until = everyNodeBusy ? deadline : Math.min(deadline, askAt);
        reply = replies.poll(until - now, TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        attempts.lastReason = "interrupted while waiting for the store";
        break;
      }
      now = System.nanoTime();
      if (reply == null) {
        search.trouble();
        continue;
      }
      pending.clear(reply.node);
      if (settles(reply, attempts)) {
        preferred = nodes.get(reply.node);
        attempts.answer = reply.response;
        attempts.maybeApplied |= !pending.isEmpty();
        return attempts;
      }
      search.trouble();
      askAt = askedInRounds % nodes.size() == 0 ? now + BETWEEN_ROUNDS.toNanos() : now;
    }
    attempts.maybeApplied |= !pending.isEmpty();
    return attempts;
  }

  /// Whether a reply ends the call; if not, what it says is kept for the final outcome.
  private static boolean settles(Reply reply, Attempts attempts) {
    if (reply.response == null) {
      Throwable why = reply.why instanceof CompletionException e ? e.getCause() : reply.why;
      attempts.maybeApplied |= !(why instanceof ConnectException);
      return false;
    }
    if (reply.response.statusCode() < 500) {
      return true;
    }
    Problem problem = Problem.of(reply.response);
    attempts.maybeApplied |= !problem.notApplied();
    attempts.lastReason = problem.detail();
    return false;
  }

  private void send(
      HttpRequest request, int node, Duration timeout, LinkedBlockingQueue<Reply> replies) {
    HttpRequest bounded = HttpRequest.newBuilder(request, (_, _) -> true).timeout(timeout).build();
    try {
      var _ =
          http.sendAsync(bounded, BodyHandlers.ofByteArray())
              .whenComplete((response, why) -> replies.add(new Reply(node, response, why)));
    } catch (RuntimeException e) {
      replies.add(new Reply(node, null, e));
    }
  }

  private HttpRequest.Builder request(URI node, String pathAndQuery) {
    return HttpRequest.newBuilder(URI.create(node + pathAndQuery))
        .header("Authorization", authorization);
  }

  private static String path(String key) {
    Limits.requireKey(key);
    return "/v1/kv/" + encode(key).replace("%2F", "/");
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  static Optional<String> version(HttpResponse<?> response) {
    return response
        .headers()
        .firstValue("ETag")
        .filter(tag -> tag.length() >= 2 && tag.startsWith("\"") && tag.endsWith("\""))
        .map(tag -> tag.substring(1, tag.length() - 1));
  }

  private static String requireVersion(HttpResponse<byte[]> response) {
    return version(response)
        .orElseThrow(() -> new IllegalStateException("a node of the store answered without ETag"));
  }

  private static Page page(byte[] body) {
    try {
      JsonNode root = JSON.readTree(body);
      List<Entry> entries = new ArrayList<>();
      for (JsonNode row : root.path("entries")) {
        byte[] value =
            row.hasNonNull("value_base64")
                ? Base64.getDecoder().decode(row.get("value_base64").textValue())
                : row.path("value").asText().getBytes(StandardCharsets.UTF_8);
        entries.add(new Entry(row.path("key").asText(), row.path("version").asText(), value));
      }
      return new Page(entries, root.hasNonNull("next") ? root.get("next").textValue() : null);
    } catch (IOException e) {
      throw new IllegalStateException("a node of the store sent a listing that is not JSON", e);
    }
  }

  /// A 404 that does not say so in the store's own words comes from something else, which listens
  /// where a node should, and says nothing about the key.
  private static void requireNoSuchKey(HttpResponse<byte[]> response) {
    if (!Problem.of(response).type().endsWith("/not-found")) {
      throw unexpected(response);
    }
  }

  private static IllegalStateException unexpected(HttpResponse<byte[]> response) {
    return new IllegalStateException(
        "the store answered " + response.statusCode() + ": " + Problem.of(response).detail());
  }

  /// The part of a problem document that decides what became of a request.
  private record Problem(String type, String detail) {

    static Problem of(HttpResponse<byte[]> response) {
      try {
        JsonNode body = JSON.readTree(response.body());
        return new Problem(
            body.path("type").asText(""),
            body.path("detail").asText("status " + response.statusCode()));
      } catch (IOException e) {
        return new Problem("", "status " + response.statusCode());
      }
    }

    boolean notApplied() {
      return type.endsWith("/not-applied") || type.endsWith("/no-room");
    }
  }
}
