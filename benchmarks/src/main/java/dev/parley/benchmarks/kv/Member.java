package dev.parley.benchmarks.kv;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// One process of a store, which can be killed and started again.
final class Member {

  private final List<String> command;
  private final Map<String, String> environment;
  private final Path log;
  private final String address;
  private final String healthPath;
  private @Nullable Process process;

  /// @param address host:port where it answers HTTP
  /// @param healthPath answers 200 once it is of use
  Member(
      List<String> command,
      Map<String, String> environment,
      Path log,
      String address,
      String healthPath) {
    this.command = List.copyOf(command);
    this.environment = Map.copyOf(environment);
    this.log = log;
    this.address = address;
    this.healthPath = healthPath;
  }

  String address() {
    return address;
  }

  Path log() {
    return log;
  }

  void start() throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
    builder.environment().putAll(environment);
    process = builder.start();
  }

  /// Waits until it says that it is healthy.
  ///
  /// @throws IllegalStateException if it ends, or is not healthy after `within`
  void awaitHealthy(Client client, Duration within) throws InterruptedException {
    long deadline = System.nanoTime() + within.toNanos();
    while (client.get(address, healthPath, Duration.ofSeconds(1)).status() != 200) {
      if (!running().isAlive()) {
        throw new IllegalStateException(address + " ended; see " + log);
      }
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(
            address + " is not healthy after " + within.toSeconds() + " s; see " + log);
      }
      Thread.sleep(5);
    }
  }

  boolean alive() {
    Process now = process;
    return now != null && now.isAlive();
  }

  long pid() {
    return running().pid();
  }

  /// `kill -9`, and waits until the process is gone.
  void kill() throws InterruptedException {
    Process now = process;
    if (now != null) {
      now.destroyForcibly();
      now.waitFor(10, TimeUnit.SECONDS);
    }
  }

  /// Processor time used so far, user and system, in microseconds.
  long cpuMicros() {
    return running()
        .info()
        .totalCpuDuration()
        .map(used -> used.toNanos() / 1000)
        .orElseThrow(() -> new IllegalStateException("no processor time of " + address));
  }

  private Process running() {
    Process now = process;
    if (now == null) {
      throw new IllegalStateException(address + " was not started");
    }
    return now;
  }
}
