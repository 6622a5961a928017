package dev.parley.system.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicBoolean;
import okhttp3.Call;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// What clients can ask besides single keys, at three real nodes one of which dies meanwhile. That
/// the histories of single keys are linearizable is the part of [KvFaultsTest].
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KvApiFaultsTest {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final MediaType AS_JSON = MediaType.get("application/json");
  private static final MediaType AS_LINES = MediaType.get("application/x-ndjson");

  /// Operations in one batch.
  private static final int BATCH = 200;

  private @Nullable KvCluster shared;

  @BeforeAll
  void start() {
    shared = KvCluster.start(3);
  }

  @AfterAll
  void stop() {
    cluster().close();
  }

  @AfterEach
  void recover() {
    assertTrue(cluster().recover());
  }

  private KvCluster cluster() {
    KvCluster running = shared;
    if (running == null) {
      throw new IllegalStateException("no cluster");
    }
    return running;
  }

  /// A client that waits for long answers.
  private static OkHttpClient patient(KvCluster cluster) {
    return cluster
        .http()
        .newBuilder()
        .readTimeout(Duration.ofSeconds(30))
        .callTimeout(Duration.ofMinutes(2))
        .build();
  }

  private static Request.Builder request(KvCluster cluster, int node, String path) {
    return new Request.Builder()
        .url(cluster.url(node).resolve(path).toString())
        .header("Authorization", cluster.bearer());
  }

  private static Map<String, String> values(String prefix, int count) {
    Map<String, String> values = new TreeMap<>();
    for (int i = 0; i < count; i++) {
      values.put("%s/%05d".formatted(prefix, i), "value %d of %s".formatted(i, prefix));
    }
    return values;
  }

  private static RequestBody puts(Map<String, String> values) {
    ObjectNode batch = JSON.createObjectNode();
    ArrayNode operations = batch.putArray("operations");
    values.forEach(
        (key, value) ->
            operations.addObject().put("op", "put").put("key", key).put("value", value));
    return RequestBody.create(batch.toString(), AS_JSON);
  }

  private static RequestBody gets(Collection<String> keys) {
    ObjectNode batch = JSON.createObjectNode();
    ArrayNode operations = batch.putArray("operations");
    keys.forEach(key -> operations.addObject().put("op", "get").put("key", key));
    return RequestBody.create(batch.toString(), AS_JSON);
  }

  /// The outcomes of one batch.
  private static JsonNode batch(KvCluster cluster, int node, RequestBody body) {
    try (Response response =
        patient(cluster)
            .newCall(request(cluster, node, "/v1/batch").post(body).build())
            .execute()) {
      String text = response.body().string();
      assertEquals(200, response.code(), text);
      return JSON.readTree(text).path("results");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Map<String, String>> parts(Map<String, String> values) {
    List<Map<String, String>> parts = new ArrayList<>();
    for (Map.Entry<String, String> each : values.entrySet()) {
      if (parts.isEmpty() || parts.getLast().size() == BATCH) {
        parts.add(new TreeMap<>());
      }
      parts.getLast().put(each.getKey(), each.getValue());
    }
    return parts;
  }

  private static void write(KvCluster cluster, int node, Map<String, String> values) {
    for (Map<String, String> part : parts(values)) {
      for (JsonNode result : batch(cluster, node, puts(part))) {
        int status = result.path("status").asInt();
        assertTrue(status == 201 || status == 200, result::toString);
      }
    }
  }

  private static void assertHolds(KvCluster cluster, int node, Map<String, String> values) {
    for (Map<String, String> part : parts(values)) {
      Map<String, String> found = new TreeMap<>();
      for (JsonNode result : batch(cluster, node, gets(part.keySet()))) {
        found.put(result.path("key").asText(), result.path("value").asText());
      }
      assertEquals(part, found, "at kv-" + node);
    }
  }

  @Test
  void batchesAreCarriedOutWholeAlthoughANodeDies() {
    KvCluster cluster = cluster();
    Map<String, String> values = values("batch", 20 * BATCH);
    CompletableFuture<Void> writing = CompletableFuture.runAsync(() -> write(cluster, 1, values));
    cluster.kill(3);
    writing.join();
    assertHolds(cluster, 2, values);
  }

  @Test
  void whatExpiresIsDeletedAndNothingElseAlthoughANodeDies() {
    KvCluster cluster = cluster();
    for (int i = 0; i < 60; i++) {
      // A third of each is coordinated by each node.
      String ttl = i % 2 == 0 ? "?ttl_seconds=1" : "?ttl_seconds=3600";
      assertEquals(201, put(cluster, 1 + i % 3, "/v1/kv/ttl/" + i + ttl));
    }
    cluster.kill(2);
    for (int node : List.of(1, 3)) {
      for (int i = 0; i < 60; i += 2) {
        String path = "/v1/kv/ttl/" + i;
        KvCluster.await(path + " expires", () -> cluster.status(node, "GET", path) == 404);
      }
      for (int i = 1; i < 60; i += 2) {
        assertEquals(200, cluster.status(node, "GET", "/v1/kv/ttl/" + i));
      }
    }
  }

  private static int put(KvCluster cluster, int node, String path) {
    RequestBody body = RequestBody.create("x", MediaType.get("application/octet-stream"));
    try (Response response =
        cluster.http().newCall(request(cluster, node, path).put(body).build()).execute()) {
      return response.code();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aWatchTellsOfEveryKeyAlthoughTheOtherNodesDieInTurn() {
    KvCluster cluster = cluster();
    Map<String, Long> told = new ConcurrentSkipListMap<>();
    CompletableFuture<Void> ready = new CompletableFuture<>();
    AtomicBoolean rescan = new AtomicBoolean();
    OkHttpClient listener = patient(cluster).newBuilder().callTimeout(Duration.ZERO).build();
    Call watch =
        listener.newCall(request(cluster, 1, "/v1/watch?prefix=watched/&values=false").build());
    CompletableFuture<Void> listening =
        CompletableFuture.runAsync(() -> listen(watch, told, ready, rescan))
            .whenComplete(
                (_, _) -> ready.completeExceptionally(new AssertionError("the watch ended")));
    try {
      ready.join();
      Map<String, Long> written = new TreeMap<>();
      for (int dying : List.of(3, 2)) {
        for (int i = 0; i < 300; i++) {
          if (i == 150) {
            cluster.kill(dying);
          }
          JsonNode result =
              batch(cluster, 1, puts(Map.of("watched/" + i, dying + " " + i))).path(0);
          assertTrue(result.path("status").asInt() < 300, result::toString);
          written.put("watched/" + i, result.path("version").asLong());
        }
        cluster.restart(dying);
      }
      KvCluster.await(
          "every key's last version is told",
          () -> {
            if (rescan.getAndSet(false)) {
              // The watch says that it may have missed something: list, as it asks for.
              batch(cluster, 1, gets(written.keySet()))
                  .forEach(row -> tell(told, row.path("key"), row.path("version")));
            }
            return written.entrySet().stream()
                .allMatch(each -> told.getOrDefault(each.getKey(), 0L) >= each.getValue());
          });
      assertFalse(listening.isDone(), "the watch goes on");
    } finally {
      watch.cancel();
      listening.join();
    }
  }

  private static void tell(Map<String, Long> told, JsonNode key, JsonNode version) {
    told.merge(key.asText(), version.asLong(), Math::max);
  }

  private static void listen(
      Call watch, Map<String, Long> told, CompletableFuture<Void> ready, AtomicBoolean rescan) {
    try (Response response = watch.execute();
        BufferedReader lines = new BufferedReader(response.body().charStream())) {
      assertEquals(200, response.code());
      String event = "";
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("event:")) {
          event = line.substring("event:".length()).strip();
        } else if (line.startsWith("data:") && event.equals("change")) {
          JsonNode change = JSON.readTree(line.substring("data:".length()));
          tell(told, change.path("key"), change.path("version"));
        } else if (line.isEmpty() && event.equals("ready")) {
          ready.complete(null);
        } else if (line.isEmpty() && event.equals("rescan")) {
          rescan.set(true);
        }
      }
    } catch (IOException e) {
      if (!watch.isCanceled()) {
        throw new UncheckedIOException(e);
      }
    }
  }

  @Test
  void aBackupIsCompleteAndRestoredAlthoughANodeDiesDuringEither() throws IOException {
    KvCluster cluster = cluster();
    Map<String, String> values = values("saved", 5000);
    write(cluster, 2, values);
    byte[] backup;
    try (Response response =
        patient(cluster).newCall(request(cluster, 1, "/v1/backup").build()).execute()) {
      assertEquals(200, response.code());
      cluster.kill(2);
      backup = response.body().bytes();
    }
    try (KvCluster fresh = KvCluster.start(3);
        Response response =
            patient(fresh)
                .newCall(
                    request(fresh, 1, "/v1/restore")
                        .post(RequestBody.create(backup, AS_LINES))
                        .build())
                .execute();
        BufferedReader lines = new BufferedReader(response.body().charStream())) {
      assertEquals(200, response.code());
      String last = lines.readLine();
      fresh.kill(3);
      for (String line = last; line != null; line = lines.readLine()) {
        last = line;
      }
      assertEquals("done", JSON.readTree(last).path("event").asText(), last);
      assertHolds(fresh, 2, values);
    }
  }
}
