package dev.parley.registry.backend;

import java.util.List;

/// What reading a request gave: its meaning, or everything that is wrong with it.
public sealed interface Checked<T> {

  record Valid<T>(T value) implements Checked<T> {}

  /// @param violations at least one
  record Invalid<T>(List<Violation> violations) implements Checked<T> {
    public Invalid {
      violations = List.copyOf(violations);
    }
  }
}
