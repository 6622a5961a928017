package dev.parley.registry.policy;

import org.jspecify.annotations.Nullable;

/// The request to place, and what requests are like on average.
///
/// @param group requests of one group are balanced together; it is the model they ask for
/// @param promptTokens uncached prompt tokens, or null if not known
/// @param maxTokens most output tokens it asks for, or null if it does not say
public record Workload(
    String group,
    @Nullable Integer promptTokens,
    @Nullable Integer maxTokens,
    double meanPromptTokens,
    double meanOutputTokens) {

  double prompt() {
    return promptTokens == null ? meanPromptTokens : promptTokens;
  }

  double output() {
    return maxTokens == null ? meanOutputTokens : Math.min(maxTokens, meanOutputTokens);
  }
}
