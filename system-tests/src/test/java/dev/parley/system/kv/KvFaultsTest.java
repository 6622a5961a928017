package dev.parley.system.kv;

import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Whatever befalls the nodes, every history that clients record of the store is linearizable, and
/// whoever is connected with a majority goes on.
///
/// `-Dparley.chaos.minutes=N` lets the random part go on for so long instead of a few strikes;
/// `-Dparley.chaos.seed=S` repeats its choices (of faults and of what clients ask, not their
/// timing); `-Dparley.chaos.faults=KILL,ADDITION` leaves it at these.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KvFaultsTest {

  private static final long SEED =
      Long.getLong("parley.chaos.seed", ThreadLocalRandom.current().nextLong(1_000_000));
  private static final long MINUTES = Long.getLong("parley.chaos.minutes", 0);

  /// Strikes of the short random run.
  private static final int STRIKES = 4;

  private static final long SHORT_MILLIS = 800;
  private static final long LONG_MILLIS = 6000;

  /// Those that were asked for, or none.
  private static final List<Nemesis> CHOSEN =
      Stream.of(System.getProperty("parley.chaos.faults", "").split(",", -1))
          .filter(name -> !name.isBlank())
          .map(Nemesis::valueOf)
          .toList();

  private static final List<Nemesis> FAULTS = CHOSEN.isEmpty() ? List.of(Nemesis.values()) : CHOSEN;

  /// What takes longest, and is left to the five nodes unless it was asked for.
  private static final List<Nemesis> LONG =
      List.of(Nemesis.CHANGE_MEMBER_KILLED, Nemesis.CHANGE_UNDER_FIRE);

  private @Nullable KvCluster three;
  private @Nullable Ballast ballast;

  @BeforeAll
  void announce() {
    System.out.println("faults of the store: seed " + SEED);
  }

  @AfterAll
  void stop() {
    if (three != null) {
      three.close();
      three = null;
    }
  }

  @AfterEach
  void recover() {
    if (three != null && !three.recover()) {
      // A change of the members failed: the next test gets a cluster of its own.
      stop();
    }
  }

  @ParameterizedTest
  @MethodSource("faults")
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
      Objects.requireNonNull(ballast).assertComplete();
    }
  }

  @ParameterizedTest
  @MethodSource("sizes")
  void nodesSurviveWhateverComes(int size) {
    SplittableRandom random = new SplittableRandom(SEED + size);
    long begun = System.nanoTime();
    long share = TimeUnit.MINUTES.toNanos(MINUTES) / sizes().size();
    try (KvCluster cluster = KvCluster.start(size)) {
      Ballast heavy = Ballast.load(cluster);
      for (int round = 1; round == 1 || System.nanoTime() - begun < share; round++) {
        // A history of its own for every few strikes, so that none grows without bound.
        try (Workload load = Workload.start(cluster, "random-" + round, SEED + round)) {
          load.awaitProgress(cluster.nodes());
          for (int strike = 0; strike < STRIKES; strike++) {
            // Of each round's strikes one at least changes the members.
            Nemesis nemesis = Nemesis.oneOf(strike == 0 ? first() : FAULTS, random);
            SplittableRandom own = random.split();
            String why = nemesis.whyImpossible(cluster);
            System.out.printf(
                "round %d of %s: %s%s%n",
                round, cluster.nodes(), nemesis, why == null ? "" : " SKIPPED: " + why);
            if (why == null) {
              long millis = MINUTES == 0 ? SHORT_MILLIS : own.nextLong(LONG_MILLIS);
              nemesis.strike(cluster, load, own, millis);
              load.awaitProgress(cluster.nodes());
            }
          }
          load.judge();
          heavy.assertComplete();
        }
      }
    }
  }

  /// What a round begins with.
  private static List<Nemesis> first() {
    if (MINUTES == 0 && CHOSEN.isEmpty()) {
      return LONG;
    }
    List<Nemesis> changes = FAULTS.stream().filter(Nemesis::changesMembers).toList();
    return changes.isEmpty() ? FAULTS : changes;
  }

  static List<Nemesis> faults() {
    return CHOSEN.isEmpty()
        ? FAULTS.stream().filter(fault -> !LONG.contains(fault)).toList()
        : CHOSEN;
  }

  /// The short run leaves three nodes to the faults in turn.
  static List<Integer> sizes() {
    return MINUTES == 0 ? List.of(5) : List.of(3, 5);
  }

  private KvCluster three() {
    if (three == null) {
      three = KvCluster.start(3);
      ballast = Ballast.load(three);
    }
    return three;
  }

  private static void skipIf(Nemesis nemesis, KvCluster cluster) {
    String why = nemesis.whyImpossible(cluster);
    if (why != null) {
      System.out.println("SKIPPED " + nemesis + ": " + why);
      Assumptions.abort(why);
    }
  }
}
