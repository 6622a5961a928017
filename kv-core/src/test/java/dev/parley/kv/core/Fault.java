package dev.parley.kv.core;

/// What the simulator does to a cluster. Each seed draws its own mix of these.
enum Fault {
  /// A node loses power, together with any part of what it had not forced, and comes back.
  CRASH,
  /// All nodes lose power at once.
  BLACKOUT,
  /// A node dies after carrying out some, not all, of the effects of one step.
  CRASH_BETWEEN_EFFECTS,
  /// A process is stopped for a while; what arrived meanwhile reaches it at once.
  PAUSE,
  /// A node's clock leaps forward, by up to years.
  CLOCK_LEAP,
  /// A node's clock runs at half or at twice the speed of the others.
  CLOCK_RATE,
  /// Some links are cut, in one or both directions: one node alone, halves, a bridge, any links.
  PARTITION,
  /// Links are cut and healed again many times a second.
  FLAPPING,
  /// A message of long ago arrives again.
  STALE_MESSAGE,
  /// The disk reports an error, upon which a node halts.
  IO_ERROR,
  /// A bit flips on the disk of a node that is down, in what its log itself proves durable.
  BIT_FLIP,
  /// A node has no room for new values, for a while.
  DISK_FULL,
  /// A disk is slower than usual by one or two orders of magnitude.
  SLOW_DISK,
  /// A node comes back with a blank disk, or with an old copy of its own.
  LOST_DISK
}
