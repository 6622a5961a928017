package dev.parley.registry.backend;

import org.jspecify.annotations.Nullable;

/// What a write does to the API key: it is write-only, so a write that says nothing keeps it.
public sealed interface KeyChange {

  /// The key in force after this change, `version` naming it if it is a new one.
  default @Nullable ApiKey over(@Nullable ApiKey current, String version) {
    return switch (this) {
      case Keep() -> current;
      case Remove() -> null;
      case Set set ->
          current != null && current.value().equals(set.value)
              ? current
              : new ApiKey(set.value, version);
    };
  }

  record Keep() implements KeyChange {}

  record Remove() implements KeyChange {}

  record Set(String value) implements KeyChange {
    @Override
    public String toString() {
      return "Set[····]";
    }
  }
}
