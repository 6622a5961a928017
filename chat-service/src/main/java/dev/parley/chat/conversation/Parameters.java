package dev.parley.chat.conversation;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/// How a model shall answer. What is null is left to the backend.
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Parameters(
    @Nullable Double temperature, @Nullable Double topP, @Nullable Integer maxTokens) {

  public static final Parameters NONE = new Parameters(null, null, null);

  /// These where they are set, and otherwise those of `base`.
  public Parameters over(Parameters base) {
    return new Parameters(
        temperature == null ? base.temperature : temperature,
        topP == null ? base.topP : topP,
        maxTokens == null ? base.maxTokens : maxTokens);
  }
}
