package dev.parley.kv.core;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// `./parley sim`: runs any number of seeds of the simulator on all cores, or replays one.
///
/// Ends with 0 if every seed passed, 1 at the first that failed, after printing its story, and 2 if
/// the arguments are wrong.
public final class SimulatorMain {

  private static final String USAGE =
      """
      usage: ./parley sim [--seeds N] [--from S] [--seed S] [--bug NAME] [--threads T]
                          [--old-copies | --members]

        --seeds N      how many seeds to run, 10000 if not given
        --from S       the first of them, 1 if not given
        --seed S       replay this one
        --bug NAME     plant a bug and see it found: %s
        --threads T    how many at once, as many as there are cores if not given
        --old-copies   nodes may come back with an old copy of their disk: not always refused
        --members      histories in which members come and go, in place of all other faults but
                       crashes and a bad network
      """;

  /// Which histories a seed stands for.
  private interface Search {
    Simulation.Outcome glance(long seed);

    /// The same, with its story if something is wrong.
    Simulation.Outcome tell(long seed);
  }

  private record Faults(Simulation.World world) implements Search {
    @Override
    public Simulation.Outcome glance(long seed) {
      return Simulation.glance(seed, world);
    }

    @Override
    public Simulation.Outcome tell(long seed) {
      return Simulation.run(seed, world);
    }
  }

  private record Members() implements Search {
    @Override
    public Simulation.Outcome glance(long seed) {
      return MembershipSimulation.run(seed, Rules::new);
    }

    @Override
    public Simulation.Outcome tell(long seed) {
      return glance(seed);
    }
  }

  private static final Simulation.World CORRECT = Simulation.World.correct();

  private final long from;
  private final long seeds;
  private final int threads;
  private final Search search;
  private final boolean terminal = System.console() != null && System.console().isTerminal();
  private final long begun = System.nanoTime();
  private final AtomicLong next = new AtomicLong();
  private final CountDownLatch working;

  private long done;
  private long operations;
  private long steps;
  private final Map<Fault, Long> faults = new EnumMap<>(Fault.class);
  private Simulation.@Nullable Outcome failed;
  private @Nullable Throwable thrown;
  private boolean summarized;

  private SimulatorMain(long from, long seeds, int threads, Search search) {
    this.from = from;
    this.seeds = seeds;
    this.threads = threads;
    this.search = search;
    this.working = new CountDownLatch(threads);
  }

  /// Reads the arguments, runs, and ends the process.
  public static void main(String[] args) throws InterruptedException {
    long from = 1;
    long seeds = 10_000;
    int threads = Runtime.getRuntime().availableProcessors();
    Simulation.World world = CORRECT;
    boolean members = false;
    try {
      for (int i = 0; i < args.length; i++) {
        switch (args[i]) {
          case "--seeds" -> seeds = atLeast(1, args, ++i);
          case "--from" -> from = atLeast(0, args, ++i);
          case "--threads" -> threads = (int) Math.min(atLeast(1, args, ++i), 1024);
          case "--seed" -> {
            from = atLeast(0, args, ++i);
            seeds = 1;
          }
          case "--bug" -> world = bug(value(args, ++i)).world();
          case "--old-copies" ->
              world =
                  new Simulation.World(world.rules(), world.honesty(), world.losesRecords(), true);
          case "--members" -> members = true;
          case "--help", "-h" -> {
            System.out.print(usage());
            return;
          }
          default -> throw new IllegalArgumentException("unknown argument '" + args[i] + "'");
        }
      }
      if (members && !world.equals(CORRECT)) {
        throw new IllegalArgumentException("--members goes with neither --bug nor --old-copies");
      }
    } catch (IllegalArgumentException e) {
      System.err.println("parley sim: " + e.getMessage());
      System.err.print(usage());
      System.exit(2);
    }
    Search search = members ? new Members() : new Faults(world);
    System.exit(
        new SimulatorMain(from, seeds, (int) Math.min(threads, seeds), search).run() ? 0 : 1);
  }

  private static String usage() {
    return USAGE.formatted(
        String.join(", ", Arrays.stream(PlantedBug.values()).map(SimulatorMain::nameOf).toList()));
  }

