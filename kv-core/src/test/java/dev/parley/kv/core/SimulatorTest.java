package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.Collection;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Random histories in a hostile world are linearizable; with any of the planted bugs they are not.
///
/// `mvn -pl kv-core test -Dparley.sim.seeds=N` runs more of them, `-Dparley.sim.seed=S` one.
class SimulatorTest {

  private static final int SEEDS = Integer.getInteger("parley.sim.seeds", 600);

  /// Seeds within which a planted bug must be found.
  private static final int BUDGET = 8000;

  @Test
  void everyHistoryIsLinearizable() {
    Long only = Long.getLong("parley.sim.seed");
    if (only != null) {
      assertNull(Simulation.run(only, Simulation.World.correct()));
      return;
    }
    for (long seed = 1; seed <= SEEDS; seed++) {
      assertNull(Simulation.run(seed, Simulation.World.correct()));
    }
  }

  @Test
  void theSameSeedGivesTheSameHistory() {
    Simulation.World world = new Simulation.World(Bug.MINORITY_IS_A_QUORUM.rules, false);
    for (long seed = 1; seed <= 20; seed++) {
      assertEquals(Simulation.run(seed, world), Simulation.run(seed, world));
    }
  }

  @ParameterizedTest
  @EnumSource
  void findsThePlantedBug(Bug bug) {
    String found = null;
    for (long seed = 1; found == null && seed <= BUDGET; seed++) {
      found = Simulation.run(seed, new Simulation.World(bug.rules, bug == Bug.FORCE_SKIPPED));
    }
    assertNotNull(found, () -> bug + " was not found within " + BUDGET + " seeds");
    System.out.println(bug + ": " + found.lines().findFirst().orElseThrow());
  }

  enum Bug {
    ACCEPT_WITHOUT_PROMISE_CHECK(
        () ->
            new Rules() {
              @Override
              boolean mayAccept(Ballot effective, Ballot accepted, Ballot ballot) {
                return ballot.compareTo(accepted) > 0;
              }
            }),
    PREPARE_IGNORES_ACCEPTED(
        () ->
            new Rules() {
              @Override
              boolean promiseTellsAccepted() {
                return false;
              }
            }),
    READ_FROM_ONE_REPLICA(
        () ->
            new Rules() {
              @Override
              int readQuorum(int members) {
                return 1;
              }
            }),
    FAILED_CONDITION_ANSWERED_FROM_AN_UNDECIDED_VALUE(
        () ->
            new Rules() {
              @Override
              boolean known(Collection<Ballot> acceptedInQuorum) {
                return true;
              }
            }),
    MINORITY_IS_A_QUORUM(
        () ->
            new Rules() {
              @Override
              int majority(int members) {
                return 1;
              }
            }),
    REPLY_BEFORE_FORCE(
        () ->
            new Rules() {
              @Override
              long replyAfter(long lsn) {
                return 0;
              }
            }),
    FORCE_SKIPPED(Rules::new),
    PROMISE_FORGOTTEN_BY_A_RESTART(
        () ->
            new Rules() {
              @Override
              Ballot effectivePromise(
                  Ballot promised, Ballot accepted, Ballot recovered, @Nullable Ballot absent) {
                return super.effectivePromise(promised, accepted, Ballot.ZERO, absent);
              }
            }),
    RETRIES_NOT_RECOGNISED(
        () ->
            new Rules() {
              @Override
              Versioned.@Nullable Trace remembered(@Nullable Versioned current, OpId op) {
                return null;
              }
            });

    private final Supplier<Rules> rules;

    Bug(Supplier<Rules> rules) {
      this.rules = rules;
    }
  }
}
