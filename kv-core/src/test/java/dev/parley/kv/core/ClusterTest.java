package dev.parley.kv.core;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Whole nodes together, without chance: formation, the fast paths, purging, expiry, and disks that
/// are not what they were.
class ClusterTest {

  private static final List<String> IDS = List.of("a", "b", "c");

  private final QuietCluster cluster = new QuietCluster(Layout.of(IDS));

  private long carried(Class<? extends Message> type) {
    return cluster.carried.stream().filter(type::isInstance).count();
  }

  @Test
  void beginsOnlyWhenAllMembersHaveMet() {
    cluster.start("a");
    cluster.start("b");
    cluster.pass(3000);
    Answer early = cluster.put("a", "k", "x");
    assertInstanceOf(Answer.NotApplied.class, early);
    assertTrue(early.toString().contains("c"), early.toString());

    cluster.start("c");
    cluster.pass(1000);
    assertInstanceOf(Answer.Applied.class, cluster.put("a", "k", "x"));
    assertEquals("x", cluster.get("c", "k"));
  }

  @Test
  void oneMemberThatComesBackLaterIsEnoughOfAMajority() {
    cluster.startAll();
    cluster.put("a", "k", "x");
    IDS.forEach(cluster::stop);
    cluster.start("a");
    cluster.start("b");
    cluster.pass(1000);
    assertEquals("x", cluster.get("b", "k"));
  }

  @Test
  void aKeyThatChangesAgainNeedsOneRoundTrip() {
    cluster.startAll();
    String key = Formed.keyOf("a", IDS).toString();
    cluster.put("a", key, "1");
    cluster.carried.clear();
    for (int i = 2; i < 10; i++) {
      assertInstanceOf(Answer.Applied.class, cluster.put("a", key, "" + i));
    }
    assertEquals(0, carried(Message.Prepare.class));
    assertEquals(2 * 8, carried(Message.Accept.class));
    assertEquals("9", cluster.get("b", key));
  }

  @Test
  void aKeyStaysWarmHoweverManyOthersChangeMeanwhile() {
    cluster.startAll();
    String key = Formed.keyOf("a", IDS).toString();
    cluster.put("a", key, "1");
    for (int i = 0; i < 20_000; i++) {
      cluster.put("a", "other/" + i, "x");
    }
    cluster.carried.clear();
    assertInstanceOf(Answer.Applied.class, cluster.put("a", key, "2"));
    assertEquals(0, carried(Message.Prepare.class));
  }

  @Test
  void aWarmBallotIsUsedOnceEvenIfNobodyHeardOfIt() {
    cluster.startAll();
    Key key = Formed.keyOf("a", IDS);
    cluster.put("a", key.toString(), "1");
    Ballot first = cluster.node("a").core().acceptor().accepted(key);
    cluster.isolate("a");
    assertInstanceOf(Answer.Unknown.class, cluster.put("a", key.toString(), "2"));
    Ballot unheard = cluster.node("a").core().acceptor().accepted(key);
    assertTrue(unheard.compareTo(first) > 0, "it was proposed to the node itself");
    cluster.heal();
    cluster.carried.clear();
    assertInstanceOf(Answer.Applied.class, cluster.put("a", key.toString(), "3"));
    assertTrue(carried(Message.Prepare.class) > 0);
    assertTrue(cluster.node("a").core().acceptor().accepted(key).compareTo(unheard) > 0);
    assertEquals("3", cluster.get("b", key.toString()));
  }

  /// The connection to a node that dies tells only what was not sent. What is on the way to it is
  /// neither answered nor reported as lost.
  @Test
  void aBallotIsNotWaitedForThatOneRefusesWhileAnotherIsSilent() {
    cluster.startAll();
    Key key = Key.of("k0");
    for (int i = 1; !Formed.layout(IDS).placement(key).equals(List.of("a", "b", "c")); i++) {
      key = Key.of("k" + i);
    }
    // What a promised itself by a ballot far above those of b reached c, but not b.
    Ballot high = new Ballot(1_000_000, "a", 1);
    cluster.tell(
        "c",
        new Event.Received(
            "a", 1, new Message.Prepare(new Message.Scope(1), 7, key, high, Ballot.ZERO)));
    cluster.isolate("a");
    cluster.tell("b", new Event.Undelivered("a", List.of()));
    cluster.carried.clear();
    String name = key.toString();
    long before = cluster.now();
    assertInstanceOf(Answer.Applied.class, cluster.put("b", name, "x"));
    assertTrue(carried(Message.Nack.class) > 0);
    long millis = (cluster.now() - before) / 1_000_000;
    assertTrue(millis < 150, () -> "took " + millis + " ms");
  }

