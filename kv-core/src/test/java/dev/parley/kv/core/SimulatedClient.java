package dev.parley.kv.core;

import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One client: one operation at a time, on any node, retried under the same id elsewhere, sometimes
/// impatiently and sometimes much later.
///
/// Every value it writes is its own, so that a reader's answer names the operation it saw.
final class SimulatedClient {

  private static final long MILLI = Simulation.MILLI;
  private static final int MOST_ATTEMPTS = 4;

  private final Simulation sim;
  private final int number;
  private final SplittableRandom random;
  private final TreeMap<Key, Long> lastSeen = new TreeMap<>();
  private final TreeMap<Key, Long> lastVersion = new TreeMap<>();
  private History.@Nullable Op op;
  private @Nullable Mutation mutation;
  private long told;
  private int attempts;
  private boolean doubtful;
  private long patience;
  private long attempt;

  private byte @Nullable [] listing;
  private @Nullable Key listedAfter;
  private long listingBegun;
  private TreeMap<Key, Long> toldBeforeListing = new TreeMap<>();

  private @Nullable Consumer<Answer> observer;

  SimulatedClient(Simulation sim, int number) {
    this.sim = sim;
    this.number = number;
    this.random = sim.random();
  }

  /// Works until the trouble ends, or there is enough on every key.
  void think() {
    sim.in(random.nextLong(sim.mix().thinkNanos()), this::begin);
  }

  /// Reads once, and says what came of it.
  void read(SimulatedNode node, Key key, Consumer<Answer> then) {
    observer = then;
    op = sim.history().begin(number, key, null, "end", sim.now());
    mutation = null;
    told = sim.monitors().told(key);
    attempts = MOST_ATTEMPTS;
    sim.begun(key);
    send(node);
  }

  private void begin() {
    Key key = sim.keyWithRoom();
    if (key == null || sim.troubleIsOver()) {
      return;
    }
    boolean many = sim.mix().workload == FaultMix.Workload.MANY_KEYS;
    if (random.nextInt(many ? 8 : 24) == 0) {
      list(sim.anyNode());
      return;
    }
    int count = sim.history().ops().size();
    int most = sim.mix().maxValueBytes();
    String value = "v" + count + "~".repeat(most == 0 ? 0 : random.nextInt(most));
    mutation = mutation(key, new OpId(number, count), value);
    op = sim.history().begin(number, key, mutation, value, sim.now());
    told = sim.monitors().told(key);
    attempts = 0;
    doubtful = false;
    patience = random.nextInt(4) == 0 ? 50 + random.nextLong(400) : 4_000;
    sim.begun(key);
    send(sim.anyNode());
  }

  private @Nullable Mutation mutation(Key key, OpId id, String value) {
    boolean hot = sim.mix().workload == FaultMix.Workload.HOT_KEY;
    int kind = random.nextInt(10);
    if (hot ? kind == 0 : kind < 4) {
      return null;
    }
    Precondition condition =
        switch (random.nextInt(hot ? 10 : 5)) {
          case 0 -> new Precondition.Absent();
          case 1 -> new Precondition.Present();
          case 2 ->
              lastSeen.containsKey(key)
                  ? new Precondition.At(lastSeen.getOrDefault(key, 0L))
                  : new Precondition.Always();
          default -> new Precondition.Always();
        };
    byte[] body = kind == 4 || kind == 5 && !hot ? null : value.getBytes(StandardCharsets.UTF_8);
    // Some clients say what they saw before they began; others, as those that speak HTTP do, leave
    // it to the node that is asked first.
    long base = random.nextBoolean() ? lastVersion.getOrDefault(key, 0L) : Mutation.ON_RECEIPT;
    return new Mutation(id, condition, body, base);
  }

  private void send(SimulatedNode node) {
    History.Op mine = op;
    if (mine == null) {
      return;
    }
    attempts++;
    long current = ++attempt;
    if (!node.isUp()) {
      retry();
      return;
    }
    if (observer == null) {
      sim.in(patience * MILLI, () -> giveUp(current));
    }
    node.ask(this, current, mine.key, mutation, told);
  }

  private void giveUp(long of) {
    if (of == attempt && op != null) {
      connectionLost(of);
    }
  }

  /// What became of the attempt will not be known.
  void connectionLost(long of) {
    if (of != attempt) {
      return;
    }
    if (listing != null) {
      listed(null);
      return;
    }
    attempt++;
    doubtful = true;
    retry();
  }

