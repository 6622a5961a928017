package dev.parley.registry.api;

import dev.parley.registry.backend.BackendDraft;
import dev.parley.registry.backend.Checked;
import dev.parley.registry.backend.Fields;
import dev.parley.registry.fleet.SelectionRequest;
import dev.parley.registry.store.BackendStore;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Reads the body of a selection.
final class SelectionForm {

  private static final int MAX_TOKENS = 100_000_000;

  private SelectionForm() {}

  static Checked<SelectionRequest> read(Map<String, ?> json, List<String> policies) {
    Fields fields = Fields.of(json);
    String model = fields.optionalText("model", 1, BackendDraft.MAX_MODEL_LENGTH);
    String policy = fields.optionalText("policy", 1, 64);
    if (policy != null && !policies.contains(policy)) {
      fields.wrong("policy", "must be one of " + String.join(", ", policies));
    }
    // Both are for policies with affinity; those here do without.
    fields.optionalText("session", 0, 256);
    fields.optionalText("client_ip", 0, 64);
    Long prompt = fields.whole("prompt_tokens", 0, MAX_TOKENS);
    Long output = fields.whole("max_tokens", 0, MAX_TOKENS);
    List<String> exclude = fields.texts("exclude", BackendStore.MAX_BACKENDS, 64);
    return fields.check(
        () ->
            new SelectionRequest(
                model,
                policy,
                prompt == null ? null : prompt.intValue(),
                output == null ? null : output.intValue(),
                Set.copyOf(exclude)));
  }
}
