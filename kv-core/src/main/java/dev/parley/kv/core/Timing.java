package dev.parley.kv.core;

import java.time.Duration;

/// How long a node waits for what. None of this decides anything about safety.
///
/// @param operation after this an unanswered request is answered anyway
/// @param phase after this a phase without a majority is begun again
/// @param minHedge never propose for another node earlier than this
/// @param maxHedge nor wait longer
/// @param maxBackoff longest pause after losing a ballot
/// @param ping how often peers are asked whether they are there
/// @param suspect a peer not heard of for this long is not forwarded to
/// @param purge how often old tombstones are looked for; one is purged after two to three times
///     this
/// @param repair how often a node compares what it holds with one of its peers
/// @param tend how often a node looks whether a change of the members is to be carried on
public record Timing(
    Duration operation,
    Duration phase,
    Duration minHedge,
    Duration maxHedge,
    Duration maxBackoff,
    Duration ping,
    Duration suspect,
    Duration purge,
    Duration repair,
    Duration tend) {

  /// For nodes in one building: round trips well under a millisecond, a disk flush a few.
  public static Timing local() {
    return new Timing(
        Duration.ofMillis(2000),
        Duration.ofMillis(500),
        Duration.ofMillis(40),
        Duration.ofMillis(400),
        Duration.ofMillis(250),
        Duration.ofMillis(300),
        Duration.ofMillis(1000),
        Duration.ofSeconds(10),
        Duration.ofSeconds(2),
        Duration.ofMillis(250));
  }
}
