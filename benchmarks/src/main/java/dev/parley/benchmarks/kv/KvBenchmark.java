package dev.parley.benchmarks.kv;

import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// `./parley bench kv`: the store and etcd on one machine, in one run, under the same load.
public final class KvBenchmark {

  static final int KEYS = 10_000;
  static final int VALUE = 1024;

  /// The heap of a node that has a machine to itself, as docs/operations.md gives it.
  static final List<String> DEDICATED = List.of("-Xms512m", "-Xmx512m", "-Xmn256m");

  private static final double WRITES_WANTED = 1.5;
  private static final double READS_WANTED = 2.5;

  private KvBenchmark() {}

  /// Runs everything, prints the tables and writes the page.
  ///
  /// @throws IllegalArgumentException if an argument is not known
  public static void main(String[] args) throws IOException, InterruptedException {
    Options options = Options.parse(List.of(args));
    long begun = System.nanoTime();
    Files.createDirectories(options.scratch());
    String disk = Files.getFileStore(options.scratch()).type();
    if (disk.equals("tmpfs") || disk.equals("ramfs")) {
      say("NOTE: the data lie on " + disk + ", where forcing a write costs nothing");
    }
    Report report = new Report();
    try (Client client = new Client()) {
      Wrk wrk = new Wrk(options.scratch());
      try (Store parley = Store.parley(options, "parley", DEDICATED);
          Store etcd = Store.etcd(options)) {
        say("Starting three nodes and three members of etcd");
        etcd.start(client);
        parley.start(client);
        Filler.fill(client, etcd, KEYS, VALUE);
        Filler.fillInBatches(client, parley, KEYS, VALUE);
        throughput(options, wrk, parley, etcd, report);
        kills(options, client, parley, etcd, report);
      }
      say("Many keys: %,d of %d bytes".formatted(options.bigKeys(), ManyKeys.VALUE));
      report.add(ManyKeys.run(options, client, wrk), options.bigKeys());
    }
    String page =
        report.markdown(
            options, Report.machine(options), Duration.ofNanos(System.nanoTime() - begun));
    say("");
    say(page);
    if (!options.report().toString().isEmpty()) {
      Files.writeString(options.report(), page);
      say("Written to " + options.report());
    }
  }

  private static void throughput(Options options, Wrk wrk, Store parley, Store etcd, Report report)
      throws IOException, InterruptedException {
    List<String> operations = List.of("write", "read");
    int some = options.warmupReads();
    say("Warming up: %d s".formatted(options.warmup() + 3 * some));
    Wrk.Result cold = wrk.run(parley, "write", KEYS, VALUE, parley.addresses(), some);
    report.cold(cold, some);
    wrk.run(parley, "write", KEYS, VALUE, parley.addresses(), options.warmup() - some);
    wrk.run(parley, "read", KEYS, VALUE, parley.addresses(), some);
    for (String operation : operations) {
      wrk.run(etcd, operation, KEYS, VALUE, etcd.addresses(), some);
    }
    for (String operation : operations) {
      double wanted = operation.equals("write") ? WRITES_WANTED : READS_WANTED;
      for (boolean spread : new boolean[] {true, false}) {
        String what = operation + "s, " + (spread ? "spread" : "one node");
        List<Wrk.Result> ours = new ArrayList<>();
        List<Wrk.Result> theirs = new ArrayList<>();
        for (int round = 0; round < options.rounds(); round++) {
          ours.add(one(options, wrk, parley, operation, spread, round));
          theirs.add(one(options, wrk, etcd, operation, spread, round));
        }
        var comparison =
            new Report.Comparison(what, Report.median(ours), Report.median(theirs), wanted);
        report.add(comparison);
        say(
            "%-18s %,8.0f/s, etcd %,8.0f/s, ratio %.2f"
                .formatted(
                    what,
                    comparison.parley().perSecond(),
                    comparison.etcd().perSecond(),
                    comparison.ratio()));
      }
    }
  }

  /// Each round begins at another member: with four threads and three members one gets two of
  /// them, and the single one may be etcd's leader or not.
  private static Wrk.Result one(
      Options options, Wrk wrk, Store store, String operation, boolean spread, int round)
      throws IOException, InterruptedException {
    List<String> all = store.addresses();
    int first = round % all.size();
    List<String> nodes = new ArrayList<>(all.subList(first, all.size()));
    nodes.addAll(all.subList(0, first));
    return wrk.run(
        store, operation, KEYS, VALUE, spread ? nodes : nodes.subList(0, 1), options.seconds());
  }

  private static void kills(Options options, Client client, Store parley, Store etcd, Report report)
      throws IOException, InterruptedException {
    for (int turn = 0; turn < options.kills(); turn++) {
      for (Store store : List.of(parley, etcd)) {
        Failover.Result kill = Failover.run(client, store, turn, VALUE);
        boolean ours = store.api() == Store.Api.PARLEY;
        String what = ours ? "Parley, node " + (turn % 3 + 1) : "etcd, the leader";
        report.add(what, kill, ours);
        say(
            "kill -9 of %s: %d ms without a write, longest wait %d ms, %d failed, %d lost"
                .formatted(
                    what,
                    kill.silence().toMillis(),
                    kill.longestWait().toMillis(),
                    kill.failed(),
                    kill.lost()));
      }
    }
  }

  private static void say(String line) {
    System.out.println(line);
  }
}
