package dev.parley.chat.balance;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// The registry's answer to "who could serve this model?".
///
/// @param replicas how many chat replicas are active, and so share what we cannot see
/// @param unavailable why there is no candidate; null if there are some
public record Selection(
    long version,
    long ttlMs,
    @Nullable String policy,
    int replicas,
    double meanPromptTokens,
    double meanOutputTokens,
    @Nullable List<Candidate> candidates,
    @Nullable Unavailable unavailable) {

  public Selection {
    candidates = candidates == null ? List.of() : List.copyOf(candidates);
  }

  @Override
  public List<Candidate> candidates() {
    return candidates == null ? List.of() : candidates;
  }

  /// @param type `no-backends`, `unknown-model` or `all-down`
  public record Unavailable(String type, @Nullable String detail, @Nullable Long retryAfterMs) {}
}
