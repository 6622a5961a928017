package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// The coordinator `a`, asked by hand, with the words of `b` and `c` put into its ear.
class KeyQueueTest {

  /// A key that `a` is the first to coordinate.
  private static final Key KEY = Formed.keyOf("a", List.of("a", "b", "c"));
  private static final Message.Scope SCOPE = new Message.Scope(1);
  private static final OpId OP = new OpId(1, 1);

  private final List<Message> toB = new ArrayList<>();
  private final TreeMap<String, Long> pings = new TreeMap<>();
  private final List<Answer> answers = new ArrayList<>();
  private NodeCore core = start(null);
  private long now;

  /// Node `a`, which accepted `value` at the ballot 5.b.1 before, or nothing.
  private NodeCore start(@Nullable Versioned value) {
    Acceptor acceptor = new Acceptor("a");
    List<String> ids = List.of("a", "b", "c");
    List<LogRecord> log = new ArrayList<>(Formed.log(ids, "a"));
    if (value != null) {
      log.add(new LogRecord.Entry(KEY, new Ballot(5, "b", 1), value));
    }
    long next = Records.replay(log, 1, acceptor.replay());
    core =
        new NodeCore("a", Layout.of(ids), acceptor, next, Timing.local(), new SplittableRandom(1));
    carryOut(core.start(0));
    heard("b", Formed.pong(core));
    return core;
  }

  private void carryOut(List<Effect> first) {
    ArrayDeque<Effect> effects = new ArrayDeque<>(first);
    while (!effects.isEmpty()) {
      switch (effects.remove()) {
        case Effect.Append(var lsn, _) -> effects.addAll(core.step(now, new Event.Durable(lsn)));
        case Effect.Respond(_, var answer) -> answers.add(answer);
        case Effect.Send(var to, var message) -> {
          if (message instanceof Message.Ping ping) {
            pings.put(to, ping.call());
          }
          if (to.equals("b")) {
            toB.add(message);
          }
        }
        case Effect.DropBelow _, Effect.LayoutChanged _ -> {}
        case Effect.Halt(var reason) -> throw new AssertionError(reason);
      }
    }
  }

  private void heard(String from, Message message) {
    carryOut(core.step(now, new Event.Received(from, 1, message)));
  }

  private void write(Mutation mutation) {
    carryOut(core.step(now, new Event.Write(1, KEY, mutation)));
  }

  private <T extends Message> List<T> sent(Class<T> type) {
    return toB.stream().filter(type::isInstance).map(type::cast).toList();
  }

  /// The ballot `a` prepares next, after it has lost the one before.
  private Message.Prepare nextPrepare() {
    int before = sent(Message.Prepare.class).size();
    for (int i = 0; i < 1000 && sent(Message.Prepare.class).size() == before; i++) {
      now += 1_000_000;
      carryOut(core.step(now, new Event.Tick()));
    }
    return sent(Message.Prepare.class).getLast();
  }