  @Test
  void aWarmBallotIsWorthNothingAfterAnotherNodeWrote() {
    cluster.startAll();
    String key = Formed.keyOf("a", IDS).toString();
    cluster.put("a", key, "1");
    cluster.isolate("a");
    cluster.pass(2000);
    assertInstanceOf(Answer.Applied.class, cluster.put("b", key, "2"));
    cluster.heal();
    Answer refused = cluster.write("a", key, new Precondition.Absent(), "3", 0);
    assertInstanceOf(Answer.Conflict.class, refused);
    assertEquals("2", cluster.get("a", key));
  }

  @Test
  void aWriteDoesNotWaitForACoordinatorWhoseConnectionBroke() {
    cluster.startAll();
    Key key = Formed.keyOf("a", IDS);
    cluster.isolate("a");
    Mutation mutation =
        new Mutation(
            new OpId(9, 9), new Precondition.Always(), new byte[] {1}, Mutation.NO_BASE, 0);
    cluster.tell("b", new Event.Write(1, key, mutation));
    cluster.carried.clear();
    assertEquals(0, cluster.node("b").core().counters().hedges());
    cluster.tell("b", new Event.Undelivered("a", List.of()));
    assertEquals(1, cluster.node("b").core().counters().hedges());
    assertEquals(1, carried(Message.Accept.class), "no time has passed");
    cluster.tell("b", new Event.Undelivered("a", List.of()));
    assertEquals(1, cluster.node("b").core().counters().hedges());
  }

  @Test
  void aRefusalIsToldAsSoonAsTheStartIsOverThatCouldHaveContradictedIt() {
    cluster.startAll();
    Key key = Formed.keyOf("a", IDS);
    cluster.put("b", key.toString(), "x");
    cluster.delay(Message.Forward.class::isInstance);
    cluster.answers.clear();
    Mutation mutation =
        new Mutation(new OpId(9, 9), new Precondition.Absent(), new byte[] {1}, 0, 0);
    cluster.tell("b", new Event.Write(1, key, mutation));
    cluster.pass(500);
    assertEquals(1, cluster.node("b").core().counters().hedges());
    assertEquals(List.of(), cluster.answers, "a could still apply it, once the key is deleted");
    cluster.stop("a");
    cluster.start("a");
    cluster.pass(500);
    assertEquals(1, cluster.answers.size());
    assertInstanceOf(Answer.Conflict.class, cluster.answers.getFirst());

    cluster.write("c", key.toString(), new Precondition.Always(), null, 0);
    cluster.release();
    cluster.pass(100);
    assertNull(cluster.get("b", key.toString()));
  }

  @Test
  void aRefusalIsToldOnlyAfterWhatTheStartThatIsOverProposedIsOutranked() {
    cluster.startAll();
    Key key = Formed.keyOf("a", IDS);
    var x = assertInstanceOf(Answer.Applied.class, cluster.put("b", key.toString(), "x"));
    cluster.delay(Message.Forward.class::isInstance);
    OpId op = new OpId(9, 9);
    Mutation mutation = new Mutation(op, new Precondition.Absent(), new byte[] {1}, 0, 0);
    cluster.answers.clear();
    cluster.tell("b", new Event.Write(1, key, mutation));
    cluster.pass(500);
    // What a may leave behind: others promised a ballot of it, but only a itself accepted it, with
    // the write on top of a delete that nobody else has heard of.
    NodeCore ending = cluster.node("a").core();
    Ballot left = new Ballot(x.version() + 500, "a", ending.boot());
    for (String id : List.of("b", "c")) {
      Message.Prepare prepare =
          new Message.Prepare(ending.scope(), ending.silentCall(), key, left, Ballot.ZERO);
      cluster.tell(id, new Event.Received("a", ending.boot(), prepare));
    }
    cluster.stop("a");
    Versioned.Trace trace = new Versioned.Trace(op, left.counter(), false);
    Versioned value = Versioned.of(left.counter(), new byte[] {1}, List.of(trace), 0);
    cluster.node("a").disk.add(new LogRecord.Entry(key, left, value));
    cluster.delay(
        message -> message instanceof Message.Promise promise && promise.accepted().equals(left));
    cluster.start("a");
    cluster.pass(400);
    assertEquals(1, cluster.answers.size());
    assertInstanceOf(Answer.Conflict.class, cluster.answers.getFirst());
    cluster.release();
    cluster.pass(10_000);
    for (String id : IDS) {
      assertEquals("x", cluster.get(id, key.toString()));
    }
  }

