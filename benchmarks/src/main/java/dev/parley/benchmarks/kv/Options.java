package dev.parley.benchmarks.kv;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What to run, as `./parley bench kv` says it.
///
/// @param java the program that runs a node
/// @param jar of kv-node
/// @param flags of its JVM, as `./parley up` gives them
/// @param scratch an absent folder for the data of both stores, so that they share a disk
/// @param commit what was built, for the report
/// @param report the page to write, or an empty path for none
/// @param rounds how often each measurement is made, the stores taking turns
/// @param seconds how long each takes
/// @param warmup seconds of writes before anything is measured, then as many seconds of reads as
///     [#warmupReads]; etcd, which is compiled ahead of time, gets [#warmupReads] of both
/// @param kills how often each store loses a node
/// @param bigKeys keys in the larger store
record Options(
    Path java,
    Path jar,
    List<String> flags,
    Path scratch,
    String commit,
    Path report,
    int rounds,
    int seconds,
    int warmup,
    int kills,
    int bigKeys) {

  Options {
    flags = List.copyOf(flags);
  }

  /// @throws IllegalArgumentException if an argument is unknown or a needed one is absent
  static Options parse(List<String> args) {
    Path java = Path.of("");
    Path jar = Path.of("");
    Path scratch = Path.of("");
    Path report = Path.of("");
    String commit = "unknown";
    List<String> flags = new ArrayList<>();
    boolean quick = false;
    for (String arg : args) {
      int equals = arg.indexOf('=');
      String name = equals < 0 ? arg : arg.substring(0, equals);
      String value = equals < 0 ? "" : arg.substring(equals + 1);
      switch (name) {
        case "--java" -> java = Path.of(value);
        case "--jar" -> jar = Path.of(value);
        case "--flag" -> flags.add(value);
        case "--scratch" -> scratch = Path.of(value);
        case "--commit" -> commit = value;
        case "--report" -> report = Path.of(value);
        case "--quick" -> quick = true;
        default -> throw new IllegalArgumentException("unknown argument " + arg);
      }
    }
    if (java.toString().isEmpty() || jar.toString().isEmpty() || scratch.toString().isEmpty()) {
      throw new IllegalArgumentException("--java, --jar and --scratch are needed");
    }
    return quick
        ? new Options(java, jar, flags, scratch, commit, report, 1, 4, 20, 1, 100_000)
        : new Options(java, jar, flags, scratch, commit, report, 5, 8, 90, 3, 1_000_000);
  }

  int warmupReads() {
    return warmup / 4;
  }
}
