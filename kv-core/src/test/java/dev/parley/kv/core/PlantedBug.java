package dev.parley.kv.core;

import java.util.Collection;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The bugs that the simulator must find, each a world in which one thing is done wrong.
enum PlantedBug {
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
  BALLOT_REUSED_AFTER_A_TIMEOUT(
      () ->
          new Rules() {
            @Override
            boolean reusesBallots() {
              return true;
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
  DIRTY_READ(
      () ->
          new Rules() {
            @Override
            boolean completesReads() {
              return false;
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
              return members / 2;
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
  FORCE_SKIPPED(new Simulation.World(Rules::new, MemoryDisk.Honesty.SKIPS_FORCE, false, false)),
  CHECKSUM_IGNORED(
      new Simulation.World(Rules::new, MemoryDisk.Honesty.SEALS_TORN_GROUPS, false, false)),
  RECORD_LOST_BY_RECOVERY(new Simulation.World(Rules::new, MemoryDisk.Honesty.HONEST, true, false)),
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
          }),
  RETRY_TOLD_THE_CURRENT_VERSION(
      () ->
          new Rules() {
            @Override
            Versioned.@Nullable Trace remembered(@Nullable Versioned current, OpId op) {
              Versioned.Trace done = super.remembered(current, op);
              return done == null || current == null
                  ? null
                  : new Versioned.Trace(op, current.version(), done.existed());
            }
          }),
  BASE_NOT_COMPARED(
      () ->
          new Rules() {
            @Override
            boolean memoryReaches(long base, long windowStart) {
              return true;
            }
          }),
  EVICTION_DOES_NOT_RAISE_THE_WINDOW(
      () ->
          new Rules() {
            @Override
            Versioned after(
                @Nullable Versioned before, Mutation mutation, long version, long floor) {
              Versioned value = super.after(before, mutation, version, floor);
              long start = before == null ? floor : before.windowStart();
              return new Versioned(
                  value.version(), value.body(), value.memory(), start, value.expiresAtMillis());
            }
          }),
  VERSION_IS_THE_BALLOT(
      () ->
          new Rules() {
            @Override
            long nextVersion(Ballot ballot, long version, long floor) {
              return ballot.counter();
            }
          }),
  VERSION_RESTARTS_AFTER_A_PURGE(
      () ->
          new Rules() {
            @Override
            long nextVersion(Ballot ballot, long version, long floor) {
              return version + 1;
            }
          }),
  PURGE_WITHOUT_FLOOR(
      () ->
          new Rules() {
            @Override
            long floorAfterPurge(long floor, Ballot accepted, long version, Ballot promised) {
              return floor;
            }
          }),
  FLOOR_DROPS_THE_PROMISE(
      () ->
          new Rules() {
            @Override
            long floorAfterPurge(long floor, Ballot accepted, long version, Ballot promised) {
              return super.floorAfterPurge(floor, accepted, version, Ballot.ZERO);
            }
          }),
  PURGE_BY_A_MAJORITY_ONLY(
      () ->
          new Rules() {
            @Override
            boolean purgeable(Replicas replicas, Collection<String> holders) {
              return quorum(replicas, holders);
            }
          }),
  DUPLICATE_COUNTED_AS_A_PROMISE_OF_NEXT(
      () ->
          new Rules() {
            @Override
            boolean mayPromiseNext(Ballot effective, Ballot next) {
              return !next.equals(Ballot.ZERO);
            }
          });

  private final Simulation.World world;

  PlantedBug(Supplier<Rules> rules) {
    this(new Simulation.World(rules, MemoryDisk.Honesty.HONEST, false, false));
  }

  PlantedBug(Simulation.World world) {
    this.world = world;
  }

  /// The world in which it is planted.
  Simulation.World world() {
    return world;
  }
}