  @Test
  void aReadDoesNotWaitForAReplicaWhoseConnectionBroke() {
    cluster.startAll();
    Key key = Formed.keyOf("a", IDS);
    cluster.put("b", key.toString(), "x");
    cluster.isolate("a");
    cluster.answers.clear();
    cluster.carried.clear();
    cluster.tell("b", new Event.Read(1, key));
    assertEquals(List.of(), cluster.answers);
    assertEquals(0, carried(Message.Read.class), "only a was asked, and did not hear it");
    cluster.tell("b", new Event.Undelivered("a", List.of()));
    assertEquals(1, carried(Message.Read.class), "no time has passed");
    assertEquals(1, cluster.answers.size());
    assertInstanceOf(Answer.Found.class, cluster.answers.getFirst());
  }

  @Test
  void aReadOfAnotherReplicaIsNotDisturbedByABrokenConnection() {
    cluster.startAll();
    Key key = Formed.keyOf("a", IDS);
    cluster.put("b", key.toString(), "x");
    cluster.delay(Message.ReadReply.class::isInstance);
    cluster.carried.clear();
    cluster.tell("b", new Event.Read(1, key));
    cluster.tell("b", new Event.Undelivered("c", List.of()));
    assertEquals(1, carried(Message.Read.class));
  }

  /// Leaves b with the value "y" of the key, c with an older one, and a down.
  private void letTwoDiffer(String key) {
    cluster.startAll();
    cluster.put("b", key, "x");
    cluster.isolate("c");
    cluster.pass(2000);
    cluster.put("b", key, "y");
    cluster.stop("a");
    cluster.heal();
    cluster.pass(1);
    cluster.answers.clear();
    cluster.carried.clear();
  }

  @Test
  void aReadOfTwoReplicasThatDifferDoesNotWaitForOneWhoseConnectionBroke() {
    letTwoDiffer("row/1");
    cluster.tell("b", new Event.Read(1, Key.of("row/1")));
    assertEquals(List.of(), cluster.answers);
    cluster.tell("b", new Event.Undelivered("a", List.of()));
    assertEquals(1, cluster.answers.size(), "no time has passed");
    var found = assertInstanceOf(Answer.Found.class, cluster.answers.getFirst());
    assertEquals("y", new String(found.body(), UTF_8));
  }

  @Test
  void aListingOfTwoReplicasThatDifferDoesNotWaitForOneWhoseConnectionBroke() {
    letTwoDiffer("row/1");
    cluster.tell("b", new Event.Scan(1, "row/".getBytes(UTF_8), null, 20));
    assertEquals(0, carried(Message.Read.class));
    cluster.tell("b", new Event.Undelivered("a", List.of()));
    assertEquals(1, carried(Message.Read.class), "no time has passed");
    cluster.pass(100);
    var page = assertInstanceOf(Answer.Page.class, cluster.answers.getFirst());
    assertEquals(1, page.rows().size());
    assertEquals("y", new String(page.rows().getFirst().body(), UTF_8));
  }

  @Test
  void aNodeThatHoldsNoCopyWritesAHotKeyAllTheSame() {
    QuietCluster five = new QuietCluster(Layout.of(List.of("a", "b", "c", "d", "e")));
    five.startAll();
    Key key = Key.of("hot");
    Layout layout = five.node("a").core().layout();
    String outside =
        layout.ids().stream()
            .filter(id -> !layout.replicas(key).all().contains(id))
            .findFirst()
            .orElseThrow();
    String inside = layout.placement(key).getLast();
    for (int i = 0; i < 2 * Versioned.WINDOW; i++) {
      assertInstanceOf(Answer.Applied.class, five.put(inside, "hot", "" + i));
    }
    assertInstanceOf(Answer.Applied.class, five.put(outside, "hot", "x"));
    assertEquals("x", five.get(outside, "hot"));
    assertEquals("x", five.get(inside, "hot"));
  }

