package dev.parley.registry.store;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which versions a caller accepts, as its `If-Match` header says.
public sealed interface VersionMatch {

  record Any() implements VersionMatch {}

  record OneOf(List<String> versions) implements VersionMatch {
    public OneOf {
      versions = List.copyOf(versions);
    }
  }

  /// Reads the header. A weak or malformed tag matches nothing, which is what it should do.
  static VersionMatch of(@Nullable String ifMatch) {
    if (ifMatch == null || ifMatch.strip().equals("*")) {
      return new Any();
    }
    List<String> versions = new ArrayList<>();
    for (String part : ifMatch.split(",", -1)) {
      String tag = part.strip();
      if (tag.length() >= 2 && tag.startsWith("\"") && tag.endsWith("\"")) {
        versions.add(tag.substring(1, tag.length() - 1));
      }
    }
    return new OneOf(versions);
  }

  default boolean accepts(String version) {
    return switch (this) {
      case Any() -> true;
      case OneOf(var versions) -> versions.contains(version);
    };
  }
}
