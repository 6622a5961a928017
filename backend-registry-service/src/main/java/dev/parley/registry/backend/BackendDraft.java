package dev.parley.registry.backend;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A valid description of a backend, as a client writes it. Everything in it is bounded.
public record BackendDraft(
    String name,
    String provider,
    URI baseUrl,
    KeyChange apiKey,
    List<String> models,
    double weight,
    @Nullable Integer maxConcurrency,
    int tier,
    boolean enabled,
    Map<String, String> labels) {

  public static final int MAX_MODELS = 500;
  public static final int MAX_MODEL_LENGTH = 256;
  public static final int MAX_NAME_LENGTH = 64;
  public static final double MAX_WEIGHT = 1000;
  public static final int MAX_CONCURRENCY = 100_000;
  public static final int MAX_TIER = 100;
  private static final int MAX_LABELS = 32;
  private static final int MAX_API_KEY_LENGTH = 4096;
  private static final String UNKNOWN_PROVIDER = "openai-compatible";

  private static final URI NOWHERE = URI.create("http://invalid");

  public BackendDraft {
    models = List.copyOf(models);
    labels = Map.copyOf(labels);
  }

  /// Reads a new backend. Fields that only the registry sets are refused.
  public static Checked<BackendDraft> create(Map<String, ?> json, TargetAddresses allowed) {
    return read(Fields.of(json), allowed, true);
  }

  /// Reads a new description of `current`. What a read of it returned may be sent back whole: the
  /// fields that only the registry sets are passed over, unless they are meant as a change.
  public static Checked<BackendDraft> replace(
      Map<String, ?> json, TargetAddresses allowed, Backend current) {
    Fields fields = Fields.of(json);
    List.of("created_at", "updated_at", "api_key_last4", "status").forEach(fields::ignore);
    if (fields.has("id") && !current.id().equals(fields.raw("id"))) {
      fields.wrong("id", "cannot be changed");
    }
    if (fields.has("draining")
        && !Boolean.valueOf(current.draining()).equals(fields.raw("draining"))) {
      fields.wrong("draining", "is changed by POST …/drain and POST …/enable");
    }
    return read(fields, allowed, true);
  }

  /// Reads a backend that is only to be tried out: it needs no name, and `id` may name the stored
  /// backend whose key to use.
  public static Checked<BackendDraft> trial(Map<String, ?> json, TargetAddresses allowed) {
    Fields fields = Fields.of(json);
    List.of("id", "created_at", "updated_at", "api_key_last4", "status", "draining")
        .forEach(fields::ignore);
    return read(fields, allowed, false);
  }

  private static Checked<BackendDraft> read(
      Fields fields, TargetAddresses allowed, boolean nameRequired) {
    String name =
        nameRequired || fields.raw("name") instanceof String given && !given.isEmpty()
            ? fields.text("name", 1, MAX_NAME_LENGTH)
            : "unnamed";
    fields.ignore("name");
    if (!name.equals(name.strip())) {
      fields.wrong("name", "must not begin or end with a space");
    }
    String provider = fields.optionalText("provider", 1, 64);
    URI baseUrl = baseUrl(fields, allowed);
    KeyChange apiKey = apiKey(fields);
    List<String> models = models(fields);
    double weight = weight(fields);
    Long maxConcurrency = fields.whole("max_concurrency", 1, MAX_CONCURRENCY);
    Long tier = fields.whole("tier", 0, MAX_TIER);
    boolean enabled = fields.bool("enabled", true);
    Map<String, String> labels = fields.labels("labels", MAX_LABELS, 64, 256);
    return fields.check(
        () ->
            new BackendDraft(
                name,
                provider == null ? UNKNOWN_PROVIDER : provider,
                baseUrl,
                apiKey,
                models,
                weight,
                maxConcurrency == null ? null : maxConcurrency.intValue(),
                tier == null ? 0 : tier.intValue(),
                enabled,
                labels));
  }

  private static URI baseUrl(Fields fields, TargetAddresses allowed) {
    Object value = fields.raw("base_url");
    if (value == null) {
      fields.wrong("base_url", "is required");
      return NOWHERE;
    }
    if (!(value instanceof String text)) {
      fields.wrong("base_url", "must be a string");
      return NOWHERE;
    }
    return switch (BaseUrl.read(text, allowed)) {
      case BaseUrl.Read(var url) -> url;
      case BaseUrl.Refused(var detail) -> {
        fields.wrong("base_url", detail);
        yield NOWHERE;
      }
    };
  }

  private static KeyChange apiKey(Fields fields) {
    if (!fields.has("api_key")) {
      return new KeyChange.Keep();
    }
    Object value = fields.raw("api_key");
    if (value == null) {
      return new KeyChange.Remove();
    }
    // What does not fit into a header line would fail at every request; it never says what it was.
    if (!(value instanceof String key)
        || key.isEmpty()
        || key.length() > MAX_API_KEY_LENGTH
        || !key.chars().allMatch(c -> c > ' ' && c < 127)) {
      fields.wrong(
          "api_key",
          "must have 1 to %d printable ASCII characters without spaces; leave it out to keep the stored one, null removes it"
              .formatted(MAX_API_KEY_LENGTH));
      return new KeyChange.Keep();
    }
    return new KeyChange.Set(key);
  }

  private static List<String> models(Fields fields) {
    List<String> models = fields.texts("models", MAX_MODELS, MAX_MODEL_LENGTH);
    String single = fields.optionalText("model", 1, MAX_MODEL_LENGTH);
    if (single == null || single.isEmpty() || models.contains(single)) {
      return models;
    }
    if (models.size() == MAX_MODELS) {
      fields.wrong("models", "must have at most " + MAX_MODELS + " entries");
      return models;
    }
    List<String> both = new ArrayList<>(models);
    both.addFirst(single);
    return both;
  }

  private static double weight(Fields fields) {
    if (fields.raw("weight") == null) {
      if (fields.has("weight")) {
        fields.wrong("weight", "must be a number above 0 and at most 1000");
      }
      return 1;
    }
    // Smaller weights than this act as zero and make scores overflow.
    if (!(fields.raw("weight") instanceof Number number)
        || !(number.doubleValue() >= 1e-6 && number.doubleValue() <= MAX_WEIGHT)) {
      fields.wrong("weight", "must be a number above 0 and at most 1000");
      return 1;
    }
    return number.doubleValue();
  }
}