  /// Five nodes, with a key that changed more often than it remembers, and the id of a node that
  /// holds no copy of it.
  private static final class HotKey {
    final QuietCluster five = new QuietCluster(Layout.of(List.of("a", "b", "c", "d", "e")));
    final Key key = Key.of("hot");
    final Layout layout;
    final String outside;

    HotKey() {
      five.startAll();
      layout = five.node("a").core().layout();
      outside =
          layout.ids().stream()
              .filter(id -> !layout.replicas(key).all().contains(id))
              .findFirst()
              .orElseThrow();
      for (int i = 0; i < 2 * Versioned.WINDOW; i++) {
        assertInstanceOf(
            Answer.Applied.class, five.put(layout.placement(key).getFirst(), "hot", "" + i));
      }
      five.answers.clear();
    }

    void write(Precondition condition) {
      five.tell(
          outside,
          new Event.Write(
              1,
              key,
              new Mutation(new OpId(9, 9), condition, "x".getBytes(UTF_8), Mutation.NO_BASE)));
    }
  }

  @Test
  void aNewWriteIsNotForgottenBecauseBothItsWaysKnewTooLittle() {
    HotKey hot = new HotKey();
    hot.five.delay(Message.Forward.class::isInstance);
    hot.write(new Precondition.Always());
    hot.five.pass(500);
    assertEquals(1, hot.five.node(hot.outside).core().counters().hedges());
    assertEquals(List.of(), hot.five.answers, "the forward may still be carried out");
    hot.five.release();
    hot.five.pass(100);
    assertEquals(1, hot.five.answers.size());
    assertInstanceOf(Answer.Applied.class, hot.five.answers.getFirst());
    assertEquals("x", hot.five.get(hot.outside, "hot"));
  }

  @Test
  void aNewWriteThatTheKeyMayHaveForgottenIsUnknown() {
    HotKey hot = new HotKey();
    hot.five.delay(Message.Forward.class::isInstance);
    hot.write(new Precondition.Always());
    hot.five.pass(2500);
    assertEquals(1, hot.five.answers.size());
    assertInstanceOf(Answer.Unknown.class, hot.five.answers.getFirst());
  }

  @Test
  void aNewConditionalWriteIsRefusedForItsConditionNotForItsBase() {
    HotKey hot = new HotKey();
    hot.five.delay(Message.ForwardReply.class::isInstance);
    hot.write(new Precondition.Absent());
    hot.five.pass(500);
    hot.five.release();
    hot.five.pass(100);
    assertEquals(1, hot.five.answers.size());
    assertInstanceOf(Answer.Conflict.class, hot.five.answers.getFirst());
  }

  @Test
  void aNodeThatHoldsNoCopyRemembersAVersionForTheNextWrite() {
    HotKey hot = new HotKey();
    hot.five.put(hot.outside, "hot", "x");
    hot.five.carried.clear();
    hot.five.put(hot.outside, "hot", "y");
    assertEquals(1, hot.five.carried.stream().filter(Message.Forward.class::isInstance).count());
  }

  @Test
  void aListingGathersFromAllReplicaSets() {
    QuietCluster five = new QuietCluster(Layout.of(List.of("a", "b", "c", "d", "e")));
    five.startAll();
    for (int i = 0; i < 50; i++) {
      five.put("a", "row/%02d".formatted(i), "" + i);
    }
    five.write("b", "row/07", new Precondition.Always(), null, 0);
    for (String id : List.of("a", "d", "e")) {
      var page =
          assertInstanceOf(
              Answer.Page.class, five.ask(id, new Event.Scan(1, "row/".getBytes(UTF_8), null, 20)));
      assertEquals(20, page.rows().size());
      assertEquals("row/20", String.valueOf(page.next()));
      var rest =
          assertInstanceOf(
              Answer.Page.class,
              five.ask(id, new Event.Scan(1, "row/".getBytes(UTF_8), page.next(), 100)));
      assertEquals(29, rest.rows().size());
      assertNull(rest.next());
    }
  }

  private static void listAll(QuietCluster five, String at) {
    var page =
        assertInstanceOf(
            Answer.Page.class, five.ask(at, new Event.Scan(1, "row/".getBytes(UTF_8), null, 1000)));
    assertEquals(
        IntStream.range(0, 600).mapToObj("row/%03d"::formatted).toList(),
        page.rows().stream().map(row -> row.key().toString()).toList());
    page.rows().forEach(row -> assertEquals("v" + row.key(), new String(row.body(), UTF_8)));
    assertNull(page.next());
  }

