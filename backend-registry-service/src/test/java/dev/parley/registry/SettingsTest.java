package dev.parley.registry;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.runtime.configuration.ConfigurationException;
import io.quarkus.runtime.configuration.DurationConverter;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {

  private static final String TOKEN = "0123456789abcdef";

  private static Settings settings(Map<String, String> values) {
    Map<String, String> all = new HashMap<>(Map.of("parley.service-token", TOKEN));
    all.putAll(values);
    return Settings.of(
        new SmallRyeConfigBuilder()
            .withMapping(RegistryConfig.class)
            .withConverter(Duration.class, 200, new DurationConverter())
            .withDefaultValues(all)
            .build()
            .getConfigMapping(RegistryConfig.class));
  }

  @Test
  void theDefaultsAreSound() {
    Settings settings = settings(Map.of());
    assertEquals(3, settings.kvNodes().size());
    assertTrue(settings.demoBackends().isEmpty());
    assertFalse(settings.toString().contains(TOKEN));
  }

  @Test
  void theDemosBackendsAreRead() {
    Settings settings =
        settings(
            Map.of(
                "parley.demo-backends",
                "demo-1=http://127.0.0.1:8091/v1, demo-2=http://127.0.0.1:8092/v1,"));
    assertEquals("demo-2", settings.demoBackends().get(1).name());
  }

  @ParameterizedTest
  @CsvSource({
    "parley.service-token, short",
    "parley.kv-nodes, not a url",
    "parley.kv-nodes, ftp://127.0.0.1:1",
    "parley.demo-backends, nameless",
    "parley.demo-backends, x=ftp://127.0.0.1/v1",
    "parley.demo-backends, 'x=http://a/v1,x=http://b/v1'",
    "parley.probe.interval, 0s",
    "parley.replica-timeout, 2h",
    "parley.slow-start, -1s"
  })
  void aBadValueIsNamedByItsKey(String key, String value) {
    var e = assertThrows(ConfigurationException.class, () -> settings(Map.of(key, value)));
    assertTrue(String.valueOf(e.getMessage()).startsWith(key), e::getMessage);
  }
}
