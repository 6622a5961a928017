package dev.parley.benchmarks.kv;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/// What was measured, as a page of Markdown that is just as readable on a terminal.
final class Report {

  /// One measurement of both stores.
  ///
  /// @param target the least ratio wanted
  record Comparison(String what, Wrk.Result parley, Wrk.Result etcd, double target) {
    double ratio() {
      return parley.perSecond() / etcd.perSecond();
    }
  }

  private final List<List<String>> throughput = new ArrayList<>();
  private final List<List<String>> kills = new ArrayList<>();
  private final List<List<String>> manyKeys = new ArrayList<>();
  private String cold = "";

  Report() {
    throughput.add(
        List.of(
            "",
            "Parley /s",
            "etcd /s",
            "ratio",
            "wanted",
            "",
            "p99 Parley",
            "p99 etcd",
            "CPU µs each Parley",
            "CPU µs each etcd",
            "failed Parley",
            "failed etcd"));
    kills.add(
        List.of(
            "kill -9 of",
            "longest without a write",
            "longest wait of a client",
            "the same before",
            "writes",
            "retried",
            "failed after the retry",
            "acknowledged and lost",
            "wanted",
            ""));
    manyKeys.add(List.of("", "measured", "wanted", ""));
  }

  /// How it began: the first load after the start, which a JVM still interprets and compiles.
  void cold(Wrk.Result result, int seconds) {
    cold =
        "The first %d s of load after the start, not counted above: %,.0f writes/s."
            .formatted(seconds, result.perSecond());
  }

  void add(Comparison comparison) {
    throughput.add(
        List.of(
            comparison.what(),
            "%,.0f".formatted(comparison.parley().perSecond()),
            "%,.0f".formatted(comparison.etcd().perSecond()),
            "%.2f".formatted(comparison.ratio()),
            "≥ %.1f".formatted(comparison.target()),
            verdict(comparison.ratio() >= comparison.target()),
            millis(comparison.parley().p99Micros()),
            millis(comparison.etcd().p99Micros()),
            "%.0f".formatted(comparison.parley().cpuMicros()),
            "%.0f".formatted(comparison.etcd().cpuMicros()),
            String.valueOf(comparison.parley().failed()),
            String.valueOf(comparison.etcd().failed())));
  }

  /// @param wanted whether this store is to keep the promises
  void add(String what, Failover.Result kill, boolean wanted) {
    boolean kept = kill.lost() == 0 && kill.failed() == 0 && kill.longestWait().toMillis() <= 250;
    kills.add(
        List.of(
            what,
            millis(kill.silence()),
            millis(kill.longestWait()),
            millis(kill.longestWaitBefore()),
            "%,d".formatted(kill.writes()),
            String.valueOf(kill.retried()),
            String.valueOf(kill.failed()),
            String.valueOf(kill.lost()),
            wanted ? "≤ 250 ms, 0 failed, 0 lost" : "",
            wanted ? verdict(kept) : ""));
  }

  void add(ManyKeys.Result many, int keys) {
    row(
        "keys a complete listing shows",
        "%,d".formatted(many.keys()),
        "%,d".formatted(keys),
        many.keys() >= keys);
    row(
        "heap in use after a full collection, of 512 MB",
        many.heapMegabytes() + " MB",
        "≤ 512 MB",
        many.heapMegabytes() <= 512);
    row(
        "ready again after kill -9",
        "%.1f s".formatted(many.recovery().toMillis() / 1000.0),
        "≤ 10 s",
        many.recovery().toMillis() <= 10_000);
    row(
        "the same with %,d keys".formatted(ManyKeys.SMALL),
        "%.1f s".formatted(many.startWithout().toMillis() / 1000.0),
        "",
        true);
    row("log on disk, one node", many.logMegabytes() + " MB", "", true);
    row(
        "page of " + ManyKeys.PAGE + ", median",
        millis(many.pageMedian()),
        "≤ 5 ms",
        many.pageMedian().toNanos() <= 5_000_000);
    row("page of " + ManyKeys.PAGE + ", 99th percentile", millis(many.pageP99()), "", true);
    cost("", many.large(), many.small(), true);
    cost(" in 512 MB", many.tight(), many.small(), false);
  }

  /// @param wanted whether it is to cost about as much as with few keys
  private void cost(String where, Wrk.Result many, Wrk.Result few, boolean wanted) {
    double cost = many.cpuMicros() / few.cpuMicros();
    row(
        "processor time of a write%s, of that with %,d keys".formatted(where, ManyKeys.SMALL),
        "%.2f (%.0f µs, %.0f µs)".formatted(cost, many.cpuMicros(), few.cpuMicros()),
        wanted ? "≤ 1.25" : "",
        cost <= 1.25);
    row(
        "writes a second%s, of those with %,d keys".formatted(where, ManyKeys.SMALL),
        "%.2f (%,.0f, %,.0f)"
            .formatted(many.perSecond() / few.perSecond(), many.perSecond(), few.perSecond()),
        "",
        true);
    row("99th percentile of a write" + where, millis(many.p99Micros()), "", true);
  }

  private void row(String what, String measured, String wanted, boolean kept) {
    manyKeys.add(List.of(what, measured, wanted, wanted.isEmpty() ? "" : verdict(kept)));
  }

