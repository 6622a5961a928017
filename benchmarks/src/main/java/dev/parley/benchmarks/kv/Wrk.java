package dev.parley.benchmarks.kv;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The load tool: wrk with the script `load.lua`, the same for both stores.
final class Wrk {

  /// Connections under load at once, as the numbers say.
  static final int CONNECTIONS = 64;

  /// So that the connections divide evenly.
  private static final int THREADS = 4;

  private static final Pattern RESULT =
      Pattern.compile(
          "RESULT requests=(\\d+) micros=(\\d+) bad=(\\d+) broken=(\\d+) p50=(\\d+) p99=(\\d+) max=(\\d+)");

  /// What a store did under load.
  ///
  /// @param perSecond successful requests a second
  /// @param cpuMicros processor time of all its members for each of them
  /// @param failed answers that were no success, or none
  record Result(double perSecond, double cpuMicros, long p50Micros, long p99Micros, long failed) {}

  private final Path script;

  /// @param scratch where the script is put
  Wrk(Path scratch) throws IOException {
    this.script = scratch.resolve("load.lua");
    try (InputStream lua = Wrk.class.getResourceAsStream("/load.lua")) {
      if (lua == null) {
        throw new IllegalStateException("load.lua is not in the jar");
      }
      Files.copy(lua, script, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /// @param operation `write` or `read`
  /// @param nodes where to, one after the other for each thread of the tool
  Result run(
      Store store, String operation, int keys, int valueBytes, List<String> nodes, int seconds)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add("wrk");
    command.addAll(List.of("-t", String.valueOf(THREADS), "-c", String.valueOf(CONNECTIONS)));
    command.addAll(List.of("-d", seconds + "s", "--timeout", "10s", "-s", script.toString()));
    command.addAll(List.of("http://" + nodes.getFirst(), "--", store.api().word(), operation));
    command.addAll(List.of(String.valueOf(keys), String.valueOf(valueBytes)));
    command.addAll(nodes);
    long before = store.cpuMicros();
    Process wrk = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(wrk.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    wrk.waitFor();
    long used = store.cpuMicros() - before;
    return parse(output, used);
  }

  /// @throws IllegalStateException if wrk said something else than results
  static Result parse(String output, long cpuMicros) {
    Matcher result = RESULT.matcher(output);
    if (!result.find()) {
      throw new IllegalStateException("wrk failed: " + output);
    }
    long requests = Long.parseLong(result.group(1));
    double seconds = Long.parseLong(result.group(2)) / 1e6;
    long bad = Long.parseLong(result.group(3));
    long broken = Long.parseLong(result.group(4));
    long good = requests - bad;
    if (good <= 0) {
      throw new IllegalStateException("no request succeeded: " + output);
    }
    return new Result(
        good / seconds,
        (double) cpuMicros / good,
        Long.parseLong(result.group(5)),
        Long.parseLong(result.group(6)),
        bad + broken);
  }
}
