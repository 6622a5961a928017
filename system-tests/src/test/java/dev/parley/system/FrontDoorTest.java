package dev.parley.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What `./parley kv` does about answers of the cluster, and about what nobody should type: the
/// script alone, with a JDK whose programs only sleep, and one storage node that says what the test
/// wants.
class FrontDoorTest {

  private static final int KV_1 = 9527;

  @TempDir private Path folder;

  private HttpServer node;
  private int offset;

  /// What the node says to a change, and whether it says it at all.
  private volatile int status = 202;
  private volatile String body = "{\"epoch\":2,\"partitions_moving\":5}";
  private volatile boolean silent;

  private volatile String members = "";
  private volatile int epoch = 1;
  private final List<String> changes = new ArrayList<>();

  private record Result(int status, String output) {}

  @BeforeEach
  void theNodeAndTheScript() throws IOException {
    for (int tries = 0; node == null; tries++) {
      // Below the ephemeral ports, and far from those that clusters have.
      offset = ThreadLocalRandom.current().nextInt(500, 20_000);
      try {
        node =
            HttpServer.create(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), KV_1 + offset), 0);
      } catch (IOException e) {
        if (tries == 50) {
          throw e;
        }
      }
    }
    node.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    node.createContext("/", this::answer);
    node.start();
    Path root = Path.of("").toAbsolutePath().getParent();
    Files.copy(root.resolve("parley"), folder.resolve("parley"));
    write("pom.xml", "<project>\n  <version>1</version>\n</project>\n");
    write("kv-node/target/kv-node-1-runner.jar", "");
    write("jdk/release", "JAVA_VERSION=\"25\"\n");
    for (String program : List.of("java", "javac")) {
      assertTrue(
          write("jdk/bin/" + program, "#!/bin/sh\nexec sleep 300\n").toFile().setExecutable(true));
    }
    write("state/kv-nodes", "kv-1\n");
  }

  @AfterEach
  void stopEverything() throws IOException {
    node.stop(0);
    Path pid = folder.resolve("state/run/kv-4.pid");
    if (Files.exists(pid)) {
      ProcessHandle.of(Long.parseLong(Files.readString(pid).split("\\|")[0]))
          .ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private Path write(String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, text);
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String path = exchange.getRequestURI().toString();
      if (path.equals("/q/health/ready")) {
        say(exchange, 200, "{}");
      } else if (exchange.getRequestMethod().equals("GET")) {
        say(
            exchange,
            200,
            "{\"members\":[{\"id\":\"kv-1\",\"url\":\"u\"}%s],\"epoch\":%d,\"change\":null,\"candidates\":[\"kv-4\"],\"removed\":false}"
                .formatted(members, epoch));
      } else {
        synchronized (changes) {
          changes.add(exchange.getRequestMethod() + " " + path);
        }
        exchange.getRequestBody().readAllBytes();
        if (status == 202) {
          member();
        }
        if (!silent) {
          say(exchange, status, body);
        }
      }
    }
  }

  /// The change was decided, and is done.
  private void member() {
    members = ",{\"id\":\"kv-4\",\"url\":\"u\"}";
    epoch = 3;
  }

  private static void say(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  private static String problem(String type, String detail) {
    return "{\"type\":\"/problems/kv/%s\",\"title\":\"t\",\"status\":1,\"detail\":\"%s\"}"
        .formatted(type, detail);
  }

  private Result kv(String... words) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(folder.resolve("parley").toString(), "kv"));
    command.addAll(Arrays.asList(words));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("PARLEY_STATE", folder.resolve("state").toString());
    builder.environment().put("PARLEY_PORT_OFFSET", Integer.toString(offset));
    builder.environment().put("JAVA_HOME", folder.resolve("jdk").toString());
    Path output = folder.resolve("output");
    Process process = builder.redirectOutput(output.toFile()).start();
    if (!process.waitFor(1, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError("timed out: " + command + "\n" + Files.readString(output));
    }
    return new Result(process.exitValue(), Files.readString(output));
  }

  private void assertKept(Result result) throws IOException {
    assertTrue(Files.isDirectory(folder.resolve("state/data/kv-4")), result.output());
    assertEquals("kv-1\nkv-4\n", Files.readString(folder.resolve("state/kv-nodes")));
    String pid = Files.readString(folder.resolve("state/run/kv-4.pid")).split("\\|")[0];
    assertTrue(ProcessHandle.of(Long.parseLong(pid)).orElseThrow().isAlive(), result.output());
  }

  private void assertNothingDone(Result result) throws IOException {
    assertFalse(Files.exists(folder.resolve("state/data/kv-4")), result.output());
    assertEquals("kv-1\n", Files.readString(folder.resolve("state/kv-nodes")));
  }

  @Test
  void aNodeThatIsTakenStays() throws Exception {
    Result result = kv("add", "kv-4", "--weight", "50", "--group", "default");
    assertEquals(0, result.status(), result.output());
    assertTrue(result.output().contains("kv-4 has its share of the data."), result.output());
    assertKept(result);
  }

  @Test
  void aNodeThatIsCertainlyRefusedIsStoppedAndItsDiskErased() throws Exception {
    status = 409;
    body = problem("change-under-way", "another change is under way");
    Result result = kv("add", "kv-4");
    assertEquals(1, result.status(), result.output());
    assertTrue(result.output().contains("another change is under way"), result.output());
    assertNothingDone(result);

    status = 503;
    body = problem("members-unchanged", "no majority answers");
    result = kv("add", "kv-4");
    assertEquals(1, result.status(), result.output());
    assertTrue(result.output().contains("no majority answers"), result.output());
    assertNothingDone(result);
  }

  @Test
  void aNodeThatMayHaveBecomeAMemberKeepsItsDisk() throws Exception {
    status = 503;
    body = problem("change-undecided", "no answer in time");
    Result result = kv("add", "kv-4");
    assertEquals(1, result.status(), result.output());
    assertTrue(result.output().contains("no answer in time"), result.output());
    assertTrue(result.output().contains("not known, so it goes on running"), result.output());
    assertKept(result);

    // Asked again, even a certain refusal says nothing of the first request.
    status = 409;
    body = problem("change-under-way", "another change is under way");
    result = kv("add", "kv-4");
    assertEquals(1, result.status(), result.output());
    assertTrue(result.output().contains("not known, so it goes on running"), result.output());
    assertKept(result);

    status = 202;
    body = "{\"epoch\":2,\"partitions_moving\":5}";
    result = kv("add", "kv-4");
    assertEquals(0, result.status(), result.output());
    assertTrue(result.output().contains("kv-4 has its share of the data."), result.output());
    assertKept(result);

    result = kv("add", "kv-4");
    assertEquals(1, result.status(), result.output());
    assertTrue(result.output().contains("kv-4 is there already"), result.output());
    assertKept(result);
  }

  @Test
  void aChangeWhoseAnswerIsLostIsSeenInTheListOfMembers() throws Exception {
    silent = true;
    Result result = kv("add", "kv-4");
    assertEquals(0, result.status(), result.output());
    assertTrue(result.output().contains("kv-4 has its share of the data."), result.output());
    assertKept(result);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "add kv-4 --weight",
        "add kv-4 --group",
        "add kv-4 --group --weight 5",
        "add kv-4 --weight x",
        "add kv-4 --force",
        "add",
        "status --force",
        "status kv-1",
        "remove kv-1 --group nosuch --weight 5",
        "replace kv-1 kv-4 --force",
        "replace kv-1",
        "backup",
        "backup --force",
        "restore a b",
        "nosuch",
      })
  void whatDoesNotApplyIsRefusedAndNothingDone(String words) throws Exception {
    Result result = kv(words.split(" "));
    assertEquals(2, result.status(), result.output());
    assertTrue(result.output().contains("usage: ./parley kv "), result.output());
    assertNothingDone(result);
    assertEquals(List.of(), changes);
  }
}
