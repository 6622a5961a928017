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
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// A few operations of a few clients on one key, and how much may go wrong meanwhile. Within these
/// bounds [StateSpace] tries every order of events.
///
/// @param start what the nodes know of the key and of each other at first
/// @param opening when clients begin
/// @param patience which alarms are due first
/// @param before operations carried out undisturbed, one after the other, before the search
/// @param ops the operations whose every interleaving is explored
/// @param budget how much may go wrong
record BoundedScenario(
    String name,
    Start start,
    Opening opening,
    Patience patience,
    List<Op> before,
    List<Op> ops,
    Budget budget) {

  /// Beyond every deadline that a search can reach.
  static final Duration NEVER = Duration.ofDays(10_000);

  static final List<String> NODES = List.of("kv-1", "kv-2", "kv-3");

  /// A key whose favourite is kv-1, then kv-2, then kv-3.
  static final Key KEY =
      IntStream.range(0, 10_000)
          .mapToObj(i -> Key.of("k" + i))
          .filter(key -> Formed.layout(NODES).placement(key).equals(NODES))
          .findFirst()
          .orElseThrow();

  /// Another key.
  static final Key OTHER = Key.of("other");

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
    PATIENT(Duration.ofMillis(500), Duration.ofMillis(2000), NEVER),
    /// The operation is answered with "unknown" while its ballots still go on.
    HASTY(Duration.ofMillis(2000), Duration.ofMillis(500), NEVER),
    /// As the first; nodes look for old tombstones, and kv-1 has just begun to purge one.
    TIDY(Duration.ofMillis(500), Duration.ofMillis(2000), Duration.ofMillis(10));

    private final Duration phase;
    private final Duration operation;
    private final Duration purge;

    Patience(Duration phase, Duration operation, Duration purge) {
      this.purge = purge;
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
          NEVER);
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
    READ
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
  record Budget(int alarms, int crashes, int duplicates, int notices) {}

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
    if (cells.size() != 8) {
      throw new IllegalArgumentException("not a scenario: " + line);
    }
    List<Integer> budget = Arrays.stream(cells.get(6).split(" +")).map(Integer::valueOf).toList();
    return new BoundedScenario(
        cells.get(1),
        Start.valueOf(cells.get(2).toUpperCase(Locale.ROOT)),
        Opening.valueOf(cells.get(3).toUpperCase(Locale.ROOT)),
        Patience.valueOf(cells.get(7).toUpperCase(Locale.ROOT)),
        ops(cells.get(4)),
        ops(cells.get(5)),
        new Budget(budget.get(0), budget.get(1), budget.get(2), budget.get(3)));
  }

  private static final Pattern OP =
      Pattern.compile("([A-Z]):([a-z]+)(?:#([0-9]))?@([123])(?:/([123]))?");

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
