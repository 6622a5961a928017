package dev.parley.kv.core;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// A few operations of a few clients on one key, and how much may go wrong meanwhile. Within these
/// bounds [StateSpace] tries every order of events.
///
/// @param members which nodes hold the key, and which shall
/// @param start what the nodes know of the key and of each other at first
/// @param opening when clients begin
/// @param patience which alarms are due first
/// @param before operations carried out undisturbed, one after the other, before the search
/// @param ops the operations whose every interleaving is explored
/// @param budget how much may go wrong
record BoundedScenario(
    String name,
    Members members,
    Start start,
    Opening opening,
    Patience patience,
    List<Op> before,
    List<Op> ops,
    Budget budget) {

  /// Beyond every deadline that a search can reach.
  static final Duration NEVER = Duration.ofDays(10_000);

  /// Another key.
  static final Key OTHER = Key.of("other");

  /// The nodes that hold the key at first, and those that hold it once its partition has moved.
  ///
  /// @param after the same, if nothing ever moves
  record Members(List<String> before, List<String> after) {

    /// All that occur.
    List<String> nodes() {
      return Stream.concat(before.stream(), after.stream()).distinct().sorted().toList();
    }

    boolean move() {
      return !before.equals(after);
    }
  }

  private static final TreeMap<String, Key> KEYS = new TreeMap<>();

  /// All nodes that take part.
  List<String> nodes() {
    return members.nodes();
  }

  /// The key of the operations. Its favourite is kv-1, then kv-2, then kv-3; if it moves, the other
  /// way round, so that nodes that are to hold it coordinate it as soon as they can.
  Key key() {
    return KEYS.computeIfAbsent(members.toString(), _ -> findKey());
  }

  private Key findKey() {
    List<String> order = members.move() ? nodes().reversed() : nodes();
    Layout first = Formed.layout(members.before());
    Layout layout = members.move() ? first.toward(goal()) : first;
    return IntStream.range(0, 10_000)
        .mapToObj(i -> Key.of("k" + i))
        .filter(key -> layout.placement(key).equals(order))
        .findFirst()
        .orElseThrow();
  }

  private List<Layout.Member> goal() {
    List<Layout.Member> goal = new ArrayList<>();
    for (String id : members.after()) {
      goal.add(new Layout.Member(id, "http://" + id, 100, disk(id), "default"));
    }
    return goal;
  }

  /// What the log of a node was created with.
  OpId disk(String id) {
    return Formed.disk(nodes().indexOf(id));
  }

  /// The layout at first. Of all partitions only that of the key will move: the others lie where
  /// they are to lie already. (The nodes that are to hold them need not even be members: nobody
  /// asks for a key in them.)
  Layout layout() {
    if (!members.move()) {
      return Formed.layout(nodes());
    }
    TreeMap<String, OpId> disks = new TreeMap<>();
    members.before().forEach(id -> disks.put(id, disk(id)));
    Layout formed = Layout.of(members.before()).withDisks(disks);
    List<Replicas> partitions = new ArrayList<>();
    for (int i = 0; i < Layout.PARTITIONS; i++) {
      partitions.add(Replicas.stable(i == key().partition() ? members.before() : members.after()));
    }
    return Layout.stored(
        1,
        formed.members(),
        formed.groups(),
        formed.register(),
        partitions,
        formed.joined(),
        List.of());
  }

  /// What is in the log of a node after its first start.
  List<LogRecord> log(String id) {
    LogRecord meta = new LogRecord.Meta(1, disk(id), 10, new TreeMap<>(), new TreeMap<>());
    return members.before().contains(id)
        ? List.of(meta, new LogRecord.Installed(layout(), true))
        : List.of(meta);
  }

  /// The change of members that makes the key move: one node comes, or one goes, or both.
  MemberChange change() {
    List<String> come = new ArrayList<>(members.after());
    come.removeAll(members.before());
    List<String> go = new ArrayList<>(members.before());
    go.removeAll(members.after());
    return come.isEmpty()
        ? new MemberChange.Remove(go.getFirst(), true)
        : new MemberChange.Add(
            come.getFirst(),
            "http://" + come.getFirst(),
            100,
            "default",
            go.isEmpty() ? null : go.getFirst(),
            true);
  }

  enum Start {
    /// Every node knows that every other is there: writes are forwarded to the key's favourite.
    ACQUAINTED,
    /// Every node was told a moment ago that it has no connection to the others: each proposes by
    /// itself, with the ceilings that the operations before have raised.
    APART,
    /// Like [#APART], but all nodes were restarted after the operations before.
    RESTARTED
  }

  enum Opening {
    /// Every client has sent its first operation before anything is delivered. The operations are
    /// concurrent, and a message that arrives late makes up for a client that begins late.
    TOGETHER,
    /// Clients begin at any moment.
    ANY_TIME
  }

  enum Patience {
    /// A phase is given up long before the whole operation is.
    PATIENT(Duration.ofMillis(500), Duration.ofMillis(2000), NEVER, NEVER),
    /// The operation is answered with "unknown" while its ballots still go on.
    HASTY(Duration.ofMillis(2000), Duration.ofMillis(500), NEVER, NEVER),
    /// As the first; nodes look for old tombstones, and kv-1 has just begun to purge one.
    TIDY(Duration.ofMillis(500), Duration.ofMillis(2000), Duration.ofMillis(10), NEVER),
    /// As the first; nodes look whether they must carry on with a change of the members a little
    /// later than they give up a phase, and for old tombstones so rarely that only
    /// [Kind#PURGE] sees them do it.
    MOVING(
        Duration.ofMillis(500),
        Duration.ofMillis(2000),
        Duration.ofSeconds(20),
        Duration.ofMillis(600));

    private final Duration phase;
    private final Duration operation;
    private final Duration purge;
    private final Duration tend;

    Patience(Duration phase, Duration operation, Duration purge, Duration tend) {
      this.purge = purge;
      this.tend = tend;
      this.phase = phase;
      this.operation = operation;
    }

    /// Silence never makes a peer suspect here, and neither a ping nor a comparison with a
    /// peer is ever due.
    Timing timing() {
      return new Timing(
          operation,
          phase,
          Duration.ofMillis(40),
          Duration.ofMillis(400),
          Duration.ofMillis(250),
          NEVER,
          NEVER,
          purge,
          NEVER,
          tend);
    }
  }

  enum Kind {
    PUT,
    /// Of another key. It makes the ballots of its node rise without touching this key, so that a
    /// later one of this node is not refused from the start.
    ELSEWHERE,
    /// Only if the key does not exist.
    CREATE,
    /// Only at the version that another operation wrote or read.
    REPLACE,
    DELETE,
    READ,
    /// Only before: the node waits until it may purge the key's tombstone, and all replicas forget
    /// it.
    PURGE,
    /// An operator's wish for the members that the scenario ends with.
    MOVE
  }

  /// @param client operations of one client follow each other
  /// @param node where it is sent
  /// @param retryNode where the client may send it again, under the same id, at any time before it
  ///     is answered; -1 for nowhere
  /// @param seen for [Kind#REPLACE]: the operation (counted from the first one before) whose
  ///     version must still stand
  record Op(int client, Kind kind, int node, int retryNode, int seen) {}

  /// How often each may happen in one history.
  ///
  /// Losing a message without notice needs no budget: a message that is never delivered is explored
  /// anyway. The same holds for a node that is down for a while, and for partitions.
  ///
  /// @param alarms a node's next alarm rings
  /// @param crashes a node loses what was not forced, or any part of it, and starts again
  /// @param duplicates a message is delivered and stays in flight
  /// @param notices a message is lost, and its sender is told that there was no connection
  /// @param rests a node's next alarm rings, if it is the end of the rest after a lost ballot
  record Budget(int alarms, int crashes, int duplicates, int notices, int rests) {}

  /// The scenarios of `scenarios.txt`, which tells how they are written.
  ///
  /// @param large the large ones, not the small ones
  static List<BoundedScenario> read(boolean large) {
    try (InputStream in = BoundedScenario.class.getResourceAsStream("scenarios.txt")) {
      if (in == null) {
        throw new IllegalStateException("scenarios.txt is missing");
      }
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      return text.lines()
          .filter(line -> line.startsWith(large ? "large" : "small"))
          .map(BoundedScenario::parse)
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static BoundedScenario parse(String line) {
    List<String> cells = Arrays.stream(line.split("\\|")).map(String::strip).toList();
    if (cells.size() != 9) {
      throw new IllegalArgumentException("not a scenario: " + line);
    }
    List<Integer> budget = Arrays.stream(cells.get(7).split(" +")).map(Integer::valueOf).toList();
    return new BoundedScenario(
        cells.get(1),
        members(cells.get(2)),
        Start.valueOf(cells.get(3).toUpperCase(Locale.ROOT)),
        Opening.valueOf(cells.get(4).toUpperCase(Locale.ROOT)),
        Patience.valueOf(cells.get(8).toUpperCase(Locale.ROOT)),
        ops(cells.get(5)),
        ops(cells.get(6)),
        new Budget(budget.get(0), budget.get(1), budget.get(2), budget.get(3), budget.get(4)));
  }

  private static final Pattern OP =
      Pattern.compile("([A-Z]):([a-z]+)(?:#([0-9]))?@([1-4])(?:/([1-4]))?");

  private static Members members(String text) {
    List<List<String>> sides =
        Arrays.stream(text.split(">"))
            .map(side -> side.chars().mapToObj(digit -> "kv-" + (char) digit).toList())
            .toList();
    return new Members(sides.getFirst(), sides.getLast());
  }

  private static List<Op> ops(String text) {
    List<Op> ops = new ArrayList<>();
    for (String each : text.split(" +")) {
      Matcher op = OP.matcher(each);
      if (op.matches()) {
        ops.add(
            new Op(
                op.group(1).charAt(0) - 'A' + 1,
                Kind.valueOf(op.group(2).toUpperCase(Locale.ROOT)),
                Integer.parseInt(op.group(4)) - 1,
                op.group(5) == null ? -1 : Integer.parseInt(op.group(5)) - 1,
                op.group(3) == null ? -1 : Integer.parseInt(op.group(3))));
      } else if (!each.equals("-")) {
        throw new IllegalArgumentException("not an operation: " + each);
      }
    }
    return ops;
  }

  @Override
  public String toString() {
    return name;
  }
}