  String markdown(Options options, String machine, Duration took) {
    return """
    # Benchmarks

    Written by `./parley bench kv`, which runs all of this again and replaces this page. \
    `./parley bench` alone runs the micro-benchmarks of the protocol.

    %s

    ## Throughput, beside etcd

    %d connections of wrk, values of %,d bytes, %,d keys drawn at random. "Spread" loads all three \
    nodes alike; "one node" sends everything to a single one, which is the preferred \
    coordinator of a third of the keys only. Both stores run all the time, and are loaded in turn: %d \
    rounds of %d s each, the medians are shown. Before that, Parley had %d s of writes and %d s of reads that are not \
    counted, for a JVM compiles what is used most while it runs; etcd, which is compiled ahead, had %d s of each. \
    Parley's nodes had the heap of a node with a machine to itself, `%s`. Reads are linearizable \
    (etcd: `quorum=true`). etcd is asked through its v2 API (`--enable-v2`, `/v2/keys`), so that one tool \
    loads both stores over plain HTTP: v3 is gRPC, and its JSON gateway would cost it more. The processor time is that of all three members for one request, and \
    depends less than the rates on what else the machine does.

    %s
    %s

    ## A node dies under load

    64 clients write all the time, each its own keys, to all nodes in turn; a write that fails is tried once more \
    at the next node. After 3 s one member gets `kill -9` (etcd: its leader, which is the member that matters \
    there), and 6 s later every key is read back through another. The waits before the kill show what the load alone costs.

    %s
    ## Many keys

    Values of %d bytes. What a write costs is measured beside a store with few keys, in turn, the nodes \
    of both having `%s`, so that the keys make the difference and not a heap that is full. Everything else is measured \
    with `%s`, which a million keys nearly fill.

    %s"""
            .formatted(
                machine,
                Wrk.CONNECTIONS,
                KvBenchmark.VALUE,
                KvBenchmark.KEYS,
                options.rounds(),
                options.seconds(),
                options.warmup(),
                options.warmupReads(),
                options.warmupReads(),
                String.join(" ", KvBenchmark.DEDICATED),
                table(throughput),
                cold,
                table(kills),
                ManyKeys.VALUE,
                String.join(" ", ManyKeys.ROOMY),
                String.join(" ", ManyKeys.TIGHT),
                table(manyKeys))
        + "\nThe whole run took "
        + "%.0f minutes.\n".formatted(took.toSeconds() / 60.0);
  }

  private static String table(List<List<String>> rows) {
    int columns = rows.getFirst().size();
    int[] widths = new int[columns];
    for (List<String> row : rows) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    StringBuilder out = new StringBuilder();
    for (int r = 0; r < rows.size(); r++) {
      out.append('|');
      for (int i = 0; i < columns; i++) {
        String cell = rows.get(r).get(i);
        out.append(' ').append(cell).append(" ".repeat(widths[i] - cell.length())).append(" |");
      }
      out.append('\n');
      if (r == 0) {
        out.append('|');
        for (int i = 0; i < columns; i++) {
          out.append(i == 0 ? "-" : " ").append("-".repeat(widths[i])).append(i == 0 ? "-|" : ":|");
        }
        out.append('\n');
      }
    }
    return out.toString();
  }

  private static String verdict(boolean kept) {
    return kept ? "reached" : "**missed**";
  }

  private static String millis(Duration duration) {
    return millis(duration.toNanos() / 1000);
  }

  private static String millis(long micros) {
    return micros < 10_000 ? "%.1f ms".formatted(micros / 1e3) : "%,.0f ms".formatted(micros / 1e3);
  }

  /// Each figure's median on its own; failures are summed.
  static Wrk.Result median(List<Wrk.Result> results) {
    return new Wrk.Result(
        median(results, Wrk.Result::perSecond),
        median(results, Wrk.Result::cpuMicros),
        (long) median(results, Wrk.Result::p50Micros),
        (long) median(results, Wrk.Result::p99Micros),
        results.stream().mapToLong(Wrk.Result::failed).sum());
  }

  private static double median(List<Wrk.Result> results, ToDoubleFunction<Wrk.Result> figure) {
    List<Double> sorted =
        results.stream().map(figure::applyAsDouble).sorted(Comparator.naturalOrder()).toList();
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }

  /// Where it ran.
  static String machine(Options options) throws IOException, InterruptedException {
    String cpu = line(Path.of("/proc/cpuinfo"), "model name");
    String memory = line(Path.of("/proc/meminfo"), "MemTotal").replace(" kB", "");
    Runtime.Version jdk = Runtime.version();
    return """
    - Commit: %s
    - Machine: %d cores (%s), %.0f GiB of memory, Linux %s
    - JDK %s, %s, %s; nodes run with `%s`
    - Disk: %s; the data of both stores lie in one folder, and both force every write
    """
        .formatted(
            options.commit(),
            Runtime.getRuntime().availableProcessors(),
            cpu,
            Double.parseDouble(memory) / (1 << 20),
            System.getProperty("os.version"),
            jdk,
            version("etcd", "--version"),
            version("wrk", "-v"),
            String.join(
                " ",
                options.flags().stream()
                    .filter(flag -> flag.startsWith("-X"))
                    .map(flag -> flag.startsWith("-XX:AOTCache") ? "-XX:AOTCache" : flag)
                    .toList()),
            Files.getFileStore(options.scratch()).type())
        .strip();
  }

  private static String line(Path file, String name) throws IOException {
    for (String line : Files.readAllLines(file)) {
      if (line.startsWith(name)) {
        return line.substring(line.indexOf(':') + 1).strip();
      }
    }
    return "unknown";
  }

  private static String version(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output
        .lines()
        .findFirst()
        .orElse("unknown")
        .replaceAll("(?i)version: | Copyright.*| \\[epoll]", "")
        .strip()
        .toLowerCase(Locale.ROOT);
  }
}
