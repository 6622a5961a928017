package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Random histories in a hostile world are linearizable; with any of the planted bugs they are not.
///
/// `./parley sim` runs more of them, or one again.
class SimulatorTest {

  private static final int SEEDS = Integer.getInteger("parley.sim.seeds", 800);

  /// Seeds within which a planted bug must be found.
  private static final int BUDGET = 3000;

  @Test
  void noSeedBreaksTheProtocolAndEveryFaultHappens() {
    Set<Fault> happened = EnumSet.noneOf(Fault.class);
    long operations = 0;
    for (long seed = 1; seed <= SEEDS; seed++) {
      Simulation.Outcome outcome = Simulation.run(seed, Simulation.World.correct());
      assertNull(outcome.violation(), outcome::story);
      happened.addAll(outcome.faults().keySet());
      operations += outcome.operations();
    }
    System.out.printf("%d seeds, %d operations: no violation%n", SEEDS, operations);
    assertEquals(EnumSet.allOf(Fault.class), happened);
  }

  @Test
  void theSameSeedGivesTheSameHistory() {
    int told = 0;
    for (long seed = 1; seed <= 20; seed++) {
      Simulation.World world = PlantedBug.MINORITY_IS_A_QUORUM.world();
      Simulation.Outcome first = Simulation.run(seed, world);
      assertEquals(first, Simulation.run(seed, world));
      told += first.story().isEmpty() ? 0 : 1;
    }
    assertTrue(told > 0);
  }

  @ParameterizedTest
  @EnumSource
  void findsThePlantedBug(PlantedBug bug) {
    Simulation.Outcome found = null;
    for (long seed = 1; found == null && seed <= BUDGET; seed++) {
      Simulation.Outcome outcome = Simulation.glance(seed, bug.world());
      found = outcome.violation() == null ? null : outcome;
    }
    assertNotNull(found, () -> bug + " was not found within " + BUDGET + " seeds");
    System.out.println(bug + ": seed " + found.seed() + ": " + found.violation());
  }
}
