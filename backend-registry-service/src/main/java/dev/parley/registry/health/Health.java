package dev.parley.registry.health;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.random.RandomGenerator;

/// The health of one backend, from two kinds of evidence that do not overrule each other.
///
/// *Reach* is what probes of its model list say. A new backend is up at its first good answer.
///
/// ```
///   ComingUp --2 good--> Up --bad--> GoingDown --3rd bad in a row--> Down --good--> ComingUp
///       '-----bad-----> Down  '<--good--'
/// ```
///
/// *Trust* is what real requests say. A model list can be green while the engine behind it hangs,
/// so only a completed answer restores trust.
///
/// ```
///   Trusted --5 failures in a row, or < 80 % of >= 10 in 30 s--> Ejected
///   Ejected --10 s·2^k ± 20 %, at most 300 s--> OnTrial --answer--> Trusted
///      '<-----------------failure, k+1-----------------'
///   any --401, 402, 403, 404 model--> Misconfigured --60 s, then an answer--> Trusted
/// ```
///
/// Rate limiting is neither: the backend is well and says when it wants to be asked again.
///
/// All times are nanoseconds of one monotonic clock. Not safe for use by several threads.
public final class Health {

  private static final int FALL = 3;
  private static final int RISE = 2;
  private static final int FAILURES_IN_A_ROW = 5;
  private static final int WINDOW_OUTCOMES = 10;
  private static final double WINDOW_SUCCESS = 0.8;
  private static final long WINDOW_NANOS = Duration.ofSeconds(30).toNanos();

  /// Enough to judge by; older outcomes fall out.
  private static final int MAX_WINDOW = 512;

  private static final long FIRST_EJECTION_NANOS = Duration.ofSeconds(10).toNanos();
  private static final long MAX_EJECTION_NANOS = Duration.ofSeconds(300).toNanos();

  /// 10 s·2⁵ is past the longest ejection.
  private static final int MAX_LEVEL = 5;

  private static final long HEALTHY_MINUTE_NANOS = Duration.ofSeconds(60).toNanos();
  private static final long DEFAULT_RETRY_AFTER_NANOS = Duration.ofSeconds(5).toNanos();
  private static final long MAX_RETRY_AFTER_MS = Duration.ofSeconds(300).toMillis();
  private static final double JITTER = 0.2;
  private static final double LEAST_SLOW_START = 0.1;

  private sealed interface Reach {
    /// @param fresh nothing at all is known yet
    record ComingUp(int good, int bad, boolean fresh) implements Reach {}

    record Up() implements Reach {}

    record GoingDown(int bad) implements Reach {}

    record Down() implements Reach {}
  }

  private sealed interface Trust {
    record Trusted(long sinceNanos) implements Trust {}

    record Ejected(long untilNanos) implements Trust {}

    record OnTrial() implements Trust {}

    /// @param byProbe a good probe is enough to clear it, since it was a probe that was refused
    record Misconfigured(boolean byProbe, long recheckNanos) implements Trust {}
  }

  private record Outcome(long atNanos, boolean success) {}

  private final HealthSettings settings;
  private final RandomGenerator random;
  private final Deque<Outcome> window = new ArrayDeque<>();
  private Reach reach = new Reach.ComingUp(0, 0, true);
  private Trust trust;
  private int failuresInARow;
  private int level;
  private boolean rateLimited;
  private long rateLimitedUntilNanos;
  private long slowStartNanos;
  private long lastProbeNanos;
  private long nextProbeNanos;
  private long nextTrialNanos;

  public Health(HealthSettings settings, RandomGenerator random, long nowNanos) {
    this.settings = settings;
    this.random = random;
    trust = new Trust.Trusted(nowNanos);
    slowStartNanos = nowNanos;
    nextProbeNanos = nowNanos;
    lastProbeNanos = nowNanos - settings.transitionInterval().toNanos();
    nextTrialNanos = nowNanos;
  }

  /// A probe was answered as it should be.
  public void probeSucceeded(long now) {
    advance(now);
    reach =
        switch (reach) {
          case Reach.Up up -> up;
          case Reach.GoingDown _ -> new Reach.Up();
          case Reach.Down _ -> new Reach.ComingUp(1, 0, false);
          case Reach.ComingUp(int good, int _, boolean fresh) -> {
            if (fresh || good + 1 >= RISE) {
              slowStartNanos = now;
              yield new Reach.Up();
            }
            yield new Reach.ComingUp(good + 1, 0, false);
          }
        };
    if (trust instanceof Trust.Misconfigured(boolean byProbe, long _) && byProbe) {
      trust = new Trust.Trusted(now);
      slowStartNanos = now;
    }
    scheduleProbe(now);
  }

