package dev.parley.registry.probe;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a test of a backend found. `null` stands for what could not be found out.
///
/// @param reachable whether it answered at all
/// @param latencyMs how long its list of models took
/// @param streaming whether it sends an answer piece by piece
/// @param firstTokenMs from sending a very small request to the first piece of its answer
/// @param continuation whether it continues a begun answer
/// @param error the first thing that went wrong, in words
public record TrialReport(
    boolean reachable,
    @Nullable Long latencyMs,
    List<String> models,
    @Nullable Boolean streaming,
    @Nullable Long firstTokenMs,
    @Nullable Boolean continuation,
    @Nullable String error) {

  public TrialReport {
    models = List.copyOf(models);
  }
}
