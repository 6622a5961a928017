package dev.parley.chat.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.conversation.Parameters;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A request's JSON object, read member by member, so that whatever is wrong can be named.
final class JsonBody {

  /// Ends the reading of a body; becomes a [Refusal] in [Problems].
  static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final transient Refusal why;

    Refused(Refusal why) {
      super(null, null, false, false);
      this.why = why;
    }

    Refusal why() {
      return why;
    }
  }

  private final JsonNode root;
  private final String prefix;

  private JsonBody(JsonNode root, String prefix) {
    this.root = root;
    this.prefix = prefix;
  }

  /// @param known every member the body may have
  static JsonBody parse(byte[] body, ObjectMapper mapper, Set<String> known) {
    JsonNode root;
    try {
      root =
          mapper
              .reader()
              .with(com.fasterxml.jackson.databind.DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
              .readTree(body);
    } catch (IOException malformed) {
      throw invalid(null, "The body is not valid JSON.");
    }
    if (root == null || !root.isObject()) {
      throw invalid(null, "The body must be a JSON object.");
    }
    return checked(root, "", known);
  }

  private static JsonBody checked(JsonNode root, String prefix, Set<String> known) {
    List<String> names = List.copyOf(iterable(root));
    for (String name : names) {
      if (!known.contains(name)) {
        throw invalid(prefix + name, "There is no field '" + prefix + name + "'.");
      }
    }
    return new JsonBody(root, prefix);
  }

  private static List<String> iterable(JsonNode root) {
    List<String> names = new java.util.ArrayList<>();
    root.fieldNames().forEachRemaining(names::add);
    return names;
  }

  boolean has(String name) {
    return root.has(name);
  }

  /// A string or null, of limited length.
  @Nullable String text(String name, int maxChars) {
    JsonNode value = root.get(name);
    if (value == null || value.isNull()) {
      return null;
    }
    if (!value.isTextual()) {
      throw invalid(prefix + name, "'" + prefix + name + "' must be a string.");
    }
    if (value.asText().length() > maxChars) {
      throw invalid(
          prefix + name, "'" + prefix + name + "' has more than " + maxChars + " characters.");
    }
    return value.asText();
  }

  String requiredText(String name, int maxChars) {
    String value = text(name, maxChars);
    if (value == null || value.isBlank()) {
      throw invalid(prefix + name, "'" + prefix + name + "' must not be empty.");
    }
    return value;
  }

  @Nullable Boolean flag(String name) {
    JsonNode value = root.get(name);
    if (value == null || value.isNull()) {
      return null;
    }
    if (!value.isBoolean()) {
      throw invalid(prefix + name, "'" + prefix + name + "' must be true or false.");
    }
    return value.asBoolean();
  }

  private @Nullable Double number(String name, double min, double max) {
    JsonNode value = root.get(name);
    if (value == null || value.isNull()) {
      return null;
    }
    if (!value.isNumber() || value.asDouble() < min || value.asDouble() > max) {
      throw invalid(
          prefix + name,
          "'" + prefix + name + "' must be a number from " + min + " to " + max + ".");
    }
    return value.asDouble();
  }

  private @Nullable Integer whole(String name, int min, int max) {
    JsonNode value = root.get(name);
    if (value == null || value.isNull()) {
      return null;
    }
    if (!value.canConvertToInt()
        || !value.isIntegralNumber()
        || value.asInt() < min
        || value.asInt() > max) {
      throw invalid(
          prefix + name,
          "'" + prefix + name + "' must be a whole number from " + min + " to " + max + ".");
    }
    return value.asInt();
  }

  Parameters parameters(String name) {
    JsonNode value = root.get(name);
    if (value == null || value.isNull()) {
      return Parameters.NONE;
    }
    if (!value.isObject()) {
      throw invalid(name, "'" + name + "' must be an object.");
    }
    JsonBody inner = checked(value, name + ".", Set.of("temperature", "top_p", "max_tokens"));
    return new Parameters(
        inner.number("temperature", 0, 2),
        inner.number("top_p", 0, 1),
        inner.whole("max_tokens", 1, 1_000_000));
  }

  static Refused invalid(@Nullable String field, String detail) {
    return new Refused(new Refusal.Invalid(field, detail));
  }
}
