package dev.parley.kv.core;

import java.util.LinkedHashSet;

/// What this node knows of another: whether it was heard of lately, and how fast it answers.
final class Peer {

  /// Forwards remembered, so that a repeated one is not carried out twice.
  private static final int MAX_FORWARDS = 16384;

  private final String id;
  private final LinkedHashSet<Long> forwards = new LinkedHashSet<>();
  private long forgottenForward = -1;
  private long boot;
  private long heard = Long.MIN_VALUE;
  private boolean unreachable;
  private long told;
  private long tellAgain;
  private long askAgain;
  private boolean full;
  private final DelayEstimate answers = new DelayEstimate();
  private final DelayEstimate roundTrips = new DelayEstimate();
  private long pingCall = -1;
  private long pingSent;

  Peer(String id) {
    this.id = id;
  }

  String id() {
    return id;
  }

  /// The boot last heard of, 0 if none.
  long boot() {
    return boot;
  }

  /// When it was last heard of, or [Long#MIN_VALUE].
  long heard() {
    return heard;
  }

  void heard(long now, long fromBoot) {
    heard = now;
    boot = Math.max(boot, fromBoot);
    unreachable = false;
  }

  void unreachable() {
    unreachable = true;
  }

  /// Whether it said lately that it has no room for new values.
  boolean full() {
    return full;
  }

  void full(boolean now) {
    full = now;
  }

  boolean healthy(long now, Timing timing) {
    return !unreachable && heard != Long.MIN_VALUE && now - heard < timing.suspect().toNanos();
  }

  /// Whether it should be told of the layout of this epoch: not for every message it sends from an
  /// earlier one.
  boolean mayTell(long epoch, long now, Timing timing) {
    if (told == epoch && now < tellAgain) {
      return false;
    }
    told = epoch;
    tellAgain = now + timing.minHedge().toNanos();
    return true;
  }

  /// Whether it should be asked for its layout.
  boolean mayAsk(long now, Timing timing) {
    if (askAgain != 0 && now < askAgain) {
      return false;
    }
    askAgain = now + timing.minHedge().toNanos();
    return true;
  }

  /// Whether this is certainly the first time that the forward with this number arrives. One older
  /// than the memory of them counts as repeated: whoever sent it no longer waits.
  boolean firstForward(long call) {
    if (call <= forgottenForward || !forwards.add(call)) {
      return false;
    }
    if (forwards.size() > MAX_FORWARDS) {
      forgottenForward = Math.max(forgottenForward, forwards.removeFirst());
    }
    return true;
  }

  /// It took so long to answer a read or a forward.
  void measured(long nanos) {
    answers.measured(nanos);
  }

  /// After so many nanoseconds something else is tried: what it usually takes to answer at the
  /// longest, and not less than a ping does, which is all that is known of one never asked.
  long hedgeDelay(Timing timing) {
    long usual = Math.max(answers.high(), roundTrips.high());
    return Math.clamp(usual, timing.minHedge().toNanos(), timing.maxHedge().toNanos());
  }

  /// A ping is on its way to it.
  void pinged(long call, long now) {
    pingCall = call;
    pingSent = now;
  }

  /// It answered a ping. Only the answer to the latest one tells how far away it is.
  void ponged(long call, long now) {
    if (call == pingCall) {
      pingCall = -1;
      roundTrips.measured(now - pingSent);
    }
  }

  /// How long messages to it and back take, without the disk and whatever else it may have to do.
  DelayEstimate roundTrip() {
    return roundTrips;
  }
}
