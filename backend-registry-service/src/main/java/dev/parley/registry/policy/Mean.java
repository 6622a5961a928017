package dev.parley.registry.policy;

/// An exponential average that begins at a guess. A twentieth for each sample: it follows the mix
/// of requests over some dozens of them and not a single one.
public final class Mean {

  private static final double GAIN = 0.05;

  private double value;

  public Mean(double guess) {
    value = guess;
  }

  public double value() {
    return value;
  }

  public void update(double sample) {
    value += GAIN * (sample - value);
  }
}