  private static String nameOf(PlantedBug bug) {
    return bug.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static PlantedBug bug(String name) {
    return Arrays.stream(PlantedBug.values())
        .filter(bug -> nameOf(bug).equals(name) || bug.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("there is no bug '" + name + "'"));
  }

  private static String value(String[] args, int i) {
    if (i == args.length) {
      throw new IllegalArgumentException(args[i - 1] + " needs a value");
    }
    return args[i];
  }

  private static long atLeast(long least, String[] args, int i) {
    String text = value(args, i);
    try {
      long number = Long.parseLong(text);
      if (number >= least) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Told below, like a number that is too small.
    }
    throw new IllegalArgumentException(
        args[i - 1] + " must be a whole number of at least " + least + ", not '" + text + "'");
  }

  private boolean run() throws InterruptedException {
    // Ctrl-C: what was done so far is still told.
    Runtime.getRuntime().addShutdownHook(new Thread(this::summarize));
    next.set(from);
    for (int i = 0; i < threads; i++) {
      Thread.ofPlatform().name("seeds-" + i).daemon().start(this::work);
    }
    while (!working.await(terminal ? 500 : 10_000, TimeUnit.MILLISECONDS)) {
      progress();
    }
    summarize();
    Simulation.Outcome failure = outcome();
    if (failure == null) {
      return true;
    }
    System.out.println();
    Throwable bug = thrown();
    if (bug == null) {
      System.out.print(search.tell(failure.seed()).story());
    } else {
      System.out.println("seed " + failure.seed() + " ended with an exception");
      bug.printStackTrace(System.out);
    }
    return false;
  }

  private void work() {
    try {
      for (long seed = next.getAndIncrement();
          seed < from + seeds && outcome() == null;
          seed = next.getAndIncrement()) {
        try {
          finished(search.glance(seed), null);
        } catch (RuntimeException | Error e) {
          finished(new Simulation.Outcome(seed, String.valueOf(e), "", 0, 0, Map.of()), e);
        }
      }
    } finally {
      working.countDown();
    }
  }

  private synchronized void finished(Simulation.Outcome outcome, @Nullable Throwable exception) {
    done++;
    operations += outcome.operations();
    steps += outcome.steps();
    outcome.faults().forEach((fault, count) -> faults.merge(fault, (long) count, Long::sum));
    // Several may fail at once on several threads: the smallest seed is the one to look at.
    if (outcome.violation() != null && (failed == null || outcome.seed() < failed.seed())) {
      failed = outcome;
      thrown = exception;
    }
  }

  private synchronized Simulation.@Nullable Outcome outcome() {
    return failed;
  }

  private synchronized @Nullable Throwable thrown() {
    return thrown;
  }

  private synchronized void progress() {
    if (summarized) {
      return;
    }
    double seconds = (System.nanoTime() - begun) / 1e9;
    double rate = done / seconds;
    long left = done == 0 ? 0 : (long) ((seeds - done) / rate);
    long injected = faults.values().stream().mapToLong(Long::longValue).sum();
    String line =
        "%,d of %,d seeds, %.0f/s, %,d operations, %s%s to go"
            .formatted(
                done,
                seeds,
                rate,
                operations,
                injected == 0 ? "" : "%,d faults, ".formatted(injected),
                "%d:%02d:%02d".formatted(left / 3600, left / 60 % 60, left % 60));
    if (terminal) {
      System.out.print("\r" + line + "  \b\b");
      System.out.flush();
    } else {
      System.out.println(line);
    }
  }

  private synchronized void summarize() {
    if (summarized) {
      return;
    }
    summarized = true;
    double seconds = (System.nanoTime() - begun) / 1e9;
    System.out.printf(
        "%s%,d of %,d seeds from %d in %.1f s, %.0f/s on %d threads; %,d operations, %,d events%n",
        terminal ? "\r\033[K" : "",
        done,
        seeds,
        from,
        seconds,
        done / seconds,
        threads,
        operations,
        steps);
    if (!faults.isEmpty()) {
      System.out.println("faults: " + faults);
    }
    Simulation.Outcome failure = failed;
    System.out.println(
        failure == null
            ? "no violation"
            : "FAILED: seed " + failure.seed() + ": " + failure.violation());
  }
}
