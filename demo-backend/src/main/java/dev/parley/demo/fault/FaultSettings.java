package dev.parley.demo.fault;

import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A JSON object of knobs, read and checked. A knob that is `null` (or a switch that is `false`) is
/// to be taken away.
///
/// @param changes the knobs named, empty for those to be taken away
/// @param models whether the listing of models is struck as completions are; null if not named
public record FaultSettings(Map<Knob, Optional<Fault>> changes, @Nullable Boolean models) {
  private static final String APPLIES_TO = "applies_to";
  private static final int MOST = 1_000_000_000;

  /// A knob that does not exist or a value it cannot have.
  public static final class BadKnob extends Exception {
    private static final long serialVersionUID = 1;

    private final String knob;
    private final String reason;

    BadKnob(String knob, String message) {
      super(knob + ": " + message);
      this.reason = knob + ": " + message;
      this.knob = knob;
    }

    public String reason() {
      return reason;
    }

    public String knob() {
      return knob;
    }
  }

  /// Reads what a JSON parser made of the object: strings, numbers, booleans, maps and nulls.
  public static FaultSettings read(Map<String, ?> json) throws BadKnob {
    Map<Knob, Optional<Fault>> changes = new EnumMap<>(Knob.class);
    Boolean models = null;
    for (Map.Entry<String, ?> entry : json.entrySet()) {
      String name = entry.getKey();
      Object value = entry.getValue();
      if (name.equals(APPLIES_TO)) {
        models = models(value);
        continue;
      }
      Knob knob =
          Knob.named(name)
              .orElseThrow(() -> new BadKnob(name, "there is no such knob; there are " + names()));
      changes.put(knob, fault(knob, value));
    }
    return new FaultSettings(changes, models);
  }

  /// The settings as JSON shows them.
  static Map<String, Object> show(Map<Knob, Fault> faults, boolean models) {
    Map<String, Object> json = new LinkedHashMap<>();
    faults.forEach(
        (knob, fault) -> {
          Map<String, Object> shown = new LinkedHashMap<>();
          switch (knob.kind()) {
            case SWITCH -> {}
            case STATUS -> shown.put("code", (int) fault.value());
            case AMOUNT -> shown.put("value", (int) fault.value());
            case SPEED -> shown.put("value", fault.value());
          }
          if (fault.times() != Fault.ALWAYS) {
            shown.put("times", fault.times());
          }
          if (fault.retryAfterSeconds() >= 0) {
            shown.put("retry_after_s", fault.retryAfterSeconds());
          }
          Object value = shown.get("value");
          json.put(
              knob.json(),
              shown.isEmpty() ? true : shown.size() == 1 && value != null ? value : shown);
        });
    json.put(APPLIES_TO, models ? "all" : "completions");
    return json;
  }

  private static Boolean models(@Nullable Object value) throws BadKnob {
    if ("all".equals(value)) {
      return true;
    }
    if (value == null || "completions".equals(value)) {
      return false;
    }
    throw new BadKnob(APPLIES_TO, "must be \"completions\" or \"all\"");
  }

  private static Optional<Fault> fault(Knob knob, @Nullable Object value) throws BadKnob {
    if (value == null || knob.kind() == Knob.Kind.SWITCH && Boolean.FALSE.equals(value)) {
      return Optional.empty();
    }
    if (value instanceof Map<?, ?> map) {
      return Optional.of(detailed(knob, map));
    }
    return switch (knob.kind()) {
      case SWITCH ->
          Boolean.TRUE.equals(value)
              ? Optional.of(new Fault(1, Fault.ALWAYS, -1))
              : times(knob, value) == 0
                  ? Optional.empty()
                  : Optional.of(new Fault(1, times(knob, value), -1));
      case STATUS, AMOUNT, SPEED ->
          Optional.of(new Fault(amount(knob, knob.json(), value), Fault.ALWAYS, -1));
    };
  }

  private static Fault detailed(Knob knob, Map<?, ?> map) throws BadKnob {
    String main = knob.kind() == Knob.Kind.STATUS ? "code" : "value";
    for (Object key : map.keySet()) {
      boolean known =
          key.equals("times")
              || key.equals(main) && knob.kind() != Knob.Kind.SWITCH
              || key.equals("retry_after_s") && knob == Knob.STATUS;
      if (!known) {
        throw new BadKnob(knob.json(), "has no field \"" + key + "\"");
      }
    }
    double value = 1;
    if (knob.kind() != Knob.Kind.SWITCH) {
      Object given = map.get(main);
      if (given == null) {
        throw new BadKnob(knob.json(), "needs a \"" + main + "\"");
      }
      value = amount(knob, main, given);
    }
    Object times = map.get("times");
    Object retryAfter = map.get("retry_after_s");
    if (times != null && knob == Knob.UNAVAILABLE_FOR_S) {
      throw new BadKnob(knob.json(), "ends by the clock and has no \"times\"");
    }
    int count = times == null ? Fault.ALWAYS : times(knob, times);
    if (count == 0) {
      throw new BadKnob(knob.json(), "\"times\" must be at least 1");
    }
    return new Fault(
        value, count, retryAfter == null ? -1 : whole(knob, "retry_after_s", retryAfter));
  }

  private static double amount(Knob knob, String field, Object value) throws BadKnob {
    if (knob.kind() == Knob.Kind.SPEED) {
      if (value instanceof Number number
          && number.doubleValue() > 0
          && number.doubleValue() <= MOST) {
        return number.doubleValue();
      }
      throw new BadKnob(knob.json(), "must be a number above 0");
    }
    int whole = whole(knob, field, value);
    if (knob.kind() == Knob.Kind.STATUS && (whole < 400 || whole > 599)) {
      throw new BadKnob(knob.json(), "must be a status from 400 to 599");
    }
    return whole;
  }

  private static int times(Knob knob, Object value) throws BadKnob {
    return whole(knob, "times", value);
  }

  private static int whole(Knob knob, String field, Object value) throws BadKnob {
    if (value instanceof Number number
        && number.doubleValue() == Math.rint(number.doubleValue())
        && number.doubleValue() >= 0
        && number.doubleValue() <= MOST) {
      return number.intValue();
    }
    throw new BadKnob(
        knob.json(),
        (field.equals(knob.json()) ? "" : "\"" + field + "\" ")
            + "must be a whole number from 0 to "
            + MOST);
  }

  private static String names() {
    return Stream.concat(Stream.of(Knob.values()).map(Knob::json), Stream.of(APPLIES_TO))
        .collect(Collectors.joining(", "));
  }
}
