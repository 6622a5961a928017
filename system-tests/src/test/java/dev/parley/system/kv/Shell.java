package dev.parley.system.kv;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// Short commands of the operating system.
final class Shell {

  private static final int PATIENCE_SECONDS = 20;

  private Shell() {}

  /// What a command did.
  record Result(int status, String output) {

    boolean succeeded() {
      return status == 0;
    }
  }

  /// Runs a command to its end, whatever that is.
  static Result attempt(List<String> command) {
    return attempt(command, "");
  }

  /// Runs a command to its end with `input` on its standard input.
  static Result attempt(List<String> command, String input) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      try (var in = process.getOutputStream()) {
        in.write(input.getBytes(StandardCharsets.UTF_8));
      }
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        return new Result(-1, "timed out: " + output);
      }
      return new Result(process.exitValue(), output);
    } catch (IOException e) {
      return new Result(-1, String.valueOf(e.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted: " + command, e);
    }
  }

  /// Runs a command that must succeed.
  ///
  /// @throws UncheckedIOException if it does not
  static String run(String... command) {
    return run(List.of(command), "");
  }

  static String run(List<String> command, String input) {
    Result result = attempt(command, input);
    if (!result.succeeded()) {
      throw new UncheckedIOException(
          new IOException("failed: " + command + "\n" + input + result.output()));
    }
    return result.output();
  }
}
