package dev.parley.kv.node.resp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.parley.kv.node.FreshDataDirectory;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Redis's own command line client, where it is installed (Debian: redis-tools).
@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class RedisCliTest {

  @ConfigProperty(name = "parley.resp.port")
  int port;

  @BeforeEach
  void installed() {
    boolean found =
        Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":"))
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, "redis-cli")));
    assumeTrue(found, "redis-cli is not installed: its test is skipped");
  }

  private String cli(String input, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("redis-cli", "-p", Integer.toString(port)));
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try (OutputStream out = process.getOutputStream()) {
      out.write(input.getBytes(StandardCharsets.UTF_8));
    }
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(20, TimeUnit.SECONDS));
    return said.strip();
  }

  @Test
  void commandsGivenAsArguments() throws Exception {
    assertEquals("PONG", cli("", "PING"));
    assertEquals("OK", cli("", "SET", "cli/a", "one"));
    assertEquals("one", cli("", "GET", "cli/a"));
    assertEquals("two", cli("", "SET", "cli/b", "two").equals("OK") ? cli("", "GET", "cli/b") : "");
    assertEquals("one\ntwo", cli("", "MGET", "cli/a", "cli/b"));
    assertEquals("cli/a\ncli/b", cli("", "--scan", "--pattern", "cli/[ab]"));
    assertEquals("2", cli("", "DEL", "cli/a", "cli/b"));
    assertTrue(cli("", "INFO").contains("cluster_id:parley"));
    assertTrue(cli("", "GET", "backends/x").startsWith("NOPERM"));
    assertEquals(
        "", cli("", "-a", "test-service-token-0123", "--no-auth-warning", "GET", "backends/none"));
    assertTrue(cli("", "-3", "PING").contains("NOPROTO"));
  }

  @Test
  void commandsPipedIn() throws Exception {
    StringBuilder script = new StringBuilder();
    for (int i = 0; i < 500; i++) {
      script.append("SET cli/p ").append(i).append("\nGET cli/p\n");
    }
    List<String> lines = cli(script.toString()).lines().toList();
    assertEquals(1000, lines.size());
    assertEquals("499", lines.getLast());
  }

  @Test
  void massInsertion() throws Exception {
    StringBuilder protocol = new StringBuilder();
    for (int i = 0; i < 2000; i++) {
      String key = "cli/m" + i;
      protocol.append("*3\r\n$3\r\nSET\r\n$").append(key.length()).append("\r\n").append(key);
      protocol.append("\r\n$1\r\nx\r\n");
    }
    String said = cli(protocol.toString(), "--pipe");
    assertTrue(said.contains("errors: 0, replies: 2000"), said);
  }
}