  /// A probe was not answered, or not as it should be.
  public void probeFailed(long now) {
    advance(now);
    reach =
        switch (reach) {
          case Reach.Up _ -> new Reach.GoingDown(1);
          case Reach.GoingDown(int bad) ->
              bad + 1 >= FALL ? new Reach.Down() : new Reach.GoingDown(bad + 1);
          case Reach.Down down -> down;
          case Reach.ComingUp(int _, int bad, boolean fresh) ->
              fresh && bad + 1 < FALL ? new Reach.ComingUp(0, bad + 1, true) : new Reach.Down();
        };
    scheduleProbe(now);
  }

  /// A probe was refused for a reason that only the owner of the backend can change.
  public void probeRefused(long now) {
    advance(now);
    distrust(now, true);
    scheduleProbe(now);
  }

  /// A request was answered to its end.
  public void succeeded(long now) {
    advance(now);
    failuresInARow = 0;
    remember(now, true);
    if (!(trust instanceof Trust.Trusted)) {
      trust = new Trust.Trusted(now);
      slowStartNanos = now;
      window.clear();
    }
  }

  /// A request failed through the backend's fault.
  ///
  /// @param mayEject whether enough others are left to do without this one
  public void failed(long now, boolean mayEject) {
    advance(now);
    failuresInARow++;
    remember(now, false);
    hastenProbe(now);
    switch (trust) {
      case Trust.OnTrial _ -> eject(now);
      case Trust.Trusted _ -> {
        if (mayEject && failing(now)) {
          eject(now);
        }
      }
      case Trust.Ejected _, Trust.Misconfigured _ -> {}
    }
  }

  /// The backend asked for less.
  ///
  /// @param retryAfterMs when it wants to be asked again, or 0 if it did not say
  public void rateLimited(long now, long retryAfterMs) {
    advance(now);
    long wait =
        retryAfterMs <= 0
            ? DEFAULT_RETRY_AFTER_NANOS
            : Duration.ofMillis(Math.min(MAX_RETRY_AFTER_MS, retryAfterMs)).toNanos();
    rateLimitedUntilNanos = rateLimited ? Math.max(rateLimitedUntilNanos, now + wait) : now + wait;
    rateLimited = true;
  }

  /// A request was refused for a reason that only the owner of the backend can change.
  public void misconfigured(long now) {
    advance(now);
    distrust(now, false);
  }

  /// The state now, as far as health decides it.
  public State state(long now) {
    advance(now);
    if (trust instanceof Trust.Misconfigured) {
      return State.MISCONFIGURED;
    }
    if (reach instanceof Reach.Down) {
      return State.DOWN;
    }
    if (trust instanceof Trust.Ejected) {
      return State.EJECTED;
    }
    if (rateLimited) {
      return State.RATE_LIMITED;
    }
    if (trust instanceof Trust.OnTrial) {
      return State.COMING_UP;
    }
    return switch (reach) {
      case Reach.ComingUp _ -> State.COMING_UP;
      case Reach.GoingDown _ -> State.GOING_DOWN;
      case Reach.Up _ -> State.UP;
      case Reach.Down _ -> State.DOWN;
    };
  }

  /// Whether it may have a request now.
  public boolean usable(long now) {
    advance(now);
    return !rateLimited
        && (reach instanceof Reach.Up || reach instanceof Reach.GoingDown)
        && (trust instanceof Trust.Trusted || trust instanceof Trust.OnTrial);
  }

  /// Whether it may have one request at a time only, to prove itself.
  public boolean onTrial(long now) {
    advance(now);
    return trust instanceof Trust.OnTrial;
  }

  /// Whether nothing is known of it yet.
  public boolean fresh() {
    return reach instanceof Reach.ComingUp(int _, int _, boolean fresh) && fresh;
  }

  /// Whether real requests, and nothing else, speak against it: the last resort in a panic.
  public boolean onlyEjected(long now) {
    advance(now);
    return trust instanceof Trust.Ejected && !rateLimited && !(reach instanceof Reach.Down);
  }

