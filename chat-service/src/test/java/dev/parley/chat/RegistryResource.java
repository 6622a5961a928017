package dev.parley.chat;

import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Starts the registry before the service, and gives it to the tests.
public class RegistryResource implements QuarkusTestResourceLifecycleManager {

  private @Nullable FakeRegistry registry;

  @Override
  public Map<String, String> start() {
    try {
      FakeRegistry started = new FakeRegistry();
      registry = started;
      return Map.ofEntries(
          Map.entry("parley.registry-url", started.url()),
          Map.entry("parley.chat.connect-timeout", "500ms"),
          Map.entry("parley.chat.first-token-timeout", "2500ms"),
          Map.entry("parley.chat.stall-timeout", "2500ms"),
          Map.entry("parley.chat.recovery-patience", "1500ms"),
          Map.entry("parley.chat.selection-refresh", "200ms"),
          Map.entry("parley.chat.adopt-after", "900ms"),
          Map.entry("parley.chat.beat-interval", "300ms"),
          Map.entry("parley.chat.adoption-scan", "300ms"),
          Map.entry("parley.chat.shutdown-grace", "200ms"));
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  @Override
  public void inject(TestInjector injector) {
    injector.injectIntoFields(registry, new TestInjector.MatchesType(FakeRegistry.class));
  }

  @Override
  public void stop() {
    if (registry != null) {
      registry.close();
    }
  }
}
