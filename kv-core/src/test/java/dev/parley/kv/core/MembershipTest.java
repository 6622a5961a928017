package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Members come and go while clients write, and nothing that was acknowledged is lost.
///
/// `./parley sim --members` runs more random histories, and single ones again.
class MembershipTest {

  private static final int SEEDS = 60;

  /// Seeds within which a planted bug must be found.
  private static final int BUDGET = 1500;

  private static final List<String> THREE = List.of("kv-1", "kv-2", "kv-3");

  @Test
  void everyHistoryIsLinearizable() {
    for (long seed = 1; seed <= SEEDS; seed++) {
      Simulation.Outcome outcome = MembershipSimulation.run(seed, Rules::new);
      assertNull(outcome.violation(), outcome::story);
    }
  }

  @ParameterizedTest
  @EnumSource
  void findsThePlantedBug(Bug bug) {
    Simulation.Outcome found = null;
    for (long seed = 1; found == null && seed <= BUDGET; seed++) {
      Simulation.Outcome outcome = MembershipSimulation.run(seed, bug.rules);
      found = outcome.violation() == null ? null : outcome;
    }
    assertNotNull(found, () -> bug + " was not found within " + BUDGET + " seeds");
    System.out.println(bug + ": seed " + found.seed() + ": " + found.violation());
  }

  enum Bug {
    OLD_QUORUM_ONLY_WHILE_JOINT(
        () ->
            new Rules() {
              @Override
              boolean countsNext() {
                return false;
              }
            }),
    NEW_QUORUM_ONLY_WHILE_JOINT(
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
        () ->
            new Rules() {
              @Override
              boolean transfers() {
                return false;
              }
            }),
    LISTED_FROM_ONE_REPLICA(
        () ->
            new Rules() {
              @Override
              boolean listed(Replicas replicas, Collection<String> repliers) {
                return !repliers.isEmpty();
              }
            });

    private final Supplier<Rules> rules;

    Bug(Supplier<Rules> rules) {
      this.rules = rules;
    }
  }

  // By hand.

  private static final MemberChange ADD =
      new MemberChange.Add("kv-4", "http://kv-4", 100, "default", null, false);

  private MembershipSimulation world =
      new MembershipSimulation(7, Rules::new, Layout.of(THREE)).begin();

  private final TreeMap<Key, String> written = new TreeMap<>();

