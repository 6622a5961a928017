package dev.parley.registry.fleet;

import dev.parley.registry.backend.Backend;
import dev.parley.registry.health.State;
import dev.parley.registry.policy.Candidate;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Who may serve a request, in the order in which to try them.
///
/// @param version rises whenever the fleet changes
/// @param unavailable why there is nobody; set if and only if there are no candidates
public record Selection(
    long version,
    long ttlMs,
    String policy,
    int replicas,
    double meanPromptTokens,
    double meanOutputTokens,
    List<Place> places,
    @Nullable Unavailable unavailable) {

  public Selection {
    places = List.copyOf(places);
  }

  /// One backend in its place.
  ///
  /// @param model what to ask it for
  public record Place(
      Backend backend,
      String model,
      State state,
      Candidate candidate,
      double scoreMs,
      String reason,
      @Nullable Boolean continues) {}

  /// Why nobody can serve the request.
  public record Unavailable(Kind kind, String detail, long retryAfterMs) {

    public enum Kind {
      NO_BACKENDS("no-backends"),
      UNKNOWN_MODEL("unknown-model"),
      ALL_DOWN("all-down");

      private final String word;

      Kind(String word) {
        this.word = word;
      }

      public String word() {
        return word;
      }
    }
  }
}
