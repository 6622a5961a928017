package dev.parley.system;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// A whole Parley of real processes, started by the same front door that a user has, with its own
/// data and on its own ports. The vocabulary of disasters: [#kill], [#restart], [#down], [#up].
final class Cluster implements AutoCloseable {

  /// Far from the defaults and from the ephemeral range, so that a developer's own cluster and the
  /// tests' can run side by side.
  private static final int PORT_OFFSET = 20_000;

  private static final Map<String, Integer> PORTS =
      Map.of(
          "frontend", 8080,
          "chat-1", 8081,
          "registry", 8082,
          "chat-2", 8083,
          "demo-backend-1", 8091,
          "demo-backend-2", 8092,
          "demo-backend-3", 8093,
          "kv-1", 9527,
          "kv-2", 9528,
          "kv-3", 9529);

  private final Path root;
  private final Path state;

  private Cluster(Path root, Path state) {
    this.root = root;
    this.state = state;
  }

  /// Starts a fresh cluster and waits until every service is ready.
  static Cluster start() {
    Path root = Path.of("").toAbsolutePath().getParent();
    Path state = root.resolve("system-tests/target/cluster");
    Cluster cluster = new Cluster(root, state);
    cluster.parley("down");
    delete(state);
    cluster.up();
    return cluster;
  }

  /// Starts what does not run, and waits for all.
  void up() {
    parley("up");
  }

  /// Stops every service in good order; data stays.
  void down() {
    parley("down");
  }

  /// `kill -9`.
  void kill(String service) {
    parley("kill", service);
  }

  /// Stops a service if it runs, starts it, and waits until it is ready.
  void restart(String service) {
    parley("restart", service);
  }

  URI url(String service) {
    return URI.create("http://127.0.0.1:" + (PORTS.get(service) + PORT_OFFSET));
  }

  Http http(String service) {
    return new Http(url(service));
  }

  @Override
  public void close() {
    down();
  }

  private void parley(String... command) {
    List<String> words = new ArrayList<>(List.of(root.resolve("parley").toString()));
    words.addAll(Arrays.asList(command));
    ProcessBuilder builder = new ProcessBuilder(words).redirectErrorStream(true);
    builder.environment().put("PARLEY_STATE", state.toString());
    builder.environment().put("PARLEY_PORT_OFFSET", Integer.toString(PORT_OFFSET));
    builder.environment().put("PARLEY_SKIP_BUILD", "1");
    try {
      Path output = Files.createTempFile("parley-", ".out");
      try {
        Process process = builder.redirectOutput(output.toFile()).start();
        if (!process.waitFor(5, TimeUnit.MINUTES)) {
          process.destroyForcibly();
          throw new AssertionError("timed out: " + words + "\n" + Files.readString(output));
        }
        if (process.exitValue() != 0) {
          throw new AssertionError("failed: " + words + "\n" + Files.readString(output));
        }
      } finally {
        Files.delete(output);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted: " + words, e);
    }
  }

  private static void delete(Path folder) {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
