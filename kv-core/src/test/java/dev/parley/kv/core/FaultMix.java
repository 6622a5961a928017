package dev.parley.kv.core;

import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// What one seed draws: how many nodes, what the clients do, how bad the network is, and which
/// faults happen at all. Seeds differ in kind, not only in detail, because many bugs need that some
/// faults do *not* happen: a cluster that crashes all the time never fills a memory of operations.
final class FaultMix {

  /// What the clients do.
  enum Workload {
    /// Several clients compete for two keys.
    FEW_KEYS,
    /// Many keys with a few operations each, listed often.
    MANY_KEYS,
    /// One key that changes so often that its memory of operations overflows.
    HOT_KEY,
    /// Values that fill segments and span many sectors.
    BIG_VALUES
  }

  private static final Layout THREE = Layout.of(List.of("kv-1", "kv-2", "kv-3"));
  private static final Layout FIVE = Layout.of(List.of("kv-1", "kv-2", "kv-3", "kv-4", "kv-5"));

  final Workload workload;
  final int nodes;
  final double dropping;
  final double repeating;
  final long delayNanos;
  final List<Fault> faults;
  private final Layout layout;

  FaultMix(SplittableRandom random) {
    int kind = random.nextInt(100);
    workload =
        kind < 45
            ? Workload.FEW_KEYS
            : kind < 70 ? Workload.MANY_KEYS : kind < 85 ? Workload.HOT_KEY : Workload.BIG_VALUES;
    nodes = random.nextInt(10) < 7 ? 3 : 5;
    dropping = pick(random, 0, 0.02, 0.1);
    repeating = pick(random, 0, 0.05, 0.2);
    delayNanos =
        (long)
            (Simulation.MILLI
                * (workload == Workload.HOT_KEY ? pick(random, 1, 3) : pick(random, 1, 10, 60)));
    EnumSet<Fault> drawn = EnumSet.noneOf(Fault.class);
    for (Fault fault : Fault.values()) {
      boolean happens =
          switch (fault) {
            case CRASH, PARTITION -> random.nextInt(3) != 0;
            case BLACKOUT, IO_ERROR, BIT_FLIP, LOST_DISK, CLOCK_RATE -> random.nextInt(4) == 0;
            default -> random.nextInt(3) == 0;
          };
      if (happens) {
        drawn.add(fault);
      }
    }
    faults = List.copyOf(drawn);
    layout = nodes == 3 ? THREE : FIVE;
  }

  private static double pick(SplittableRandom random, double... choices) {
    return choices[random.nextInt(choices.length)];
  }

  List<String> ids() {
    return layout.ids();
  }

  List<Key> keys() {
    return switch (workload) {
      case FEW_KEYS -> List.of(Key.of("a"), Key.of("b/{x}/1"));
      case HOT_KEY -> List.of(Key.of("hot"));
      case BIG_VALUES -> List.of(Key.of("big/1"), Key.of("big/2"), Key.of("small"));
      case MANY_KEYS ->
          IntStream.range(0, 24)
              .mapToObj(i -> Key.of((i % 3 == 0 ? "p/" : i % 3 == 1 ? "p/q/" : "r/") + i))
              .sorted()
              .toList();
    };
  }

  int operationsPerKey() {
    return switch (workload) {
      case FEW_KEYS -> 40;
      case HOT_KEY -> 320;
      case BIG_VALUES -> 24;
      case MANY_KEYS -> 8;
    };
  }

  int clients() {
    return workload == Workload.HOT_KEY ? 6 : 4;
  }

  /// The longest a client waits between two operations.
  long thinkNanos() {
    return Simulation.MILLI
        * switch (workload) {
          case FEW_KEYS -> 300;
          case HOT_KEY -> 12;
          case BIG_VALUES -> 250;
          case MANY_KEYS -> 120;
        };
  }

  int segmentBytes() {
    return workload == Workload.BIG_VALUES ? 96 * 1024 : 24 * 1024;
  }

  int maxValueBytes() {
    return workload == Workload.BIG_VALUES ? 24 * 1024 : 0;
  }

  /// How many nodes may be lost for good while every key keeps a majority of its replicas.
  int spareNodes() {
    return (Layout.REPLICATION - 1) / 2;
  }

  Layout layout() {
    return layout;
  }

  /// As in production, but tombstones are purged while the simulation lasts.
  Timing timing() {
    Timing local = Timing.local();
    return new Timing(
        local.operation(),
        local.phase(),
        local.minHedge(),
        local.maxHedge(),
        local.maxBackoff(),
        local.ping(),
        local.suspect(),
        Duration.ofMillis(700),
        local.repair(),
        local.tend());
  }

  @Override
  public String toString() {
    return "%d nodes, %s, dropping %.2f, repeating %.2f, delays up to %.0f ms, faults %s"
        .formatted(nodes, workload, dropping, repeating, delayNanos / 1e6, faults);
  }
}
