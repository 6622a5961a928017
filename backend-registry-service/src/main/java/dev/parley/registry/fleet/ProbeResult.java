package dev.parley.registry.fleet;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a backend answered to a [ProbeTask].
public sealed interface ProbeResult {

  /// It answered as it should.
  ///
  /// @param models what it lists, or null if it does not list its models
  record Healthy(long tookMs, @Nullable List<String> models) implements ProbeResult {}

  /// It is well, and asks for less.
  ///
  /// @param retryAfterMs when it wants to be asked again, or 0 if it did not say
  record Limited(long tookMs, long retryAfterMs) implements ProbeResult {}

  /// It refuses, and only its owner can change that.
  record Refused(long tookMs, String detail) implements ProbeResult {}

  /// It did not answer, or not as it should.
  record Failed(long tookMs, String detail) implements ProbeResult {}

  /// It does or does not continue a begun answer; null if that could not be found out.
  record Continuation(@Nullable Boolean continues) implements ProbeResult {}
}