  private void retry() {
    Mutation sent = mutation;
    boolean mayRetry = attempts < MOST_ATTEMPTS && random.nextInt(5) != 0;
    if (mayRetry && doubtful && sent != null && sent.base() == Mutation.ON_RECEIPT) {
      // It is not new any more, so the next node must not choose its base. The version its
      // condition names serves; if it names none, only 0 is certainly from before it was sent.
      mutation =
          sent.withBase(sent.condition() instanceof Precondition.At(var version) ? version : 0);
    }
    if (mayRetry) {
      long most = random.nextInt(6) == 0 ? 2_500 : 200;
      long current = attempt;
      sim.in(
          random.nextLong(most * MILLI),
          () -> {
            if (current == attempt) {
              send(sim.anyNode());
            }
          });
    } else {
      close(null);
    }
  }

  void answered(long of, Answer answer) {
    if (of != attempt) {
      return;
    }
    if (listing != null) {
      listed(answer);
      return;
    }
    History.Op mine = op;
    if (mine == null) {
      return;
    }
    attempt++;
    switch (answer) {
      case Answer.Applied applied -> {
        lastVersion.put(mine.key, applied.version());
        close(applied);
      }
      case Answer.Found found -> {
        lastSeen.put(mine.key, found.version());
        lastVersion.put(mine.key, found.version());
        close(found);
      }
      case Answer.Absent absent -> close(absent);
      case Answer.Unavailable _, Answer.NotApplied _, Answer.NoRoom _ -> retry();
      case Answer.Unknown _ -> {
        doubtful = true;
        retry();
      }
      case Answer.Forgotten _ -> {
        doubtful = true;
        close(null);
      }
      case Answer.Conflict conflict -> {
        boolean lasting =
            mine.mutation != null && mine.mutation.condition() instanceof Precondition.At;
        // While an earlier attempt may still be under way, only a lasting conflict is final.
        close(doubtful && !lasting ? null : conflict);
      }
      case Answer.Missing missing -> close(doubtful ? null : missing);
      case Answer.Page _, Answer.OfChange _, Answer.Watched _ ->
          throw new IllegalStateException(answer + " for " + mine);
    }
  }

  private void close(@Nullable Answer answer) {
    History.Op mine = op;
    if (mine == null) {
      return;
    }
    op = null;
    attempt++;
    mine.answer = answer;
    if (answer != null) {
      mine.ended = sim.now();
    } else if (!doubtful) {
      mine.certainlyNothing = true;
    }
    sim.ended();
    Consumer<Answer> waiting = observer;
    if (waiting == null) {
      think();
    } else {
      observer = null;
      waiting.accept(answer == null ? new Answer.Unavailable("no answer") : answer);
    }
  }

  // Listings: each key's row, or its lack of one, counts as a read of that key.

  private void list(SimulatedNode node) {
    if (!node.isUp()) {
      think();
      return;
    }
    String[] prefixes = {"", "", "p/", "p/q/", "r/", "b"};
    listing = prefixes[random.nextInt(prefixes.length)].getBytes(StandardCharsets.UTF_8);
    listedAfter = null;
    sim.begunListing();
    page(node);
  }

  private void page(SimulatedNode node) {
    byte[] prefix = listing;
    if (prefix == null) {
      return;
    }
    listingBegun = sim.now();
    toldBeforeListing = new TreeMap<>();
    for (Key key : sim.keys()) {
      toldBeforeListing.put(key, sim.monitors().told(key));
    }
    node.list(this, ++attempt, prefix, listedAfter, 1 + random.nextInt(8));
  }

  private void listed(@Nullable Answer answer) {
    byte[] prefix = listing;
    if (prefix == null) {
      return;
    }
    attempt++;
    Key next = null;
    if (answer instanceof Answer.Page page) {
      TreeMap<Key, Answer> rows = new TreeMap<>();
      page.rows()
          .forEach(row -> rows.put(row.key(), new Answer.Found(row.version(), row.body(), 0)));
      next = page.next();
      for (Key key : sim.keys()) {
        boolean inPage =
            key.startsWith(prefix)
                && (listedAfter == null || key.compareTo(listedAfter) > 0)
                && (next == null || key.compareTo(next) <= 0);
        if (inPage) {
          Answer row = rows.getOrDefault(key, new Answer.Absent());
          sim.monitors().answered(key, null, row, toldBeforeListing.getOrDefault(key, 0L));
          sim.listed(key);
          History.Op read = sim.history().begin(number, key, null, "list", listingBegun);
          read.answer = row;
          read.ended = sim.now();
        }
      }
    }
    SimulatedNode node = sim.anyNode();
    if (next != null && node.isUp() && !sim.troubleIsOver()) {
      listedAfter = next;
      page(node);
    } else {
      listing = null;
      sim.ended();
      think();
    }
  }
}
