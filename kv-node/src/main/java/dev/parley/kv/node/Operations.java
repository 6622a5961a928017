package dev.parley.kv.node;

import dev.parley.kv.core.Answer;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/// How many operations clients asked for, what became of them, and how long that took:
/// `parley.kv.operations`, whichever API they came by. Measured from the core's side, where a
/// key is no label, so that the number of time series does not grow with that of the keys.
final class Operations {

  /// What was asked for.
  enum Kind {
    READ,
    WRITE,
    LIST
  }

  private enum Outcome {
    /// Done, or there was nothing to be done.
    DONE,
    /// The state of the key, or of the disks, forbids it.
    REFUSED,
    /// Not done, for now.
    UNAVAILABLE,
    /// Done or not: nobody can tell.
    UNKNOWN
  }

  private final Timer[][] timers;

  Operations(MeterRegistry meters) {
    timers = new Timer[Kind.values().length][Outcome.values().length];
    for (Kind kind : Kind.values()) {
      for (Outcome outcome : Outcome.values()) {
        timers[kind.ordinal()][outcome.ordinal()] =
            Timer.builder("parley.kv.operations")
                .description("Operations of clients, from the request's last byte to its answer")
                .tag("operation", kind.name().toLowerCase(Locale.ROOT))
                .tag("outcome", outcome.name().toLowerCase(Locale.ROOT))
                .register(meters);
      }
    }
  }

  void answered(Kind kind, Answer answer, long nanos) {
    timers[kind.ordinal()][outcome(answer).ordinal()].record(nanos, TimeUnit.NANOSECONDS);
  }

  private static Outcome outcome(Answer answer) {
    return switch (answer) {
      case Answer.Conflict _, Answer.Forgotten _, Answer.NoRoom _ -> Outcome.REFUSED;
      case Answer.NotApplied _, Answer.Unavailable _ -> Outcome.UNAVAILABLE;
      case Answer.Unknown _ -> Outcome.UNKNOWN;
      default -> Outcome.DONE;
    };
  }
}
