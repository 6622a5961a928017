package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Within small bounds, no order of events whatsoever makes the store lie; with any of the planted
/// bugs one does, and the shortest such order is printed.
///
/// `-Dparley.exhaustive=large` searches the larger bounds as well.
class ExhaustiveTest {

  private static final boolean LARGE = "large".equals(System.getProperty("parley.exhaustive"));

  static List<BoundedScenario> scenarios() {
    List<BoundedScenario> scenarios = new ArrayList<>(BoundedScenario.read(false));
    scenarios.addAll(LARGE ? BoundedScenario.read(true) : List.of());
    System.out.println(StateSpace.Result.header());
    return scenarios;
  }

  @ParameterizedTest
  @MethodSource("scenarios")
  void noOrderOfEventsBreaksAPromise(BoundedScenario scenario) {
    StateSpace.Result result = StateSpace.search(scenario, Rules::new);
    System.out.println(result);
    assertNull(result.violation());
    if (scenario.members().move() && scenario.budget().rests() > 0) {
      assertEquals(3, result.epoch(), "the key never came to its new nodes alone");
    }
  }

  @Test
  void aSearchFindsTheSameStatesEachTime() {
    BoundedScenario scenario = named("three writers");
    StateSpace.Result once = StateSpace.search(scenario, Rules::new);
    StateSpace.Result again = StateSpace.search(scenario, Rules::new);
    assertEquals(once.states(), again.states());
    assertEquals(once.transitions(), again.transitions());
    assertEquals(Set.of(), CanonicalForm.staleNames());
  }

  /// What keeps the number of states down changes nothing that a client could see.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "a new key, two writers",
        "a retry elsewhere",
        "two writers after a restart",
        "a purge and a create",
        "one of two replaced, a writer"
      })
  void theReductionsLoseNoHistory(String name) {
    StateSpace.Result reduced = StateSpace.search(named(name), Rules::new);
    StateSpace.Result all = StateSpace.searchAll(named(name), Rules::new);
    System.out.println(all + " without reductions");
    assertEquals(all.histories(), reduced.histories());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "two writers, a crash",
        "a writer, two reads in turn",
        "given up early, two writers",
        "forwarded, two notices",
        "a purge and a create",
        "one replaced, two writers"
      })
  void nodesThatAreLookedUpDoWhatRealOnesDo(String name) {
    assertNull(StateSpace.walk(named(name), 1, 100));
  }

  @ParameterizedTest
  @EnumSource
  void findsThePlantedBug(Bug bug) {
    StateSpace.Result result = StateSpace.search(named(bug.scenario), bug.rules);
    assertNotNull(result.violation(), () -> bug + " was not found in " + result);
    System.out.println(bug + ", found after " + result.states() + " states: " + result.violation());
  }

  private static BoundedScenario named(String name) {
    return BoundedScenario.read(false).stream()
        .filter(scenario -> scenario.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  enum Bug {
    ACCEPT_WITHOUT_PROMISE_CHECK(
        "three writers",
        () ->
            new Rules() {
              @Override
              boolean mayAccept(Ballot effective, Ballot accepted, Ballot ballot) {
                return ballot.compareTo(accepted) > 0;
              }
            }),
    PREPARE_IGNORES_ACCEPTED(
        "two writers, an alarm",
        () ->
            new Rules() {
              @Override
              boolean promiseTellsAccepted() {
                return false;
              }
            }),
    READ_FROM_ONE_REPLICA(
        "a writer, two reads in turn",
        () ->
            new Rules() {
              @Override
              int readQuorum(int members) {
                return 1;
              }
            }),
    FAILED_CONDITION_ANSWERED_FROM_AN_UNDECIDED_VALUE(
        "two replacements, an alarm",
        () ->
            new Rules() {
              @Override
              boolean known(Collection<Ballot> acceptedInQuorum) {
                return true;
              }
            }),
    MINORITY_IS_A_QUORUM(
        "a new key, two writers, a crash",
        () ->
            new Rules() {
              @Override
              int majority(int members) {
                return 1;
              }
            }),
    REPLY_BEFORE_FORCE(
        "a new key, two writers, a crash",
        () ->
            new Rules() {
              @Override
              long replyAfter(long lsn) {
                return 0;
              }
            }),
    PROMISE_FORGOTTEN_BY_A_RESTART(
        "two writers, a crash",
        () ->
            new Rules() {
              @Override
              Ballot effectivePromise(
                  Ballot promised, Ballot accepted, Ballot recovered, @Nullable Ballot absent) {
                return super.effectivePromise(promised, accepted, Ballot.ZERO, absent);
              }
            }),
    A_REPEATED_ACCEPT_LOWERS_THE_PROMISE(
        "a warm writer in turn, a duplicate",
        () ->
            new Rules() {
              @Override
              boolean mayPromiseNext(Ballot effective, Ballot next) {
                return !next.equals(Ballot.ZERO);
              }
            }),
    PURGED_WITHOUT_A_FLOOR(
        "a purge, a create, a duplicate",
        () ->
            new Rules() {
              @Override
              long floorAfterPurge(long floor, Ballot accepted, long version, Ballot promised) {
                return floor;
              }
            }),
    RETRIES_NOT_RECOGNISED(
        "a retry elsewhere",
        () ->
            new Rules() {
              @Override
              Versioned.@Nullable Trace remembered(@Nullable Versioned current, OpId op) {
                return null;
              }
            }),
    OLD_QUORUM_ONLY_WHILE_JOINT(
        "one replaced, a write, then a read",
        () ->
            new Rules() {
              @Override
              boolean countsNext() {
                return false;
              }
            }),
    NEW_QUORUM_ONLY_WHILE_JOINT(
        "one replaced, two writers",
        () ->
            new Rules() {
              @Override
              boolean quorum(Replicas replicas, Collection<String> voters) {
                return super.quorum(newOnly(replicas), voters);
              }

              @Override
              boolean readQuorum(Replicas replicas, Collection<String> voters) {
                return super.readQuorum(newOnly(replicas), voters);
              }

              private Replicas newOnly(Replicas replicas) {
                return replicas.joint() ? Replicas.stable(replicas.next()) : replicas;
              }
            }),
    NOTHING_IS_TRANSFERRED(
        "one replaced, a write, then a read",
        () ->
            new Rules() {
              @Override
              boolean transfers() {
                return false;
              }
            }),
    OLD_EPOCH_NOT_FENCED(
        "one of two replaced, a writer",
        () ->
            new Rules() {
              @Override
              boolean sameEpoch(long request, long replica) {
                return request <= replica;
              }
            }),
    FLOORS_NOT_RAISED(
        "one replaced after a purge",
        () ->
            new Rules() {
              @Override
              long floorOfMove(long bound) {
                return 0;
              }
            });

    private final String scenario;
    private final Supplier<Rules> rules;

    /// @param scenario one in which it does harm
    Bug(String scenario, Supplier<Rules> rules) {
      this.scenario = scenario;
      this.rules = rules;
    }
  }
}
