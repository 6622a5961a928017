package dev.parley.demo.api;

/// When each token of an answer is due.
///
/// @param firstTokenNanos from the beginning to the first token
/// @param nanosPerToken from one token to the next
record Pace(long firstTokenNanos, double nanosPerToken) {
  static Pace of(double firstTokenMillis, double tokensPerSecond) {
    return new Pace((long) (firstTokenMillis * 1e6), 1e9 / tokensPerSecond);
  }

  /// How long after the beginning the token of this index (from 0) is due.
  long dueNanos(int token) {
    return firstTokenNanos + (long) (token * nanosPerToken);
  }
}
