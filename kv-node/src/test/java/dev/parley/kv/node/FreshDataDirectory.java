package dev.parley.kv.node;

import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/// An empty data directory for every run of the tests.
public final class FreshDataDirectory implements QuarkusTestResourceLifecycleManager {

  @Override
  public Map<String, String> start() {
    try {
      Path target = Files.createDirectories(Path.of("target", "test-data"));
      return Map.of(
          "parley.data-dir",
          Files.createTempDirectory(target, "node-").toAbsolutePath().toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void stop() {}
}
