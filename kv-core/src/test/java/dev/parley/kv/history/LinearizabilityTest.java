package dev.parley.kv.history;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.history.Operation.Condition;
import dev.parley.kv.history.Operation.Outcome;
import dev.parley.kv.history.Operation.Request;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The checker says what an obviously correct one says, finds every sort of lie in long histories,
/// and says briefly where it is.
class LinearizabilityTest {

  private static final int SMALL_HISTORIES = Integer.getInteger("parley.history.seeds", 15_000);

  private static final Condition ALWAYS = new Condition.Always();

  @Test
  void saysOfSmallHistoriesWhatTryingEveryOrderSays() {
    int linearizable = 0;
    int broken = 0;
    for (int seed = 0; seed < SMALL_HISTORIES; seed++) {
      RandomGenerator random = new SplittableRandom(seed);
      int size = 1 + random.nextInt(6);
      List<Operation> history =
          switch (seed % 3) {
            case 0 -> arbitrary(random, size);
            case 1 -> new FakeStore(random, 3, 0.3).run(size);
            default -> lie(random, new FakeStore(random, 3, 0.3).run(size));
          };
      boolean expected = new EveryOrder(history).explains();
      Verdict verdict = Linearizability.check(history);
      int tried = seed;
      assertEquals(
          expected,
          verdict instanceof Verdict.Linearizable,
          () -> "seed " + tried + ": " + verdict + "\n" + print(history));
      if (seed % 3 == 1) {
        assertTrue(expected, () -> "a history of a correct store, seed " + tried);
      }
      if (verdict instanceof Verdict.Violation violation) {
        broken++;
        // What is left out of an excerpt may have happened or not; even so it cannot be explained.
        assertTrue(
            !new EveryOrder(rest(history, violation)).explains(), () -> "excerpt of " + tried);
      } else {
        linearizable++;
      }
    }
    assertTrue(linearizable > SMALL_HISTORIES / 3, "linearizable: " + linearizable);
    assertTrue(broken > SMALL_HISTORIES / 4, "broken: " + broken);
  }

  @Test
  void decidesTenThousandOperationsOnOneKeyOfManyClients() {
    List<Operation> history = new FakeStore(new SplittableRandom(1), 20, 0.05).run(10_000);
    Verdict verdict = Linearizability.check(history);
    var linearizable = assertInstanceOf(Verdict.Linearizable.class, verdict);
    assertTrue(linearizable.states() < 40_000, () -> "took " + linearizable.states() + " states");
  }

  @Test
  void decidesWithoutVersionsToo() {
    List<Operation> history = new ArrayList<>();
    for (Operation op : new FakeStore(new SplittableRandom(2), 8, 0.02).run(3000)) {
      Outcome outcome =
          switch (op.outcome()) {
            case Outcome.Found(_, var value) -> new Outcome.Found(Outcome.UNTOLD, value);
            case Outcome.Applied(_, var existed) -> new Outcome.Applied(Outcome.UNTOLD, existed);
            case Outcome.Conflict(var version) when version > 0 ->
                new Outcome.Conflict(Outcome.UNTOLD);
            default -> op.outcome();
          };
      history.add(with(op, op.request(), outcome));
    }
    assertInstanceOf(Verdict.Linearizable.class, Linearizability.check(history));
  }

  /// Lies that a broken store may tell, each a small change of a true history.
  enum Lie {
    STALE_READ {
      @Override
      List<Operation> tell(List<Operation> truth, int middle) {
        Operation old = truth.stream().filter(Lie::isFound).findFirst().orElseThrow();
        return replaced(truth, next(truth, middle, Lie::isFound), old.outcome());
      }
    },
    LOST_WRITE {
      @Override
      List<Operation> tell(List<Operation> truth, int middle) {
        // Acknowledged, but never done: as if it had come after all others.
        List<Operation> longer = new ArrayList<>(truth);
        Operation near = next(truth, middle, Lie::isApplied);
        long at = near.ended() + 1000;
        long version = near.outcome() instanceof Outcome.Applied(var made, _) ? made - 1 : 0;
        longer.add(
            new Operation(
                1_000_000,
                99,
                "k",
                at,
                at,
                new Request.Put("lost", ALWAYS),
                new Outcome.Applied(version, true)));
        return longer;
      }
    },
    WRITE_APPLIED_TWICE {
      @Override
      List<Operation> tell(List<Operation> truth, int middle) {
        Operation found = next(truth, middle, Lie::isFound);
        if (found.outcome() instanceof Outcome.Found(var version, var value)) {
          return replaced(truth, found, new Outcome.Found(version + 1, value));
        }
        throw new IllegalStateException();
      }
    },
    ABSENT_THOUGH_PRESENT {
      @Override
      List<Operation> tell(List<Operation> truth, int middle) {
        List<Operation> puts = new FakeStore(new SplittableRandom(7), 1, 0).puts(50);
        long end = puts.getLast().ended();
        puts.add(
            new Operation(60, 3, "k", end + 1, end + 2, new Request.Read(), new Outcome.Absent()));
        return puts;
      }
    },
    FAILED_CONDITION_THAT_HELD {
      @Override
      List<Operation> tell(List<Operation> truth, int middle) {
        List<Operation> puts = new FakeStore(new SplittableRandom(7), 1, 0).puts(50);
        Operation last = puts.getLast();
        long version = last.outcome() instanceof Outcome.Applied(var made, _) ? made : 0;
        puts.add(
            new Operation(
                60,
                3,
                "k",
                last.ended() + 1,
                last.ended() + 2,
                new Request.Put("w", new Condition.At(version)),
                new Outcome.Conflict(version + 5)));
        return puts;
      }
    };

