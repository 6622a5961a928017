package dev.parley.kv.node;

import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.HashMap;
import java.util.Map;

/// Settings without a running application.
public final class TestSettings {

  public static final String TOKEN = "0123456789abcdef";

  private TestSettings() {}

  /// The defaults, with what a node must be told and these properties.
  public static Settings of(Map<String, String> properties) {
    Map<String, String> values =
        new HashMap<>(Map.of("parley.service-token", TOKEN, "parley.data-dir", "target/nowhere"));
    values.putAll(properties);
    return Settings.of(
        new SmallRyeConfigBuilder()
            .addDefaultInterceptors()
            .withMapping(KvConfig.class)
            .withSources(new PropertiesConfigSource(values, "test", 100))
            .build()
            .getConfigMapping(KvConfig.class));
  }
}
