package dev.parley.demo.fault;

import java.util.EnumMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// The faults that stay until they are used up or taken away. Safe to use from several threads.
public final class StandingFaults {
  private static final long NANOS = 1_000_000_000L;

  private final LongSupplier nanoClock;
  private final Map<Knob, Fault> faults = new EnumMap<>(Knob.class);
  private boolean models;
  private long unavailableUntil;

  public StandingFaults(LongSupplier nanoClock) {
    this.nanoClock = nanoClock;
  }

  /// Sets and takes away what the settings name; the rest stays.
  public synchronized void change(FaultSettings settings) {
    settings
        .changes()
        .forEach(
            (knob, fault) ->
                fault.ifPresentOrElse(
                    value -> {
                      faults.put(knob, value);
                      if (knob == Knob.UNAVAILABLE_FOR_S) {
                        unavailableUntil = nanoClock.getAsLong() + (long) value.value() * NANOS;
                      }
                    },
                    () -> faults.remove(knob)));
    if (settings.models() != null) {
      models = settings.models();
    }
  }

  public synchronized void clear() {
    faults.clear();
    models = false;
  }

  /// The faults as JSON shows them, with what is left of each.
  public synchronized Map<String, Object> show() {
    forgetWhatIsOver();
    return FaultSettings.show(faults, models);
  }

  /// The faults of one request: the standing ones, and over them those the request asks for itself.
  public synchronized RequestFaults forRequest(
      boolean completion, @Nullable FaultSettings requested) {
    forgetWhatIsOver();
    Map<Knob, Fault> own = new EnumMap<>(Knob.class);
    Map<Knob, Fault> standing = new EnumMap<>(faults);
    boolean all = models;
    if (requested != null) {
      if (requested.models() != null) {
        all = requested.models();
      }
      requested
          .changes()
          .forEach(
              (knob, fault) -> {
                standing.remove(knob);
                fault.ifPresent(value -> own.put(knob, value.once()));
              });
    }
    if (!completion && !all) {
      standing.keySet().removeIf(knob -> !knob.everywhere());
      own.keySet().removeIf(knob -> !knob.everywhere());
    }
    return new RequestFaults(this, own, standing);
  }

  /// Uses a fault up by one request; false if another request took the last one.
  synchronized boolean use(Knob knob) {
    Fault fault = faults.get(knob);
    if (fault == null) {
      return false;
    }
    if (fault.times() == 1) {
      faults.remove(knob);
    } else if (fault.times() != Fault.ALWAYS) {
      faults.put(knob, new Fault(fault.value(), fault.times() - 1, fault.retryAfterSeconds()));
    }
    return true;
  }

  private void forgetWhatIsOver() {
    Fault unavailable = faults.get(Knob.UNAVAILABLE_FOR_S);
    if (unavailable == null) {
      return;
    }
    long left = unavailableUntil - nanoClock.getAsLong();
    if (left <= 0) {
      faults.remove(Knob.UNAVAILABLE_FOR_S);
    } else {
      long seconds = (left + NANOS - 1) / NANOS;
      faults.put(Knob.UNAVAILABLE_FOR_S, new Fault(seconds, Fault.ALWAYS, -1));
    }
  }
}