    abstract List<Operation> tell(List<Operation> truth, int middle);

    static boolean isFound(Operation operation) {
      return operation.outcome() instanceof Outcome.Found;
    }

    static boolean isApplied(Operation operation) {
      return operation.outcome() instanceof Outcome.Applied;
    }

    static Operation next(
        List<Operation> truth, int from, java.util.function.Predicate<Operation> which) {
      return truth.subList(from, truth.size()).stream().filter(which).findFirst().orElseThrow();
    }

    static List<Operation> replaced(List<Operation> truth, Operation which, Outcome outcome) {
      return truth.stream()
          .map(op -> op.equals(which) ? with(op, op.request(), outcome) : op)
          .toList();
    }
  }

  @ParameterizedTest
  @EnumSource
  void findsTheLieInALongHistoryAndShowsItInAFewLines(Lie lie) {
    List<Operation> truth = new FakeStore(new SplittableRandom(3), 10, 0.05).run(2000);
    assertInstanceOf(Verdict.Linearizable.class, Linearizability.check(truth));
    Verdict verdict = Linearizability.check(lie.tell(truth, 1000));
    Verdict.Violation violation = assertInstanceOf(Verdict.Violation.class, verdict);
    assertTrue(violation.excerpt().size() <= 12, violation::toString);
    System.out.println(lie + ": " + violation);
  }

  @Test
  void namesTheKeyThatIsNotLinearizable() {
    List<Operation> history =
        List.of(
            new Operation(1, 1, "a", 0, 1, new Request.Read(), new Outcome.Absent()),
            new Operation(2, 1, "b", 2, 3, new Request.Read(), new Outcome.Found(1, "x")));
    var violation = assertInstanceOf(Verdict.Violation.class, Linearizability.check(history));
    assertEquals("b", violation.key());
  }

  @Test
  void refusesHistoriesWhoseReadsDoNotTellWhatTheySaw() {
    Operation put =
        new Operation(1, 1, "a", 0, 1, new Request.Put("x", ALWAYS), new Outcome.Applied(1, false));
    Operation again = new Operation(2, 1, "a", 2, 3, put.request(), new Outcome.Applied(2, true));
    assertThrows(IllegalArgumentException.class, () -> Linearizability.check(List.of(put, again)));
  }

  @Test
  void saysSoWhenItGivesUp() {
    List<Operation> history = new FakeStore(new SplittableRandom(1), 20, 0.05).run(1000);
    assertInstanceOf(Verdict.Undecided.class, Linearizability.check(history, 10));
  }

  // Histories.

  /// A store that does one thing at a time, and clients of it that overlap and lose answers.
  private static final class FakeStore {
    private final RandomGenerator random;
    private final int clients;
    private final double lost;
    private String value;
    private long version;
    private long highest;

    FakeStore(RandomGenerator random, int clients, double lost) {
      this.random = random;
      this.clients = clients;
      this.lost = lost;
      this.value = "";
    }

    /// So many operations; each happens at its own instant, begins up to as many instants before
    /// as there are clients, and ends up to as many later.
    List<Operation> run(int count) {
      List<Operation> history = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        Request request = request(random, "v" + i, versionNearby());
        boolean unknown = random.nextDouble() < lost;
        boolean happens = !unknown || random.nextBoolean();
        Outcome outcome = happens ? apply(request) : new Outcome.Unknown();
        // A lost answer may also belong to something that happens long after its begin.
        long at = 10L * i;
        long begun = at - random.nextLong(10L * clients);
        long ended = at + random.nextLong(10L * clients);
        history.add(
            new Operation(
                i,
                i % clients,
                "k",
                begun,
                ended,
                request,
                unknown ? new Outcome.Unknown() : outcome));
      }
      return history;
    }