  @Test
  void aListingTakesTheBodiesFromOtherReplicasWhenTheFirstOnesAreDead() {
    QuietCluster five = new QuietCluster(Layout.of(List.of("a", "b", "c", "d", "e")));
    five.startAll();
    for (int i = 0; i < 600; i++) {
      String key = "row/%03d".formatted(i);
      five.put("a", key, "v" + key);
    }
    five.pass(2000);
    five.carried.clear();
    listAll(five, "d");
    assertEquals(0, reads(five), "all are well");

    five.stop("b");
    five.carried.clear();
    listAll(five, "d");
    assertEquals(0, reads(five), "nobody has noticed yet that b is dead");

    five.pass(5000);
    five.carried.clear();
    listAll(five, "d");
    assertEquals(0, reads(five));
    assertEquals(
        3,
        five.carried.stream().filter(Message.Scan.class::isInstance).count(),
        "d knows that b is dead, and asks the three others for all bodies at once");
  }

  private static long reads(QuietCluster cluster) {
    return cluster.carried.stream().filter(Message.Read.class::isInstance).count();
  }

  @Test
  void aReadAsksNoMoreThanAQuorum() {
    cluster.startAll();
    cluster.put("a", "k", "x");
    cluster.pass(100);
    cluster.carried.clear();
    assertEquals("x", cluster.get("b", "k"));
    assertEquals(1, carried(Message.Read.class));
  }

  @Test
  void howFarANodeIsBehindIsNotKnownFromBeforeItsStart() {
    QuietCluster three = new QuietCluster(Layout.of(List.of("a", "b", "c")));
    three.startAll();
    three.pass(10_000);
    assertEquals(OptionalInt.of(0), three.node("a").core().behind("c"));
    three.stop("c");
    for (int i = 0; i < 50; i++) {
      three.put("a", "k/" + i, "x");
    }
    three.start("c");
    three.pass(400);
    assertTrue(three.node("a").core().healthyPeers().contains("c"));
    assertEquals(OptionalInt.empty(), three.node("a").core().behind("c"));
    three.pass(30_000);
    assertEquals(OptionalInt.of(0), three.node("a").core().behind("c"));
  }

  @Test
  void repairsThatAreNeverAnsweredAreGivenUp() {
    cluster.startAll();
    cluster.isolate("c");
    cluster.pass(2000);
    cluster.put("a", "k", "x");
    cluster.heal();
    cluster.delay(message -> message instanceof Message.Accept || message instanceof Message.Read);
    cluster.pass(120_000);
    for (String id : IDS) {
      int open = cluster.node(id).core().openCalls();
      assertTrue(open <= 2, () -> id + " waits for " + open + " answers");
    }
    cluster.release();
    cluster.pass(30_000);
    assertEquals(1, cluster.node("c").core().keys());
  }

  @Test
  void aDeletedKeyIsForgottenByAllAndItsVersionsNeverReturn() {
    cluster.startAll();
    var before = assertInstanceOf(Answer.Applied.class, cluster.put("a", "k", "x"));
    cluster.put("a", "k", "y");
    var gone =
        assertInstanceOf(
            Answer.Applied.class, cluster.write("b", "k", new Precondition.Always(), null, 0));
    assertEquals(1, cluster.node("c").core().tombstones());
    cluster.pass(60_000);
    for (String id : IDS) {
      assertEquals(0, cluster.node(id).core().tombstones(), id);
      assertNull(cluster.get(id, "k"));
    }
    var again = assertInstanceOf(Answer.Applied.class, cluster.put("c", "k", "z"));
    assertTrue(again.version() > gone.version() && gone.version() > before.version());
    // And a restart knows no more of it than what was said.
    IDS.forEach(cluster::stop);
    cluster.startAll();
    assertEquals("z", cluster.get("a", "k"));
  }

  @Test
  void aTombstoneIsNotPurgedWhileAReplicaIsAway() {
    cluster.startAll();
    cluster.put("a", "k", "x");
    cluster.isolate("c");
    cluster.write("a", "k", new Precondition.Always(), null, 0);
    cluster.pass(60_000);
    assertEquals(1, cluster.node("a").core().tombstones());
    cluster.heal();
    cluster.pass(60_000);
    assertEquals(0, cluster.node("a").core().tombstones());
    assertNull(cluster.get("c", "k"));
  }