  private static Versioned value(
      long version, @Nullable String body, long windowStart, int operations) {
    List<Versioned.Trace> traces =
        IntStream.range(0, operations)
            .mapToObj(i -> new Versioned.Trace(new OpId(9, i), version, true))
            .toList();
    return Versioned.of(version, body == null ? null : bytes(body), traces, windowStart);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /// Lets `a` send an Accept of the mutation that `a` itself and `b` refuse, so that only `c` may
  /// hold it, and lose its ballot by that.
  private void proposeAndLose(Mutation mutation, Message.Promise promiseOfC) {
    write(mutation);
    heard("b", new Message.Prepare(SCOPE, 900, KEY, new Ballot(50_000_000, "b", 1), Ballot.ZERO));
    long call = sent(Message.Prepare.class).getLast().call();
    heard(
        "c",
        new Message.Promise(
            call, promiseOfC.accepted(), promiseOfC.value(), promiseOfC.floor(), false));
    Message.Accept accept = sent(Message.Accept.class).getLast();
    heard("b", new Message.Nack(accept.call(), new Ballot(50_000_000, "b", 1)));
    assertEquals(List.of(), answers);
  }

  @Test
  void aConflictIsAnsweredOnlyAfterAnEarlierProposalOfTheSameWriteIsBuried() {
    Versioned chosen = value(5, "x", 0, 1);
    start(chosen);
    // A delete that only c accepted is not chosen, but makes the key look absent for a moment.
    proposeAndLose(
        new Mutation(OP, new Precondition.Absent(), bytes("y"), Mutation.NO_BASE),
        new Message.Promise(0, new Ballot(7, "c", 1), value(7, null, 0, 2), 0, false));

    Message.Prepare second = nextPrepare();
    heard("b", new Message.Promise(second.call(), new Ballot(5, "b", 1), chosen, 0, false));

    // c may still hold the write below this ballot: if nothing above it is accepted, a later
    // ballot would find it there and bring it to life after its refusal was answered.
    assertEquals(List.of(), answers);
    Message.Accept burial = sent(Message.Accept.class).getLast();
    assertEquals(second.ballot(), burial.ballot());
    assertEquals(5, burial.value().version());
    heard("b", accepted(burial));
    assertEquals(List.of(new Answer.Conflict(5)), answers);
  }

  @Test
  void aProposedWriteThatFindsNothingToBuryItWithIsUnknown() {
    start(null);
    proposeAndLose(
        new Mutation(OP, new Precondition.Present(), bytes("y"), Mutation.NO_BASE),
        new Message.Promise(0, new Ballot(7, "c", 1), value(7, "x", 0, 1), 0, false));
    Message.Prepare second = nextPrepare();
    heard("b", new Message.Promise(second.call(), Ballot.ZERO, null, 0, false));
    assertEquals(1, answers.size());
    assertInstanceOf(Answer.Unknown.class, answers.getFirst());
  }

  @Test
  void aProposedWriteThatTheKeyNoLongerRemembersIsUnknownNotForgotten() {
    Versioned chosen = value(5, "x", 0, 1);
    start(chosen);
    proposeAndLose(
        new Mutation(OP, new Precondition.Always(), bytes("y"), Mutation.NO_BASE),
        new Message.Promise(0, new Ballot(5, "b", 1), chosen, 0, false));
    Message.Prepare second = nextPrepare();
    // It was chosen, and so many writes followed that its trace is gone.
    Versioned later = value(40_000_000, "z", 30_000_000, Versioned.WINDOW);
    heard("b", new Message.Promise(second.call(), new Ballot(40_000_000, "c", 1), later, 0, false));
    heard("b", accepted(sent(Message.Accept.class).getLast()));
    assertEquals(1, answers.size());
    assertInstanceOf(Answer.Unknown.class, answers.getFirst());
  }

  @Test
  void aNewWriteThatWasOnlyRefusedBeforeItsBallotWasLostGetsANewBase() {
    start(null);
    // There is nothing to delete, but that must be completed before it may be told.
    proposeAndLose(
        new Mutation(OP, new Precondition.Always(), null, Mutation.NO_BASE),
        new Message.Promise(0, new Ballot(7, "c", 1), value(7, null, 0, 1), 0, false));
    Message.Prepare second = nextPrepare();
    Versioned later = value(40_000_000, "z", 30_000_000, Versioned.WINDOW);
    heard("b", new Message.Promise(second.call(), new Ballot(40_000_000, "c", 1), later, 0, false));
    heard("b", accepted(sent(Message.Accept.class).getLast()));
    assertEquals(1, answers.size());
    assertInstanceOf(Answer.Applied.class, answers.getFirst());
  }

  private static Message.Accepted accepted(Message.Accept accept) {
    return new Message.Accepted(accept.call(), accept.ballot(), true, false);
  }

  @Test
  void aMadeUpVersionInAConditionDoesNotDriveTheVersionsUp() {
    Versioned chosen = value(5, "x", 0, 1);
    start(chosen);
    long madeUp = 999_999_999_999_999_999L;
    write(new Mutation(OP, new Precondition.At(madeUp), bytes("y"), madeUp));
    Message.Prepare first = sent(Message.Prepare.class).getLast();
    heard("b", new Message.Promise(first.call(), new Ballot(5, "b", 1), chosen, 0, false));
    assertEquals(List.of(new Answer.Conflict(5)), answers);

    write(new Mutation(new OpId(1, 2), new Precondition.Always(), bytes("z"), Mutation.NO_BASE));
    assertTrue(sent(Message.Prepare.class).getLast().ballot().counter() < madeUp);
  }

  private void pass(long millis) {
    for (int i = 0; i < millis; i++) {
      now += 1_000_000;
      carryOut(core.step(now, new Event.Tick()));
    }
  }

  /// Lets `id` answer the last ping so many milliseconds from now.
  private void answerPing(String id, long millis) {
    now += millis * 1_000_000;
    heard(id, new Message.Pong(pings.getOrDefault(id, 0L)));
  }

  /// Lets `a` send an Accept that it refuses itself, as b has asked for a higher ballot meanwhile.
  private Message.Accept refuseAccept() {
    write(new Mutation(OP, new Precondition.Always(), bytes("y"), Mutation.NO_BASE));
    long call = sent(Message.Prepare.class).getLast().call();
    heard("b", new Message.Prepare(SCOPE, 900, KEY, new Ballot(50_000_000, "b", 1), Ballot.ZERO));
    heard("c", new Message.Promise(call, Ballot.ZERO, null, 0, false));
    return sent(Message.Accept.class).getLast();
  }

  @Test
  void aBallotThatOneRefusesWaitsUntilTheOthersCanHaveAnswered() {
    start(null);
    answerPing("b", 80);
    answerPing("c", 0);
    Message.Accept accept = refuseAccept();
    int prepares = sent(Message.Prepare.class).size();
    pass(100);
    assertEquals(prepares, sent(Message.Prepare.class).size());
    heard("b", accepted(accept));
    heard("c", accepted(accept));
    assertInstanceOf(Answer.Applied.class, answers.getLast());
  }

  @Test
  void aBallotThatOneRefusesWaitsForNobodyWhoIsGone() {
    start(null);
    answerPing("b", 1);
    answerPing("c", 200);
    write(new Mutation(OP, new Precondition.Always(), bytes("y"), Mutation.NO_BASE));
    Message.Prepare prepare = sent(Message.Prepare.class).getLast();
    carryOut(core.step(now, new Event.Undelivered("c", List.of())));
    heard("b", new Message.Nack(prepare.call(), new Ballot(50_000_000, "b", 1)));
    int prepares = sent(Message.Prepare.class).size();
    // What b took to answer, the disk's share, and a pause of two round trips to b.
    pass(1 + 40 + 4);
    assertEquals(prepares + 1, sent(Message.Prepare.class).size());
  }

  @Test
  void aRefusalDoesNotMakeAPhaseLonger() {
    start(null);
    answerPing("b", 300);
    answerPing("c", 0);
    write(new Mutation(OP, new Precondition.Always(), bytes("y"), Mutation.NO_BASE));
    Message.Prepare prepare = sent(Message.Prepare.class).getLast();
    pass(480);
    int prepares = sent(Message.Prepare.class).size();
    heard("b", new Message.Nack(prepare.call(), new Ballot(50_000_000, "b", 1)));
    pass(20 + 250);
    assertTrue(sent(Message.Prepare.class).size() > prepares, "the phase of 500 ms is over");
  }
}