  private void form() {
    assertTrue(
        world.within(
            5_000, () -> world.members().stream().allMatch(m -> m.core().waitsFor().isEmpty())));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private void write(String at, String key, String value) {
    Mutation put =
        new Mutation(
            new OpId(1, written.size() * 1000L + value.hashCode()),
            new Precondition.Always(),
            bytes(value),
            Mutation.NO_BASE);
    assertInstanceOf(
        Answer.Applied.class,
        world.machine(at).ask(ticket -> new Event.Write(ticket, Key.of(key), put)));
    written.put(Key.of(key), value);
  }

  private void writeMany(String at, int count, String value) {
    for (int i = 0; i < count; i++) {
      write(at, "k/" + i, value + i);
    }
  }

  private void everyMemberReadsEverything() {
    for (MembershipSimulation.Machine machine : world.members()) {
      written.forEach(
          (key, value) -> {
            Answer.Found found =
                assertInstanceOf(
                    Answer.Found.class, machine.ask(ticket -> new Event.Read(ticket, key)));
            assertArrayEquals(bytes(value), found.body());
          });
    }
  }

  private Answer change(String at, MemberChange change) {
    Answer answer = world.machine(at).ask(ticket -> new Event.ChangeMembers(ticket, change));
    assertNotNull(answer);
    return answer;
  }

  private void rejected(Answer.Reason reason, String at, MemberChange change) {
    Answer.Rejected answer = assertInstanceOf(Answer.Rejected.class, change(at, change));
    assertEquals(reason, answer.reason(), answer.detail());
  }

  /// Starts a node that waits to be added, until `at` has heard of it.
  private void introduce(String id, String at) {
    world.machine(id).start();
    assertTrue(world.within(5_000, () -> world.machine(at).core().candidates().contains(id)));
  }

  private void settles(long epoch) {
    assertTrue(
        world.within(
            60_000,
            () ->
                !world.newest().joint()
                    && world.members().stream()
                        .allMatch(
                            m ->
                                m.core != null
                                    && m.core().waitsFor().isEmpty()
                                    && m.core().layout().epoch() == epoch)),
        () -> world.newest().toString());
  }

  @Test
  void aNodeIsAddedReplacedAndRemovedAndEverythingIsStillThere() {
    form();
    writeMany("kv-1", 120, "x");
    introduce("kv-4", "kv-2");
    assertInstanceOf(Answer.Begun.class, change("kv-2", ADD));
    settles(3);
    assertTrue(world.machine("kv-4").core().keys() > 40, "the new node holds its share");
    everyMemberReadsEverything();

    introduce("kv-5", "kv-4");
    assertInstanceOf(
        Answer.Begun.class,
        change("kv-4", new MemberChange.Add("kv-5", "http://kv-5", 100, "default", "kv-2", false)));
    settles(5);
    assertTrue(
        world.within(
            5_000, () -> world.machine("kv-2").core().waitsFor().orElse("").contains("removed")));
    assertEquals(0, world.machine("kv-2").core().keys(), "a removed node keeps nothing");

    assertInstanceOf(Answer.Begun.class, change("kv-5", new MemberChange.Remove("kv-1", false)));
    settles(7);
    assertEquals(List.of("kv-3", "kv-4", "kv-5"), world.newest().ids());
    writeMany("kv-3", 10, "y");
    everyMemberReadsEverything();
    assertTrue(world.within(60_000, world::calm));
  }

  @Test
  void clientsAndAMoveDoNotKeepRefusingEachOtherWhereMessagesTakeLong() {
    long asked = 0;
    long lost = 0;
    for (long seed = 1; seed <= 20; seed++) {
      world =
          new MembershipSimulation(seed, Rules::new, Layout.of(List.of("kv-1", "kv-2"))).begin();
      world.delay = 80 * MembershipSimulation.MILLI;
      world.straggling = 1;
      form();
      writeMany("kv-1", 12, "x");
      introduce("kv-3", "kv-1");
      Answer begun =
          change("kv-1", new MemberChange.Add("kv-3", "http://kv-3", 100, "default", null, false));
      assertInstanceOf(Answer.Begun.class, begun);
      List<Answer> answers = new ArrayList<>();
      int reads = 0;
      while (world.newest().joint()) {
        // In turn through both, so that a key's ballots come from the client and from the move.
        Key key = Key.of("k/" + reads % 12);
        world
            .machine("kv-" + (1 + reads % 2))
            .ask(ticket -> new Event.Read(ticket, key), answers::add);
        reads++;
        world.within(20, () -> false);
      }
      int all = reads;
      assertTrue(world.within(5_000, () -> answers.size() == all));
      asked += reads;
      lost += world.members().stream().mapToLong(m -> m.core().counters().conflicts).sum();
    }
    assertTrue(lost * 8 < asked, lost + " ballots lost for " + asked + " reads");
  }

  /// Rules that serve requests of any epoch.
  private static final class Unfenced extends Rules {
    @Override
    boolean sameEpoch(long request, long replica) {
      return true;
    }
  }

  /// Rules that let floors stay behind.
  private static final class WithoutFloors extends Rules {
    @Override
    long floorOfMove(long bound) {
      return 0;
    }
  }

  @Test
  void aNodeThatSleptThroughTwoChangesCannotWriteToThoseWhoHeldTheKeyBefore() {
    for (long seed = 1; seed <= 8; seed++) {
      assertTrue(lateWriteIsSeen(seed, Rules::new));
    }
    // How soon a ping tells kv-3 what it slept through differs from seed to seed.
    boolean unfencedLoses =
        LongStream.rangeClosed(1, 40).anyMatch(seed -> !lateWriteIsSeen(seed, Unfenced::new));
    assertTrue(unfencedLoses, "without fencing an acknowledged write must get lost");
  }

  /// A key moves away from kv-2 and kv-3 while kv-3 hears nothing. Then kv-3 meets kv-2 again and
  /// writes it. Says whether the others know of that write, if it was acknowledged.
  private boolean lateWriteIsSeen(long seed, Supplier<Rules> rules) {
    world = new MembershipSimulation(seed, rules, Layout.of(THREE)).begin();
    form();
    Key key = Key.of("k0");
    for (int i = 1; !holders(key).equals(List.of("kv-1", "kv-4", "kv-5")); i++) {
      key = Key.of("k" + i);
    }
    Key moved = key;
    write("kv-1", moved.toString(), "early");
    for (String id : List.of("kv-1", "kv-2", "kv-4", "kv-5")) {
      world.cut.add("kv-3>" + id);
      world.cut.add(id + ">kv-3");
    }
    introduce("kv-4", "kv-1");
    assertInstanceOf(Answer.Begun.class, change("kv-1", ADD));
    assertTrue(world.within(60_000, () -> world.machine("kv-1").core().layout().epoch() == 3));
    introduce("kv-5", "kv-1");
    MemberChange.Add second =
        new MemberChange.Add("kv-5", "http://kv-5", 100, "default", null, false);
    assertInstanceOf(Answer.Begun.class, change("kv-1", second));
    for (String id : List.of("kv-1", "kv-2", "kv-4", "kv-5")) {
      assertTrue(world.within(60_000, () -> world.machine(id).core().layout().epoch() == 5));
    }
    assertEquals(holders(moved), world.newest().replicas(moved).all());
    world.cut.remove("kv-3>kv-2");
    world.cut.remove("kv-2>kv-3");
    Mutation put =
        new Mutation(new OpId(8, 8), new Precondition.Always(), bytes("late"), Mutation.NO_BASE);
    Answer told = world.machine("kv-3").ask(ticket -> new Event.Write(ticket, moved, put));
    world.cut.clear();
    Answer.Found found =
        assertInstanceOf(
            Answer.Found.class, world.machine("kv-1").ask(ticket -> new Event.Read(ticket, moved)));
    return !(told instanceof Answer.Applied)
        || new String(found.body(), StandardCharsets.UTF_8).equals("late");
  }

  /// Who holds the key among five nodes.
  private static List<String> holders(Key key) {
    return Layout.of(List.of("kv-1", "kv-2", "kv-3", "kv-4", "kv-5")).replicas(key).all();
  }

  @Test
  void whatWasPurgedBeforeAMoveIsKnownToTheNewNodes() {
    assertTrue(newNodesKnowThePurged(Rules::new));
    assertFalse(newNodesKnowThePurged(WithoutFloors::new), "without floors versions begin again");
  }

  /// A key is deleted and purged; then one node after the other is replaced. Says whether whoever
  /// makes the key again would give it a version above the old ones.
  private boolean newNodesKnowThePurged(Supplier<Rules> rules) {
    world = new MembershipSimulation(12, rules, Layout.of(THREE)).begin();
    form();
    Key key = Key.of("k");
    write("kv-1", "k", "x");
    Mutation delete =
        new Mutation(new OpId(9, 9), new Precondition.Always(), null, Mutation.NO_BASE);
    Answer.Applied deleted =
        assertInstanceOf(
            Answer.Applied.class,
            world.machine("kv-1").ask(ticket -> new Event.Write(ticket, key, delete)));
    assertTrue(
        world.within(
            30_000, () -> world.members().stream().allMatch(m -> m.core().tombstones() == 0)));
    for (int i = 1; i <= 3; i++) {
      String fresh = "kv-" + (i + 3);
      String via = "kv-" + (i + 1);
      introduce(fresh, via);
      assertInstanceOf(
          Answer.Begun.class,
          change(
              via,
              new MemberChange.Add(fresh, "http://" + fresh, 100, "default", "kv-" + i, false)));
      settles(2L * i + 1);
    }
    return List.of("kv-4", "kv-5", "kv-6").stream()
            .filter(
                id -> world.machine(id).core().acceptor().localVersion(key) >= deleted.version())
            .count()
        >= 2;
  }

  @Test
  void aRemovedNodeThatWasAwayIsToldWhenItComesBack() {
    form();
    introduce("kv-4", "kv-1");
    change("kv-1", ADD);
    settles(3);
    world.machine("kv-2").crash();
    assertTrue(
        world.within(3_000, () -> !world.machine("kv-1").core().healthyPeers().contains("kv-2")));
    assertInstanceOf(Answer.Begun.class, change("kv-1", new MemberChange.Remove("kv-2", false)));
    settles(5);
    for (String id : List.of("kv-1", "kv-3", "kv-4")) {
      world.machine(id).crash(); // So that none remembers it from before.
      world.machine(id).start();
    }
    world.machine("kv-2").start();
    assertTrue(
        world.within(
            5_000, () -> world.machine("kv-2").core().waitsFor().orElse("").contains("removed")));
  }

  @Test
  void refusesWhatMakesNoSenseAndChangesNothing() {
    rejected(Answer.Reason.UNAVAILABLE, "kv-1", new MemberChange.Remove("kv-3", true));
    form();
    rejected(Answer.Reason.UNKNOWN_MEMBER, "kv-1", new MemberChange.Remove("kv-9", true));
    rejected(Answer.Reason.TOO_FEW, "kv-1", new MemberChange.Remove("kv-3", false));
    rejected(Answer.Reason.NOT_HEARD_OF, "kv-1", ADD);
    rejected(
        Answer.Reason.ID_IN_USE,
        "kv-1",
        new MemberChange.Add("kv-3", "http://kv-3", 100, "default", null, false));
    rejected(
        Answer.Reason.INVALID,
        "kv-1",
        new MemberChange.Add("kv-4", "http://kv-4", 100, "nosuch", null, false));
    introduce("kv-4", "kv-1");
    rejected(
        Answer.Reason.UNKNOWN_MEMBER,
        "kv-1",
        new MemberChange.Add("kv-4", "http://kv-4", 100, "default", "kv-9", false));
    assertEquals(1, world.newest().epoch());

    change("kv-1", ADD);
    rejected(Answer.Reason.UNDER_WAY, "kv-1", new MemberChange.Remove("kv-2", false));
    settles(3);
    change("kv-1", new MemberChange.Remove("kv-2", false));
    settles(5);
    rejected(
        Answer.Reason.ID_IN_USE,
        "kv-1",
        new MemberChange.Add("kv-2", "http://kv-2", 100, "default", null, false));
  }

  @Test
  void theLastMemberStays() {
    form();
    change("kv-1", new MemberChange.Remove("kv-2", true));
    settles(3);
    change("kv-1", new MemberChange.Remove("kv-3", true));
    settles(5);
    rejected(Answer.Reason.TOO_FEW, "kv-1", new MemberChange.Remove("kv-1", true));
    write("kv-1", "k", "alone");
    everyMemberReadsEverything();
  }

  @Test
  void noChangeBeginsThatCouldNotBeCompleted() {
    form();
    world.machine("kv-3").crash();
    assertTrue(
        world.within(3_000, () -> !world.machine("kv-1").core().healthyPeers().contains("kv-3")));
    rejected(Answer.Reason.UNAVAILABLE, "kv-1", new MemberChange.Remove("kv-2", true));
    assertEquals(1, world.newest().epoch());
  }

  /// Whoever drives the change crashes as soon as it has come to this step, and stays away.
  @ParameterizedTest
  @ValueSource(strings = {"asking", "fencing", "raising", "moving", "settling"})
  void anotherNodeCarriesOnWhenTheDriverCrashes(String step) {
    form();
    writeMany("kv-1", 60, "x");
    introduce("kv-4", "kv-1");
    assertInstanceOf(Answer.Begun.class, change("kv-1", ADD));
    List<MembershipSimulation.Machine> drivers = new ArrayList<>();
    assertTrue(
        world.within(
            20_000,
            () -> {
              for (MembershipSimulation.Machine machine : world.machines.values()) {
                if (machine.core().move().filter(now -> now.phase().equals(step)).isPresent()) {
                  drivers.add(machine);
                  return true;
                }
              }
              return false;
            }),
        "nobody came to " + step);
    drivers.getFirst().crash();
    String alive = THREE.stream().filter(id -> world.machine(id).core != null).findFirst().get();
    writeMany(alive, 10, "during");
    assertTrue(
        world.within(60_000, () -> world.newest().epoch() == 3), () -> world.newest().toString());
    drivers.getFirst().start();
    settles(3);
    everyMemberReadsEverything();
  }

  @Test
  void aChangeThatOnlyTheRegisterKnowsIsCarriedOn() {
    form();
    introduce("kv-4", "kv-1");
    // The register is changed, but its driver tells nobody.
    NodeCore driver = world.machine("kv-1").core();
    List<Layout.Member> members = new ArrayList<>(driver.layout().members());
    members.add(new Layout.Member("kv-4", "http://kv-4", 100, driver.candidate("kv-4"), "default"));
    byte[] body =
        new dev.parley.kv.core.wire.Encoder().layout(driver.layout().toward(members)).toByteArray();
    Mutation set = new Mutation(new OpId(5, 5), new Precondition.Absent(), body, Mutation.NO_BASE);
    assertInstanceOf(
        Answer.Applied.class,
        world.machine("kv-2").ask(ticket -> new Event.Write(ticket, Key.LAYOUT, set)));
    world.machine("kv-2").crash();
    assertTrue(world.within(30_000, () -> world.newest().epoch() == 3));
    world.machine("kv-2").start();
    settles(3);
    assertNotNull(world.newest().member("kv-4"));
  }

  @Test
  void aBlankDiskUnderAnOldIdIsRefused() {
    form();
    write("kv-1", "k", "x");
    MembershipSimulation.Machine lost = world.machine("kv-3");
    lost.crash();
    lost.disk = new ArrayList<>();
    lost.start();
    assertTrue(world.within(5_000, () -> lost.halted != null));
    assertTrue(String.valueOf(lost.halted).contains("another disk"), lost.halted);
    write("kv-1", "k", "y");
  }

  @Test
  void aBlankDiskUnderTheIdOfARemovedNodeIsRefused() {
    form();
    introduce("kv-4", "kv-1");
    change("kv-1", ADD);
    settles(3);
    change("kv-1", new MemberChange.Remove("kv-3", false));
    settles(5);
    MembershipSimulation.Machine removed = world.machine("kv-3");
    removed.crash();
    removed.disk = new ArrayList<>();
    removed.start();
    assertTrue(world.within(5_000, () -> removed.halted != null));
    assertTrue(String.valueOf(removed.halted).contains("new id"), removed.halted);
  }

  @Test
  void anOldCopyOfADiskIsRefused() {
    form();
    MembershipSimulation.Machine machine = world.machine("kv-3");
    List<LogRecord> copy = new ArrayList<>(machine.disk);
    machine.crash();
    machine.start();
    assertTrue(world.within(5_000, () -> machine.core().waitsFor().isEmpty()));
    machine.crash();
    machine.disk = copy;
    machine.start();
    assertTrue(world.within(5_000, () -> machine.halted != null));
    assertTrue(String.valueOf(machine.halted).contains("copy"), machine.halted);
  }

  @Test
  void aDiskThatWasSwappedBeforeTheClusterFormedKeepsItFromForming() {
    MembershipSimulation early = new MembershipSimulation(3, Rules::new, Layout.of(THREE)).begin();
    MembershipSimulation.Machine late = early.machine("kv-3");
    // The others know the first disk of kv-3, durably, when it is lost.
    assertTrue(early.within(5_000, () -> early.machine("kv-1").core().acceptor().layout() != null));
    assertTrue(early.within(1_000, () -> early.machine("kv-1").disk.size() > 1));
    late.crash();
    late.disk = new ArrayList<>();
    late.start();
    assertTrue(early.within(5_000, () -> late.halted != null));
  }

  @Test
  void aNodeThatWasAwayCatchesUpWithoutReads() {
    form();
    writeMany("kv-1", 80, "old");
    world.machine("kv-3").crash();
    writeMany("kv-1", 80, "new");
    writeMany("kv-2", 20, "newer");
    world.machine("kv-3").start();
    assertTrue(world.within(120_000, world::calm), "the replicas do not come to agree");
    for (Key key : written.keySet()) {
      Versioned value = world.machine("kv-3").core().acceptor().value(key);
      assertNotNull(value);
      assertArrayEquals(bytes(written.get(key)), value.body());
    }
    long repaired = world.members().stream().mapToLong(m -> m.core().counters().repaired()).sum();
    assertTrue(repaired > 0, "nobody counted a repair");
  }

  @Test
  void aReplicaThatComesBackToAPartitionBringsNothingPurgedAlong() {
    Layout three = Formed.layout(THREE);
    List<Layout.Member> four = new ArrayList<>(three.members());
    four.add(new Layout.Member("kv-4", "http://kv-4", 100, new OpId(4, 4), "default"));
    Layout with = three.toward(four).settled();
    List<Layout.Member> back = new ArrayList<>(with.members());
    back.removeIf(member -> member.id().equals("kv-4"));
    Layout without = with.toward(back).settled();
    int away = -1;
    for (int i = 0; i < Layout.PARTITIONS; i++) {
      away = with.partitions().get(i).all().contains("kv-3") ? away : i;
    }
    assertTrue(away >= 0, "kv-3 loses no partition");
    int partition = away;
    Key key = Key.of("0");
    for (int i = 0; key.partition() != partition; i++) {
      key = Key.of("k" + i);
    }
    Acceptor acceptor = new Acceptor("kv-3");
    acceptor.start(_ -> 1, new OpId(9, 9));
    acceptor.install(three, true);
    Versioned value = Versioned.of(5, bytes("x"), List.of(), 0);
    Ballot ballot = new Ballot(5, "kv-1", 1);
    Records.replay(List.of(new LogRecord.Entry(key, ballot, value)), 2, acceptor.replay());
    assertEquals(ballot, acceptor.accepted(key));
    acceptor.install(without, true); // It slept through the epochs in which others held the key.
    assertEquals(Ballot.ZERO, acceptor.accepted(key));
  }

  private static final List<Layout.Group> GROUPS =
      List.of(
          new Layout.Group("default", List.of()),
          new Layout.Group("catalogue", List.of("backends", "registry")));

  private static Layout twoGroups() {
    List<Layout.Member> members = new ArrayList<>();
    for (int i = 1; i <= 6; i++) {
      String group = i <= 3 ? "default" : "catalogue";
      members.add(new Layout.Member("kv-" + i, "http://kv-" + i, 100, null, group));
    }
    return Layout.initial(members, GROUPS);
  }

  @Test
  void loadOnOneGroupDoesNotReachTheOther() {
    MembershipSimulation groups = new MembershipSimulation(5, Rules::new, twoGroups()).begin();
    assertTrue(
        groups.within(
            8_000, () -> groups.members().stream().allMatch(m -> m.core().waitsFor().isEmpty())));
    MembershipSimulation.Machine first = groups.machine("kv-1");
    for (int i = 0; i < 40; i++) {
      Key key = Key.of("chats/" + i);
      Mutation put =
          new Mutation(new OpId(3, i), new Precondition.Always(), bytes("v"), Mutation.NO_BASE);
      assertInstanceOf(
          Answer.Applied.class, first.ask(ticket -> new Event.Write(ticket, key, put)));
      assertInstanceOf(Answer.Found.class, first.ask(ticket -> new Event.Read(ticket, key)));
      for (String id : List.of("kv-4", "kv-5", "kv-6")) {
        assertNull(groups.machine(id).core().acceptor().value(key));
      }
    }
    assertEquals(0, groups.machine("kv-5").core().counters().rounds());
    // A key of the other group, through a node that does not hold it, and a listing of both.
    Key backend = Key.of("backends/b1");
    Mutation put =
        new Mutation(new OpId(4, 1), new Precondition.Absent(), bytes("v"), Mutation.NO_BASE);
    assertInstanceOf(
        Answer.Applied.class, first.ask(ticket -> new Event.Write(ticket, backend, put)));
    assertInstanceOf(
        Answer.Found.class, groups.machine("kv-3").ask(ticket -> new Event.Read(ticket, backend)));
    Answer.Page page =
        assertInstanceOf(
            Answer.Page.class, first.ask(ticket -> new Event.Scan(ticket, new byte[0], null, 100)));
    assertEquals(41, page.rows().size());
    assertEquals(0, first.core().keys() - 40, "a key of the other group stays there");
  }

  @Test
  void aNodeJoinsItsOwnGroupOnly() {
    MembershipSimulation groups = new MembershipSimulation(6, Rules::new, twoGroups()).begin();
    groups.machine("kv-7").start();
    assertTrue(
        groups.within(
            8_000,
            () ->
                groups.members().stream().allMatch(m -> m.core().waitsFor().isEmpty())
                    && groups.machine("kv-1").core().candidates().contains("kv-7")));
    List<Replicas> before = groups.newest().partitions().subList(0, Layout.PARTITIONS);
    Answer answer =
        groups
            .machine("kv-1")
            .ask(
                ticket ->
                    new Event.ChangeMembers(
                        ticket,
                        new MemberChange.Add(
                            "kv-7", "http://kv-7", 100, "catalogue", null, false)));
    assertInstanceOf(Answer.Begun.class, answer);
    assertTrue(
        groups.within(60_000, () -> groups.newest().epoch() == 3),
        () -> groups.newest().toString());
    assertEquals(before, groups.newest().partitions().subList(0, Layout.PARTITIONS));
    assertFalse(
        groups.newest().partitions().stream().noneMatch(each -> each.all().contains("kv-7")));
  }

  @Test
  void addingANodeMovesItsShareAndNoMore() {
    Layout three = Formed.layout(List.of("a", "b", "c", "d"));
    List<Layout.Member> five = new ArrayList<>(three.members());
    five.add(new Layout.Member("e", "http://e", 100, new OpId(4, 4), "default"));
    Layout joint = three.toward(five);
    int moving = 0;
    int mine = 0;
    for (Replicas each : joint.partitions()) {
      if (each.joint()) {
        moving++;
        mine += each.next().contains("e") ? 1 : 0;
      }
    }
    assertEquals(moving, mine, "nothing moves but to the new node");
    // Three of five nodes hold a partition, so the new one is due three fifths of them.
    assertTrue(moving > 256 * 0.5 && moving < 256 * 0.7, "moving " + moving);
  }
}