  /// Whether it counts as taken out by real requests.
  public boolean ejected(long now) {
    advance(now);
    return trust instanceof Trust.Ejected;
  }

  /// `r`: the share of its weight that it may use.
  public double slowStart(long now) {
    double full = settings.slowStart().toNanos();
    return full <= 0 ? 1 : Math.clamp((now - slowStartNanos) / full, LEAST_SLOW_START, 1);
  }

  /// Whether it is time to ask for its model list.
  public boolean probeDue(long now) {
    return now - nextProbeNanos >= 0;
  }

  /// Whether it is time to try a small request on it.
  public boolean trialDue(long now) {
    advance(now);
    if (!(reach instanceof Reach.Up) || rateLimited || now - nextTrialNanos < 0) {
      return false;
    }
    return switch (trust) {
      case Trust.OnTrial _ -> true;
      case Trust.Misconfigured(boolean byProbe, long recheck) -> !byProbe && now - recheck >= 0;
      case Trust.Trusted _, Trust.Ejected _ -> false;
    };
  }

  /// A small request was sent; the next one is due an interval later, whatever becomes of it.
  public void trialStarted(long now) {
    nextTrialNanos = now + jittered(settings.probeInterval().toNanos());
  }

  /// When it may be worth asking again, in nanoseconds from now.
  public long retryInNanos(long now) {
    advance(now);
    long wait =
        rateLimited
            ? rateLimitedUntilNanos - now
            : trust instanceof Trust.Ejected(long until) ? until - now : nextProbeNanos - now;
    return Math.max(0, wait);
  }

  /// How often it was ejected lately: `k` of the next ejection's 10 s·2^k.
  public int level(long now) {
    if (trust instanceof Trust.Trusted(long since)) {
      return (int) Math.max(0, level - (now - since) / HEALTHY_MINUTE_NANOS);
    }
    return level;
  }

  private void advance(long now) {
    if (rateLimited && now - rateLimitedUntilNanos >= 0) {
      rateLimited = false;
    }
    if (trust instanceof Trust.Ejected(long until) && now - until >= 0) {
      trust = new Trust.OnTrial();
    }
  }

  private void distrust(long now, boolean byProbe) {
    boolean known = trust instanceof Trust.Misconfigured(boolean probed, long _) && !probed;
    trust =
        new Trust.Misconfigured(
            byProbe && !known, now + jittered(settings.recheckInterval().toNanos()));
  }

  private boolean failing(long now) {
    if (failuresInARow >= FAILURES_IN_A_ROW) {
      return true;
    }
    long recent = window.stream().filter(o -> now - o.atNanos <= WINDOW_NANOS).count();
    long good = window.stream().filter(o -> now - o.atNanos <= WINDOW_NANOS && o.success).count();
    return recent >= WINDOW_OUTCOMES && good < WINDOW_SUCCESS * recent;
  }

  private void eject(long now) {
    int from = level(now);
    long length = Math.min(MAX_EJECTION_NANOS, jittered(FIRST_EJECTION_NANOS << from));
    trust = new Trust.Ejected(now + length);
    level = Math.min(MAX_LEVEL, from + 1);
    failuresInARow = 0;
    window.clear();
    nextTrialNanos = now;
  }

  private void remember(long now, boolean success) {
    if (window.size() == MAX_WINDOW) {
      window.removeFirst();
    }
    window.addLast(new Outcome(now, success));
  }

  /// A failed request is a reason to look now rather than at the next round.
  private void hastenProbe(long now) {
    long soonest = Math.max(now, lastProbeNanos + settings.transitionInterval().toNanos());
    nextProbeNanos = Math.min(nextProbeNanos, soonest);
  }

  private void scheduleProbe(long now) {
    lastProbeNanos = now;
    Duration interval =
        trust instanceof Trust.Misconfigured(boolean byProbe, long _) && byProbe
            ? settings.recheckInterval()
            : reach instanceof Reach.ComingUp || reach instanceof Reach.GoingDown
                ? settings.transitionInterval()
                : settings.probeInterval();
    nextProbeNanos = now + jittered(interval.toNanos());
  }

  private long jittered(long nanos) {
    return (long) (nanos * (1 - JITTER + 2 * JITTER * random.nextDouble()));
  }
}
