package dev.parley.kv.node;

import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/// An empty data directory, and a free port for Redis clients, for every run of the tests.
public final class FreshDataDirectory implements QuarkusTestResourceLifecycleManager {

  @Override
  public Map<String, String> start() {
    try (ServerSocket free = new ServerSocket(0)) {
      Path target = Files.createDirectories(Path.of("target", "test-data"));
      return Map.of(
          "parley.data-dir",
          Files.createTempDirectory(target, "node-").toAbsolutePath().toString(),
          "parley.resp.port",
          Integer.toString(free.getLocalPort()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void stop() {}
}
