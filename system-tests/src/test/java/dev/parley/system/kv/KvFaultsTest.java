package dev.parley.system.kv;

import java.util.SplittableRandom;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Whatever befalls the nodes, every history that clients record of the store is linearizable, and
/// whoever is connected with a majority goes on.
///
/// `-Dparley.chaos.minutes=N` lets the random part go on for so long instead of a few strikes;
/// `-Dparley.chaos.seed=S` repeats its choices (of faults and of what clients ask, not their
/// timing).
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KvFaultsTest {

  private static final long SEED =
      Long.getLong("parley.chaos.seed", ThreadLocalRandom.current().nextLong(1_000_000));
  private static final long MINUTES = Long.getLong("parley.chaos.minutes", 0);

  /// Strikes of the short random run.
  private static final int STRIKES = 4;

  private static final long SHORT_MILLIS = 800;
  private static final long LONG_MILLIS = 6000;

  private @Nullable KvCluster three;

  @BeforeAll
  void start() {
    System.out.println("faults of the store: seed " + SEED);
    three = KvCluster.start(3);
  }

  @AfterAll
  void stop() {
    if (three != null) {
      three.close();
    }
  }

  @AfterEach
  void recover() {
    three().recover();
  }

  @ParameterizedTest
  @EnumSource
  void threeNodesSurvive(Nemesis nemesis) {
    KvCluster cluster = three();
    skipIf(nemesis, cluster);
    SplittableRandom random = new SplittableRandom(SEED + nemesis.ordinal());
    try (Workload load =
        Workload.start(cluster, nemesis.name().toLowerCase(java.util.Locale.ROOT), SEED)) {
      load.awaitProgress(cluster.nodes());
      nemesis.strike(cluster, load, random, SHORT_MILLIS);
      load.awaitProgress(cluster.nodes());
      load.judge();
    }
  }

  @Test
  void fiveNodesSurviveWhateverComes() {
    SplittableRandom random = new SplittableRandom(SEED);
    long begun = System.nanoTime();
    try (KvCluster cluster = KvCluster.start(5)) {
      for (int round = 1; round == 1 || minutesSince(begun) < MINUTES; round++) {
        // A history of its own for every few strikes, so that none grows without bound.
        try (Workload load = Workload.start(cluster, "random-" + round, SEED + round)) {
          load.awaitProgress(cluster.nodes());
          for (int strike = 0; strike < STRIKES; strike++) {
            Nemesis nemesis = Nemesis.values()[random.nextInt(Nemesis.values().length)];
            String why = nemesis.whyImpossible(cluster);
            System.out.println(
                "round " + round + ": " + nemesis + (why == null ? "" : " SKIPPED: " + why));
            if (why == null) {
              long millis = MINUTES == 0 ? SHORT_MILLIS : random.nextLong(LONG_MILLIS);
              nemesis.strike(cluster, load, random, millis);
              load.awaitProgress(cluster.nodes());
            }
          }
          load.judge();
        }
      }
    }
  }

  private KvCluster three() {
    if (three == null) {
      throw new IllegalStateException("not started");
    }
    return three;
  }

  private static long minutesSince(long begun) {
    return (System.nanoTime() - begun) / 60_000_000_000L;
  }

  private static void skipIf(Nemesis nemesis, KvCluster cluster) {
    String why = nemesis.whyImpossible(cluster);
    if (why != null) {
      System.out.println("SKIPPED " + nemesis + ": " + why);
      Assumptions.abort(why);
    }
  }
}