    /// Only unconditional puts, one after another.
    List<Operation> puts(int count) {
      List<Operation> history = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        Request request = new Request.Put("v" + i, ALWAYS);
        history.add(new Operation(i, 1, "k", 10L * i, 10L * i + 5, request, apply(request)));
      }
      return history;
    }

    private long versionNearby() {
      return random.nextInt(3) == 0
          ? Math.max(1, version - random.nextInt(3))
          : Math.max(1, version);
    }

    private Outcome apply(Request request) {
      boolean exists = version > 0;
      switch (request) {
        case Request.Read() -> {
          return exists ? new Outcome.Found(version, value) : new Outcome.Absent();
        }
        case Request.Put(var body, var condition) -> {
          if (!holds(condition)) {
            return new Outcome.Conflict(version);
          }
          value = body;
          highest += 1 + random.nextInt(3);
          version = highest;
          return new Outcome.Applied(version, exists);
        }
        case Request.Delete(var condition) -> {
          if (!holds(condition)) {
            return new Outcome.Conflict(version);
          }
          if (!exists) {
            return new Outcome.Missing();
          }
          highest += 1 + random.nextInt(3);
          version = 0;
          return new Outcome.Applied(highest, true);
        }
      }
    }

    private boolean holds(Condition condition) {
      return switch (condition) {
        case Condition.Always() -> true;
        case Condition.Absent() -> version == 0;
        case Condition.Present() -> version > 0;
        case Condition.At(var demanded) -> version > 0 && version == demanded;
      };
    }
  }

  private static Request request(RandomGenerator random, String value, long version) {
    Condition condition =
        switch (random.nextInt(6)) {
          case 0 -> new Condition.Absent();
          case 1 -> new Condition.Present();
          case 2 -> new Condition.At(version);
          default -> ALWAYS;
        };
    return switch (random.nextInt(8)) {
      case 0, 1, 2 -> new Request.Read();
      case 3 -> new Request.Delete(condition instanceof Condition.Absent ? ALWAYS : condition);
      default -> new Request.Put(value, condition);
    };
  }

  /// Any operations with any answers; most of these make no sense.
  private static List<Operation> arbitrary(RandomGenerator random, int size) {
    List<Operation> history = new ArrayList<>();
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      requests.add(request(random, "v" + i, 1 + random.nextInt(5)));
    }
    for (int i = 0; i < size; i++) {
      long begun = random.nextInt(12);
      Request request = requests.get(i);
      history.add(
          new Operation(
              i,
              i,
              "k",
              begun,
              begun + random.nextInt(8),
              request,
              outcome(random, request, size)));
    }
    return history;
  }

  private static Outcome outcome(RandomGenerator random, Request request, int size) {
    if (random.nextInt(4) == 0) {
      return random.nextInt(3) == 0 ? new Outcome.NotApplied() : new Outcome.Unknown();
    }
    long version = random.nextInt(5) == 0 ? Outcome.UNTOLD : 1 + random.nextInt(5);
    return switch (request) {
      case Request.Read() ->
          random.nextInt(3) == 0
              ? new Outcome.Absent()
              : new Outcome.Found(version, "v" + random.nextInt(size));
      case Request.Put(_, var condition) ->
          condition instanceof Condition.Always || random.nextBoolean()
              ? new Outcome.Applied(version, random.nextBoolean())
              : conflict(random, condition);
      case Request.Delete(var condition) ->
          condition instanceof Condition.Always
              ? (random.nextBoolean() ? new Outcome.Missing() : new Outcome.Applied(version, true))
              : (random.nextBoolean()
                  ? conflict(random, condition)
                  : new Outcome.Applied(version, true));
    };
  }

  private static Outcome conflict(RandomGenerator random, Condition condition) {
    return condition instanceof Condition.Absent && random.nextInt(3) == 0
        ? new Outcome.Conflict(Outcome.UNTOLD)
        : new Outcome.Conflict(random.nextInt(5));
  }

  /// One operation of the history gets another's answer, another answer, or another time.
  private static List<Operation> lie(RandomGenerator random, List<Operation> truth) {
    List<Operation> history = new ArrayList<>(truth);
    int which = random.nextInt(history.size());
    Operation op = history.get(which);
    if (random.nextBoolean()) {
      history.set(which, with(op, op.request(), outcome(random, op.request(), history.size())));
    } else {
      long shift = random.nextInt(60) - 30;
      history.set(
          which,
          new Operation(
              op.number(),
              op.client(),
              op.key(),
              op.begun() + shift,
              op.ended() + shift,
              op.request(),
              op.outcome()));
    }
    Collections.shuffle(history, new java.util.Random(random.nextLong()));
    return history;
  }

  /// The history in which all answers but those of the excerpt are forgotten.
  private static List<Operation> rest(List<Operation> history, Verdict.Violation violation) {
    return history.stream()
        .map(
            op ->
                violation.excerpt().stream().anyMatch(kept -> kept.number() == op.number())
                    ? op
                    : with(
                        op,
                        op.request(),
                        op.outcome() instanceof Outcome.Applied
                                || op.outcome() instanceof Outcome.Unknown
                            ? new Outcome.Unknown()
                            : new Outcome.NotApplied()))
        .toList();
  }

  private static Operation with(Operation op, Request request, Outcome outcome) {
    return new Operation(
        op.number(), op.client(), op.key(), op.begun(), op.ended(), request, outcome);
  }

  private static String print(List<Operation> history) {
    StringBuilder text = new StringBuilder();
    history.forEach(op -> text.append(op.describe(0)).append('\n'));
    return text.toString();
  }
}
