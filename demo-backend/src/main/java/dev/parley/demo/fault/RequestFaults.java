package dev.parley.demo.fault;

import java.util.Map;
import java.util.Optional;

/// The faults that may strike one request. A fault is used up when it strikes, not before: a
/// request
/// that is reset does not also spend the status that was to follow.
public final class RequestFaults {
  private final StandingFaults source;
  private final Map<Knob, Fault> own;
  private final Map<Knob, Fault> standing;

  RequestFaults(StandingFaults source, Map<Knob, Fault> own, Map<Knob, Fault> standing) {
    this.source = source;
    this.own = own;
    this.standing = standing;
  }

  /// Lets the fault strike, if it is set.
  public Optional<Fault> strike(Knob knob) {
    Fault mine = own.remove(knob);
    if (mine != null) {
      return Optional.of(mine);
    }
    Fault shared = standing.remove(knob);
    return shared != null && source.use(knob) ? Optional.of(shared) : Optional.empty();
  }

  public boolean strikes(Knob knob) {
    return strike(knob).isPresent();
  }

  /// Lets the fault strike and gives its amount, or the usual one if it is not set.
  public double amount(Knob knob, double usual) {
    return strike(knob).map(Fault::value).orElse(usual);
  }

  /// What the fault would be, without using it up.
  public Optional<Fault> peek(Knob knob) {
    Fault mine = own.get(knob);
    return Optional.ofNullable(mine != null ? mine : standing.get(knob));
  }
}