  @Test
  void aValueWhoseTimeIsOverIsDeletedOnceAndNotHiddenBefore() {
    cluster.startAll();
    cluster.write("a", "k", new Precondition.Always(), "x", 5_000);
    cluster.pass(20_000);
    assertEquals("x", cluster.get("b", "k"));
    for (String id : IDS) {
      cluster.tell(id, new Event.WallClock(4_999));
    }
    assertEquals("x", cluster.get("b", "k"));
    for (String id : IDS) {
      cluster.tell(id, new Event.WallClock(5_001));
    }
    cluster.pass(100);
    assertNull(cluster.get("b", "k"));
    long expirations = 0;
    for (String id : IDS) {
      expirations += cluster.node(id).core().counters().expirations();
    }
    assertEquals(1, expirations);
  }

  @Test
  void aValueThatWasNeverChosenDoesNotExpireTheOneWithTheSameVersionThatWas() {
    cluster.startAll();
    cluster.put("b", "k", "x");
    cluster.stop("a");
    cluster.pass(2000);
    var chosen = assertInstanceOf(Answer.Applied.class, cluster.put("b", "k", "y"));
    // What a crash may leave at a: it accepted another value with that version, which nobody else
    // did, and which is to expire.
    byte[] body = {1};
    Versioned never = new Versioned(chosen.version(), body, new long[0], 0, 5_000);
    Ballot lower = new Ballot(chosen.version() - 1, "c", 1);
    cluster.node("a").disk.add(new LogRecord.Entry(Key.of("k"), lower, never));
    cluster.start("a");
    cluster.pass(500);
    cluster.isolate("a");
    cluster.pass(2000);
    cluster.tell("a", new Event.WallClock(6_000));
    cluster.heal();
    cluster.pass(3000);
    assertEquals("y", cluster.get("b", "k"));
    assertEquals("y", cluster.get("a", "k"));
  }

  @Test
  void aValueThatReplacesAnExpiringOneStays() {
    cluster.startAll();
    cluster.write("a", "k", new Precondition.Always(), "x", 5_000);
    cluster.put("b", "k", "y");
    IDS.forEach(id -> cluster.tell(id, new Event.WallClock(9_000)));
    cluster.pass(100);
    assertEquals("y", cluster.get("c", "k"));
  }

  @Test
  void aBlankDiskUnderAnOldIdIsRefused() {
    cluster.startAll();
    cluster.put("a", "k", "x");
    cluster.stop("b");
    cluster.node("b").disk = new ArrayList<>();
    cluster.start("b");
    cluster.pass(1000);
    String reason = cluster.node("b").halted;
    assertNotNull(reason);
    assertTrue(reason.contains("another disk"), reason);
    assertEquals("x", cluster.get("a", "k"));
  }

  @Test
  void aBlankDiskAnswersNothingEvenIfNobodyIsThereToRefuseIt() {
    cluster.startAll();
    cluster.isolate("c");
    cluster.put("a", "k", "x");
    cluster.stop("a");
    cluster.stop("b");
    cluster.node("b").disk = new ArrayList<>();
    cluster.heal();
    cluster.start("b");
    // c never saw the write, and b lost it: together they must not say it is absent.
    cluster.pass(3000);
    assertInstanceOf(Answer.Unavailable.class, cluster.ask("c", new Event.Read(1, Key.of("k"))));
  }

  @Test
  void aCopyOfTheDiskFromBeforeTheLastStartIsRefused() {
    cluster.startAll();
    List<LogRecord> copy = List.copyOf(cluster.node("b").disk);
    cluster.stop("b");
    cluster.start("b");
    cluster.pass(1000);
    cluster.put("b", "k", "x");
    cluster.stop("b");
    cluster.node("b").disk = new ArrayList<>(copy);
    cluster.start("b");
    cluster.pass(1000);
    String reason = cluster.node("b").halted;
    assertNotNull(reason);
    assertTrue(reason.contains("copy"), reason);
  }

  @Test
  void nodesThatAreToldOfDifferentMembersDoNotBegin() {
    Layout more = Layout.of(List.of("a", "b", "c", "d"));
    cluster.start("a");
    cluster.start("b");
    cluster.start("c", more);
    cluster.pass(3000);
    for (String id : IDS) {
      assertInstanceOf(Answer.NotApplied.class, cluster.put(id, "k", "x"));
    }
  }
}
