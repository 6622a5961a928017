package dev.parley.demo.fault;

/// One knob as it is set.
///
/// @param value the amount, the speed or the status code; 1 for a switch that is on
/// @param times how many more requests it strikes; [#ALWAYS] until it is taken away
/// @param retryAfterSeconds what an error answer says, or negative for nothing
public record Fault(double value, int times, int retryAfterSeconds) {
  public static final int ALWAYS = -1;

  Fault once() {
    return new Fault(value, 1, retryAfterSeconds);
  }
}
