package dev.parley.registry.backend;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Reads a JSON object field by field and remembers what is wrong with it, so that one answer
/// names every mistake. A getter that finds a mistake returns a harmless value, which nobody sees,
/// because [#check] then gives the mistakes instead.
public final class Fields {

  /// More would only make a mistaken client's answer long.
  private static final int MAX_VIOLATIONS = 20;

  /// Longest piece of a request that is repeated in an answer.
  private static final int MAX_ECHO = 64;

  private final Map<String, ?> object;
  private final String path;
  private final Set<String> known = new LinkedHashSet<>();
  private final List<Violation> violations;

  private Fields(Map<String, ?> object, String path, List<Violation> violations) {
    this.object = object;
    this.path = path;
    this.violations = violations;
  }

  public static Fields of(Map<String, ?> object) {
    return new Fields(object, "", new ArrayList<>());
  }

  /// The result that `make` builds, unless a mistake was found or the object has a field that
  /// nothing asked for.
  public <T> Checked<T> check(Supplier<T> make) {
    refuseUnknown();
    return violations.isEmpty()
        ? new Checked.Valid<>(make.get())
        : new Checked.Invalid<>(violations);
  }

  /// Whether the object has the field, be it null.
  public boolean has(String name) {
    known.add(name);
    return object.containsKey(name);
  }

  /// A field that may stand there but says nothing.
  public void ignore(String name) {
    known.add(name);
  }

  public void wrong(String name, String detail) {
    if (violations.size() < MAX_VIOLATIONS) {
      violations.add(new Violation(path + name, detail));
    }
  }

  public @Nullable Object raw(String name) {
    known.add(name);
    return object.get(name);
  }

  /// A string of `min` to `max` characters without control characters, or null if it is absent.
  public @Nullable String optionalText(String name, int min, int max) {
    Object value = raw(name);
    return value == null ? null : text(name, value, min, max);
  }

  public String text(String name, int min, int max) {
    Object value = raw(name);
    if (value == null) {
      wrong(name, "is required");
      return "";
    }
    return text(name, value, min, max);
  }

  private String text(String name, Object value, int min, int max) {
    if (!(value instanceof String text)) {
      wrong(name, "must be a string");
      return "";
    }
    String mistake = mistakeIn(text, min, max);
    if (mistake != null) {
      wrong(name, mistake);
      return "";
    }
    return text;
  }

  public boolean bool(String name, boolean otherwise) {
    Object value = raw(name);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof Boolean bool) {
      return bool;
    }
    wrong(name, "must be true or false");
    return otherwise;
  }

  /// A whole number within the bounds, or null if it is absent.
  public @Nullable Long whole(String name, long min, long max) {
    Object value = raw(name);
    if (value == null) {
      return null;
    }
    if (!(value instanceof Integer || value instanceof Long)) {
      wrong(name, "must be a whole number from " + min + " to " + max);
      return null;
    }
    long number = ((Number) value).longValue();
    if (number < min || number > max) {
      wrong(name, "must be a whole number from " + min + " to " + max);
      return null;
    }
    return number;
  }

  /// A finite number within the bounds, or null if it is absent.
  public @Nullable Double number(String name, double min, double max) {
    Object value = raw(name);
    if (value == null) {
      return null;
    }
    if (!(value instanceof Number number)
        || !Double.isFinite(number.doubleValue())
        || number.doubleValue() < min
        || number.doubleValue() > max) {
      wrong(name, "must be a number from " + min + " to " + max);
      return null;
    }
    return number.doubleValue();
  }

  /// Distinct strings in their order, or an empty list if the field is absent.
  public List<String> texts(String name, int maxItems, int maxLength) {
    Object value = raw(name);
    if (value == null) {
      return List.of();
    }
    if (!(value instanceof List<?> items)) {
      wrong(name, "must be a list of strings");
      return List.of();
    }
    if (items.size() > maxItems) {
      wrong(name, "must have at most " + maxItems + " entries");
      return List.of();
    }
    Set<String> distinct = new LinkedHashSet<>();
    for (Object item : items) {
      if (!(item instanceof String text)) {
        wrong(name, "must be a list of strings");
        return List.of();
      }
      String mistake = mistakeIn(text, 1, maxLength);
      if (mistake != null) {
        wrong(name, "has an entry that " + mistake);
        return List.of();
      }
      distinct.add(text);
    }
    return List.copyOf(distinct);
  }

  public Map<String, String> labels(String name, int maxItems, int maxKey, int maxValue) {
    Object value = raw(name);
    if (value == null) {
      return Map.of();
    }
    if (!(value instanceof Map<?, ?> map)) {
      wrong(name, "must be an object of strings");
      return Map.of();
    }
    if (map.size() > maxItems) {
      wrong(name, "must have at most " + maxItems + " entries");
      return Map.of();
    }
    Map<String, String> labels = new LinkedHashMap<>();
    for (var entry : map.entrySet()) {
      String key = String.valueOf(entry.getKey());
      if (!(entry.getValue() instanceof String text)
          || mistakeIn(key, 1, maxKey) != null
          || mistakeIn(text, 0, maxValue) != null) {
        wrong(
            name,
            "must map names of 1 to %d characters to strings of at most %d characters, without control characters"
                .formatted(maxKey, maxValue));
        return Map.of();
      }
      labels.put(key, text);
    }
    return labels;
  }

  /// The objects of a list, each read on its own and its mistakes named by its index.
  public List<Fields> objects(String name, int maxItems) {
    Object value = raw(name);
    if (value == null) {
      return List.of();
    }
    if (!(value instanceof List<?> items)) {
      wrong(name, "must be a list of objects");
      return List.of();
    }
    if (items.size() > maxItems) {
      wrong(name, "must have at most " + maxItems + " entries");
      return List.of();
    }
    List<Fields> read = new ArrayList<>();
    for (int i = 0; i < items.size(); i++) {
      if (!(items.get(i) instanceof Map<?, ?> map)) {
        wrong(name, "must be a list of objects");
        return List.of();
      }
      Map<String, Object> object = new LinkedHashMap<>();
      map.forEach((key, item) -> object.put(String.valueOf(key), item));
      read.add(new Fields(object, path + name + "[" + i + "].", violations));
    }
    return read;
  }

  /// Names every field that nothing asked for.
  public void refuseUnknown() {
    for (String name : object.keySet()) {
      if (!known.contains(name)) {
        wrong(
            name.length() <= MAX_ECHO ? name : name.substring(0, MAX_ECHO),
            "is not a field of this request; known are " + String.join(", ", known));
      }
    }
  }

  private static @Nullable String mistakeIn(String text, int min, int max) {
    int length = text.codePointCount(0, text.length());
    if (length < min || length > max) {
      return "must have " + min + " to " + max + " characters";
    }
    boolean clean =
        text.codePoints()
            .allMatch(
                c -> !Character.isISOControl(c) && Character.getType(c) != Character.SURROGATE);
    return clean ? null : "must not contain control characters";
  }
}
