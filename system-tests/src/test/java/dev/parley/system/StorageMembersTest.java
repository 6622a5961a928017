package dev.parley.system;

import static dev.parley.system.Eventually.eventually;
import static dev.parley.system.Http.map;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Storage nodes come, go and are replaced as real processes, while clients write.
class StorageMembersTest {

  private static final String TOKEN = "storage-members-test-token";
  private static final int KEYS = 300;

  private final TreeMap<String, Process> processes = new TreeMap<>();
  private final TreeMap<String, Integer> ports = new TreeMap<>();
  private final Map<String, String> acknowledged = new ConcurrentHashMap<>();
  private final AtomicBoolean writing = new AtomicBoolean(true);

  @AfterEach
  void stopEverything() throws InterruptedException {
    writing.set(false);
    for (Process process : processes.values()) {
      process.destroyForcibly().waitFor();
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private void start(Path directory, String id, boolean join, List<String> peers) {
    launch(
        directory,
        "kv-node",
        id,
        Map.of(
            "PARLEY_NODE_ID", id,
            "PARLEY_CLUSTER_ID", "members-test",
            "PARLEY_DATA_DIR", directory.resolve(id).toString(),
            "PARLEY_SEGMENT_BYTES", Integer.toString(4 << 20),
            "PARLEY_JOIN", Boolean.toString(join),
            "PARLEY_PEERS",
                peers.stream()
                    .map(peer -> peer + "=" + url(peer))
                    .collect(Collectors.joining(","))));
  }

  private void launch(Path directory, String module, String name, Map<String, String> settings) {
    try (Stream<Path> files = Files.list(Path.of("..", module, "target"))) {
      Path jar =
          files.filter(file -> file.toString().endsWith("-runner.jar")).findFirst().orElseThrow();
      ProcessBuilder builder =
          new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-Xmx128m",
              "-XX:+UseSerialGC",
              "-XX:TieredStopAtLevel=1",
              "-jar",
              jar.toString());
      Map<String, String> environment = builder.environment();
      environment.put("PARLEY_NAME", name);
      environment.put("PARLEY_PORT", Integer.toString(port(name)));
      environment.put("PARLEY_SERVICE_TOKEN", TOKEN);
      environment.putAll(settings);
      builder.redirectErrorStream(true);
      builder.redirectOutput(
          ProcessBuilder.Redirect.appendTo(directory.resolve(name + ".log").toFile()));
      processes.put(name, builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private int port(String id) {
    return ports.computeIfAbsent(
        id,
        _ -> {
          try {
            return freePort();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  private String url(String id) {
    return "http://127.0.0.1:" + port(id);
  }

  private Http node(String id) {
    return new Http(URI.create(url(id)));
  }

  private JsonNode cluster(String id) {
    return node(id).get("/v1/cluster").json(200);
  }

  private boolean answers(String id) {
    try {
      return node(id).get("/q/health/ready").status() == 200;
    } catch (UncheckedIOException e) {
      return false;
    }
  }

  private Http.Answer ask(String id, String method, String path, Object body) {
    try {
      return node(id)
          .send(
              node(id)
                  .request(path)
                  .header("Authorization", "Bearer " + TOKEN)
                  .header("Content-Type", "application/json")
                  .method(method, BodyPublishers.ofString(Http.JSON.writeValueAsString(body))));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void add(String at, String id, String query) {
    eventually(
        at + " hears of " + id,
        () -> cluster(at).path("candidates").toString().contains("\"" + id + "\""));
    ask(at, "POST", "/v1/cluster/members" + query, map("id", id, "url", url(id))).json(202);
  }

  private void settled(int epoch, List<String> members) {
    for (String id : members) {
      eventually(
          id + " goes on in epoch " + epoch,
          () -> {
            JsonNode seen = cluster(id);
            return seen.path("epoch").asInt() == epoch && seen.path("change").isNull();
          });
      List<String> ids = cluster(id).path("members").findValuesAsText("id");
      assertEquals(members, ids);
    }
  }

  /// Each writer has keys of its own, and writes rising numbers to them until one is acknowledged.
  private Thread writer(int number, List<String> nodes) {
    return Thread.ofVirtual()
        .start(
            () -> {
              for (int i = 0; writing.get(); i++) {
                String key = "demo/" + number + "-" + i % KEYS;
                String value = Integer.toString(i);
                for (int attempt = 0; writing.get(); attempt++) {
                  Http http = node(nodes.get((number + attempt) % nodes.size()));
                  try {
                    int status =
                        http.send(http.request("/v1/kv/" + key).PUT(BodyPublishers.ofString(value)))
                            .status();
                    if (status == 200 || status == 201) {
                      acknowledged.put(key, value);
                      break;
                    }
                  } catch (UncheckedIOException e) {
                    // That node is gone, or not there yet: the next one.
                  }
                  Eventually.pause();
                }
              }
            });
  }

  @Test
  void nodesComeAndGoUnderWritesAndNothingAcknowledgedIsLost(@TempDir Path directory)
      throws InterruptedException {
    List<String> first = List.of("kv-1", "kv-2", "kv-3");
    for (String id : first) {
      start(directory, id, false, first);
    }
    first.forEach(id -> eventually(id + " is ready", () -> answers(id)));
    List<String> all = List.of("kv-1", "kv-2", "kv-3", "kv-4", "kv-5");
    all.forEach(this::port);
    List<Thread> writers = List.of(writer(0, all), writer(1, all), writer(2, all));
    eventually("some writes", () -> acknowledged.size() > 200);

    start(directory, "kv-4", true, List.of("kv-1", "kv-2", "kv-3", "kv-4"));
    add("kv-1", "kv-4", "");
    settled(3, List.of("kv-1", "kv-2", "kv-3", "kv-4"));
    assertTrue(cluster("kv-4").path("keys").asInt() > 0, "the new node holds a share");

    ask("kv-3", "DELETE", "/v1/cluster/members/kv-2", "").json(202);
    settled(5, List.of("kv-1", "kv-3", "kv-4"));
    eventually("kv-2 knows", () -> cluster("kv-2").path("removed").asBoolean());
    assertEquals(0, cluster("kv-2").path("keys").asInt());
    assertEquals(503, node("kv-2").get("/v1/kv/demo/0-0").status());

    // A node that is dead for good is replaced without being asked.
    processes.get("kv-1").destroyForcibly().waitFor(10, TimeUnit.SECONDS);
    start(directory, "kv-5", true, List.of("kv-3", "kv-4", "kv-5"));
    add("kv-4", "kv-5", "?replacing=kv-1");
    settled(7, List.of("kv-3", "kv-4", "kv-5"));

    writing.set(false);
    for (Thread writer : writers) {
      writer.join();
    }
    assertTrue(acknowledged.size() > 300, "too few writes: " + acknowledged.size());
    for (String id : List.of("kv-3", "kv-4", "kv-5")) {
      acknowledged.forEach(
          (key, value) -> {
            Http.Answer answer = node(id).get("/v1/kv/" + key);
            assertEquals(200, answer.status(), key + " at " + id);
            // A later write of the same key may have been given up on when the writing ended.
            assertTrue(
                Integer.parseInt(answer.body()) >= Integer.parseInt(value),
                key + " at " + id + ": " + answer.body() + " is older than " + value);
          });
    }
    assertEquals(
        409,
        ask("kv-3", "POST", "/v1/cluster/members", map("id", "kv-1", "url", url("kv-1"))).status());
  }

  /// A backend, the registry, a chat replica and the frontend, which know these storage nodes.
  private List<String> startServices(Path directory, List<String> nodes) {
    String urls = nodes.stream().map(this::url).collect(Collectors.joining(","));
    launch(directory, "demo-backend", "demo-backend-1", Map.of());
    launch(
        directory,
        "backend-registry-service",
        "registry",
        Map.of(
            "PARLEY_KV_NODES",
            urls,
            "PARLEY_DEMO_BACKENDS",
            "demo-backend-1=" + url("demo-backend-1") + "/v1"));
    launch(
        directory,
        "chat-service",
        "chat-1",
        Map.of("PARLEY_KV_NODES", urls, "PARLEY_REGISTRY_URL", url("registry")));
    launch(
        directory,
        "frontend",
        "frontend",
        Map.of(
            "PARLEY_KV_NODES", urls,
            "PARLEY_REGISTRY_URL", url("registry"),
            "PARLEY_CHAT_URLS", url("chat-1")));
    return List.of("demo-backend-1", "registry", "chat-1", "frontend");
  }

  @Test
  void theChatGoesOnWithoutARestartWhileEveryNodeItBeganWithIsReplaced(@TempDir Path directory)
      throws InterruptedException {
    List<String> founders = List.of("kv-1", "kv-2", "kv-3");
    for (String id : founders) {
      start(directory, id, false, founders);
    }
    founders.forEach(id -> eventually(id + " is ready", () -> answers(id)));
    List<String> services = startServices(directory, founders);
    services.forEach(name -> eventually(name + " is ready", () -> answers(name)));
    Chat chat = Chat.create(node("frontend"));
    assertEquals("done", chat.ask("my name is Ada").path("state").asText());

    List<String> members = founders;
    for (int i = 1; i <= 3; i++) {
      String old = "kv-" + i;
      String fresh = "kv-" + (i + 3);
      List<String> next =
          Stream.concat(members.stream(), Stream.of(fresh)).filter(id -> !id.equals(old)).toList();
      start(directory, fresh, true, Stream.concat(members.stream(), Stream.of(fresh)).toList());
      String answer = chat.send("count to 60");
      add(next.getFirst(), fresh, "?replacing=" + old);
      settled(1 + 2 * i, next);
      processes.get(old).destroy();
      assertTrue(processes.get(old).waitFor(30, TimeUnit.SECONDS), old + " ends when asked to");
      assertEquals("done", chat.await(answer).path("state").asText());
      awaitPage(next);
      members = next;
    }

    String answer = chat.ask("what is my name?").path("content").asText();
    assertTrue(answer.contains("Ada"), answer);
    node("registry").get("/api/backends").json(200);
    services.forEach(name -> assertTrue(processes.get(name).isAlive(), name));
  }

  private void awaitPage(List<String> members) {
    eventually(
        "the cluster page shows " + members + ", and all is well",
        () -> {
          JsonNode page = node("frontend").get("/api/cluster").json(200);
          return page.path("kv").findValuesAsText("node_id").equals(members)
              && page.path("answer").path("level").asText().equals("ok");
        });
  }
}
