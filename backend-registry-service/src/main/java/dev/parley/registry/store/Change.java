package dev.parley.registry.store;

import dev.parley.registry.backend.Violation;
import dev.parley.registry.fleet.StoredBackend;
import java.util.List;

/// What became of a wish to change the backends.
public sealed interface Change {

  record Done(StoredBackend stored) implements Change {}

  record Removed() implements Change {}

  record NotFound() implements Change {}

  /// The caller knew another version than the one that stands.
  record Stale(String currentVersion) implements Change {}

  /// Somebody else changed the same backend at the same moment. Only seen inside the store.
  record Overtaken() implements Change {}

  record Invalid(List<Violation> violations) implements Change {
    public Invalid {
      violations = List.copyOf(violations);
    }
  }

  /// There are as many backends as there may be.
  record Full(int limit) implements Change {}

  /// The store does not answer.
  ///
  /// @param unknown whether the change may have taken effect, or may yet
  record Unavailable(String reason, boolean unknown) implements Change {}
}
