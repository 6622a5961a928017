package dev.parley.system.kv;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/// A cluster of real kv-node processes, and what can befall it: [#kill], [#restart], [#pause] and
/// [#resume], [#cut], [#isolate], [#partition] and [#heal], [#fillDisk] and [#freeDisk],
/// [#flipBit] and [#truncate].
///
/// Nodes are numbered from 1. Each has a network namespace of its own where that is possible, so
/// that it can be cut off from its peers while clients still reach it; the first [#SMALL_DISKS]
/// have a small file system of their own where that is possible, so that it can be filled.
final class KvCluster implements AutoCloseable {

  /// How many nodes have a small disk: a majority of three.
  static final int SMALL_DISKS = 2;

  /// The least a node takes, so that logs of several segments come about.
  private static final int SEGMENT_BYTES = 4 << 20;

  private static final int DISK_BYTES = 64 << 20;
  private static final int MIN_FREE_BYTES = 12 << 20;

  /// What is left of a filled disk: less than the node wants, enough for its next segment.
  private static final int LEFT_WHEN_FULL = 6 << 20;

  /// Far above any start on a busy machine.
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  /// Longer than a node takes to say that it has no majority.
  private static final Duration CALL_TIMEOUT = Duration.ofMillis(2500);

  private static final AtomicInteger COUNT = new AtomicInteger();
  private static final String MARK = "kv.cluster.of.system.tests";

  private final int size;
  private final Path folder;
  private final KvNetwork network;
  private final String token = UUID.randomUUID().toString();
  private final OkHttpClient http;
  private final Map<Integer, Process> processes = new TreeMap<>();
  private final List<Path> mounts = new ArrayList<>();
  private final Thread atExit = Thread.ofPlatform().unstarted(this::release);
  private @Nullable String whyUnfillable;

  private KvCluster(int size) {
    this.size = size;
    this.folder = target().resolve(ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet());
    this.network = KvNetwork.of(size);
    this.http =
        new OkHttpClient.Builder()
            .socketFactory(network.clientSockets())
            .proxy(java.net.Proxy.NO_PROXY)
            .protocols(List.of(Protocol.HTTP_1_1))
            .retryOnConnectionFailure(false)
            .followRedirects(false)
            .connectTimeout(Duration.ofSeconds(1))
            .readTimeout(CALL_TIMEOUT)
            .callTimeout(CALL_TIMEOUT)
            .build();
  }

  /// Starts a fresh cluster and waits until every node sees a majority.
  static KvCluster start(int size) {
    sweep();
    KvCluster cluster = new KvCluster(size);
    Runtime.getRuntime().addShutdownHook(cluster.atExit);
    try {
      for (int node : cluster.nodes()) {
        Files.createDirectories(cluster.home(node));
        if (node <= SMALL_DISKS) {
          cluster.mountSmallDisk(node);
        }
        cluster.launch(node);
      }
      cluster.nodes().forEach(cluster::awaitReady);
      return cluster;
    } catch (IOException e) {
      cluster.close();
      throw new UncheckedIOException(e);
    } catch (RuntimeException | Error e) {
      cluster.close();
      throw e;
    }
  }

  // What it is.

  List<Integer> nodes() {
    return IntStream.rangeClosed(1, size).boxed().toList();
  }

  int majority() {
    return size / 2 + 1;
  }

  URI url(int node) {
    return URI.create("http://" + network.host(node) + ":" + network.port(node));
  }

  /// A client that reaches every node, whatever is cut between them, and never retries by itself.
  OkHttpClient http() {
    return http;
  }

  /// The header that shows the service token.
  String bearer() {
    return "Bearer " + token;
  }

  /// Why the network cannot be cut here, or null.
  @Nullable String whyUncuttable() {
    return network.whyUncuttable();
  }

  /// Why disks cannot be filled here, or null.
  @Nullable String whyUnfillable() {
    return whyUnfillable;
  }

  // Processes.

  /// `kill -9`; it is gone when this returns.
  void kill(int node) {
    Process process = process(node);
    process.destroyForcibly();
    awaitEnd(node, process);
  }

  /// Stops the node in good order, by SIGTERM; it is gone when this returns.
  void stop(int node) {
    Process process = process(node);
    process.destroy();
    awaitEnd(node, process);
  }

  /// Starts a node that does not run, and waits until it sees a majority.
  void restart(int node) {
    launch(node);
    awaitReady(node);
  }

  /// Starts a node that does not run, without waiting for it.
  void launch(int node) {
    Process running = processes.get(node);
    if (running != null && running.isAlive()) {
      throw new IllegalStateException("kv-" + node + " is running");
    }
    List<String> command = new ArrayList<>(network.at(node));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // The settings of ./parley, with which the start-up cache was made.
    command.addAll(
        List.of(
            "-Xms16m",
            "-Xmx160m",
            "-Xss512k",
            "-XX:+UseSerialGC",
            "-XX:+UseCompactObjectHeaders",
            "-XX:ReservedCodeCacheSize=64m",
            "-XX:+ExitOnOutOfMemoryError",
            "--sun-misc-unsafe-memory-access=allow",
            "--enable-native-access=ALL-UNNAMED"));
    Path jar = jar();
    Path cache = Path.of(jar.toString().replaceAll("\\.jar$", ".aot"));
    try {
      if (Files.exists(cache)
          && Files.getLastModifiedTime(cache).compareTo(Files.getLastModifiedTime(jar)) >= 0) {
        command.add("-XX:AOTCache=" + cache);
      }
      command.add("-D" + MARK + "=" + folder);
      command.add("-jar");
      command.add(jar.toString());
      ProcessBuilder builder = new ProcessBuilder(command);
      builder.environment().keySet().removeIf(name -> name.startsWith("PARLEY_"));
      builder.environment().putAll(environment(node));
      builder.redirectErrorStream(true);
      builder.redirectOutput(ProcessBuilder.Redirect.appendTo(log(node).toFile()));
      processes.put(node, builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Starts a node that must refuse to, and gives what it said about it.
  String launchInVain(int node) {
    long before = log(node).toFile().length();
    launch(node);
    Process process = process(node);
    await(
        "kv-" + node + " ends or starts", () -> !process.isAlive() || answers(node, "/v1/cluster"));
    boolean started = process.isAlive();
    if (started) {
      kill(node);
    }
    String said = said(node, before);
    if (started || process.exitValue() != 1) {
      throw new AssertionError("kv-" + node + " did not refuse to start, but said:\n" + said);
    }
    return said;
  }

  /// SIGSTOP: it does nothing at all, but its connections stay.
  void pause(int node) {
    signal(node, "STOP");
  }

  /// SIGCONT.
  void resume(int node) {
    signal(node, "CONT");
  }

  boolean isRunning(int node) {
    Process process = processes.get(node);
    return process != null && process.isAlive();
  }

  /// Waits until the node says that it is ready, which means that it reaches a majority.
  void awaitReady(int node) {
    await(
        "kv-" + node + " is ready",
        () -> {
          if (!isRunning(node)) {
            throw new AssertionError(
                "kv-" + node + " ended with " + process(node).exitValue() + ":\n" + said(node, 0));
          }
          return answers(node, "/q/health/ready");
        });
  }

  /// What the node has said since its log had the length `from`, in bytes.
  String said(int node, long from) {
    try (RandomAccessFile file = new RandomAccessFile(log(node).toFile(), "r")) {
      byte[] bytes = new byte[(int) Math.max(0, file.length() - from)];
      file.seek(from);
      file.readFully(bytes);
      return new String(bytes, java.nio.charset.StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Makes the cluster whole again, whatever befell it before, and waits until it is.
  void recover() {
    heal();
    for (int node : nodes()) {
      freeDisk(node);
      if (isRunning(node)) {
        resume(node);
      } else {
        launch(node);
      }
    }
    nodes().forEach(this::awaitReady);
  }

  // The network.

  /// Nothing that `from` sends reaches `to` any more; the other way is as it was.
  void cut(int from, int to) {
    network.cut(from, to);
  }

  /// Cuts a node off from all others, both ways.
  void isolate(int node) {
    partition(List.of(node), nodes().stream().filter(other -> other != node).toList());
  }

  /// Cuts the nodes of one side off from those of the other, both ways.
  void partition(List<Integer> side, List<Integer> other) {
    for (int a : side) {
      for (int b : other) {
        network.cut(a, b);
        network.cut(b, a);
      }
    }
  }

  /// Undoes all cuts.
  void heal() {
    network.heal();
  }

  // Disks.

  /// Fills the node's disk until less is free than the node wants.
  void fillDisk(int node) {
    if (whyUnfillable != null || node > SMALL_DISKS) {
      throw new UnsupportedOperationException("kv-" + node + " has no small disk");
    }
    try (var out =
        Files.newOutputStream(filler(node), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
      FileStore disk = Files.getFileStore(home(node));
      byte[] block = new byte[1 << 16];
      while (disk.getUsableSpace() > LEFT_WHEN_FULL) {
        out.write(block);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Takes away what filled the disk.
  void freeDisk(int node) {
    try {
      Files.deleteIfExists(filler(node));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Damage to a file of a node that does not run; it can be mended to the bit.
  interface Damage {
    /// What was done, for people.
    String what();

    /// Puts the file back as it was.
    void mend();
  }

  /// Flips one bit of what the log of a stopped node holds, in the first half of its newest
  /// segment with data, so that more follows behind it.
  Damage flipBit(int node, RandomGenerator random) {
    Path segment = newestSegment(node);
    try {
      byte[] content = Files.readAllBytes(segment);
      int used = used(content);
      int at;
      do {
        // Between groups there may be zeros that mean nothing.
        at = random.nextInt(used / 2);
      } while (content[at] == 0);
      int bit = random.nextInt(8);
      byte[] flipped = {(byte) (content[at] ^ 1 << bit)};
      overwrite(segment, at, flipped);
      byte[] original = {content[at]};
      int place = at;
      return damage(
          "bit %d of byte %d of %s flipped".formatted(bit, at, segment.getFileName()),
          () -> overwrite(segment, place, original));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Cuts the newest segment of a stopped node off in the middle of what it holds.
  Damage truncate(int node, RandomGenerator random) {
    Path segment = newestSegment(node);
    try {
      byte[] content = Files.readAllBytes(segment);
      int used = used(content);
      int length = used / 4 + random.nextInt(used / 2);
      try (RandomAccessFile file = new RandomAccessFile(segment.toFile(), "rw")) {
        file.setLength(length);
      }
      return damage(
          "%s cut off at byte %d".formatted(segment.getFileName(), length),
          () -> overwrite(segment, 0, content));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    release();
    Runtime.getRuntime().removeShutdownHook(atExit);
  }

  // The inside.

  /// Waits for something that other processes do, with a deadline that only a fault reaches.
  static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadline >= 0) {
        throw new AssertionError("never came true: " + what);
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(25));
    }
  }

  private boolean answers(int node, String path) {
    Request request = new Request.Builder().url(url(node).resolve(path).toString()).build();
    try (Response response = http.newCall(request).execute()) {
      return response.isSuccessful();
    } catch (IOException e) {
      return false;
    }
  }

  private Map<String, String> environment(int node) {
    List<String> peers = new ArrayList<>();
    for (int peer : nodes()) {
      peers.add("kv-" + peer + "=" + url(peer));
    }
    return Map.of(
        "PARLEY_NAME", "kv-" + node,
        "PARLEY_NODE_ID", "kv-" + node,
        "PARLEY_HOST", network.host(node),
        "PARLEY_PORT", Integer.toString(network.port(node)),
        "PARLEY_SERVICE_TOKEN", token,
        "PARLEY_DATA_DIR", data(node).toString(),
        "PARLEY_PEERS", String.join(",", peers),
        "PARLEY_CLUSTER_ID", "system-test",
        "PARLEY_SEGMENT_BYTES", Integer.toString(SEGMENT_BYTES),
        "PARLEY_MIN_FREE_BYTES", Integer.toString(MIN_FREE_BYTES));
  }

  private Process process(int node) {
    Process process = processes.get(node);
    if (process == null) {
      throw new IllegalStateException("kv-" + node + " was never started");
    }
    return process;
  }

  private void awaitEnd(int node, Process process) {
    try {
      if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("kv-" + node + " does not end:\n" + said(node, 0));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  private void signal(int node, String signal) {
    Shell.run("kill", "-" + signal, Long.toString(process(node).pid()));
  }

  private void mountSmallDisk(int node) {
    Shell.Result mounted =
        Shell.attempt(
            List.of(
                "mount",
                "-t",
                "tmpfs",
                "-o",
                "size=" + DISK_BYTES + ",mode=0700",
                "parley-test",
                home(node).toString()));
    if (mounted.succeeded()) {
      mounts.add(home(node));
    } else {
      whyUnfillable = "no small file systems (they need root): " + mounted.output().strip();
    }
  }

  private void release() {
    for (Process process : processes.values()) {
      process.destroyForcibly();
    }
    processes.forEach(this::awaitEnd);
    http.dispatcher().executorService().shutdown();
    http.connectionPool().evictAll();
    network.close();
    mounts.forEach(KvCluster::unmount);
  }

  /// Ends and removes what earlier runs left behind that were killed themselves.
  private static void sweep() {
    Path target = target();
    ProcessHandle.allProcesses()
        .filter(
            process ->
                process
                    .info()
                    .commandLine()
                    .filter(line -> line.contains("-D" + MARK + "=" + target + "/"))
                    .filter(line -> !ownerLives(line.replaceAll(".*-D" + MARK + "=\\S*/", "")))
                    .isPresent())
        .forEach(ProcessHandle::destroyForcibly);
    KvNetwork.Namespaces.sweep();
    if (!Files.isDirectory(target)) {
      return;
    }
    try (DirectoryStream<Path> runs = Files.newDirectoryStream(target)) {
      for (Path run : runs) {
        if (!ownerLives(run.getFileName().toString())) {
          for (int node = 1; node <= SMALL_DISKS; node++) {
            unmount(run.resolve("kv-" + node));
          }
          delete(run);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Whether the process lives that the name of a run begins with.
  private static boolean ownerLives(String run) {
    String pid = run.replaceAll("[^0-9].*", "");
    return !pid.isEmpty() && ProcessHandle.of(Long.parseLong(pid)).isPresent();
  }

  private static void unmount(Path mount) {
    // Nothing to do where nothing is mounted.
    var _ = Shell.attempt(List.of("umount", mount.toString()));
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }

  private static Path target() {
    return Path.of("target/kv").toAbsolutePath();
  }

  private static Path jar() {
    Path target = Path.of("../kv-node/target").toAbsolutePath().normalize();
    try (DirectoryStream<Path> jars = Files.newDirectoryStream(target, "kv-node-*-runner.jar")) {
      for (Path jar : jars) {
        return jar;
      }
    } catch (IOException e) {
      throw new UncheckedIOException("kv-node is not built", e);
    }
    throw new IllegalStateException("kv-node is not built: no runner jar in " + target);
  }

  private Path home(int node) {
    return folder.resolve("kv-" + node);
  }

  private Path data(int node) {
    return home(node).resolve("data");
  }

  private Path filler(int node) {
    return home(node).resolve("filler");
  }

  private Path log(int node) {
    return folder.resolve("kv-" + node + ".log");
  }

  private Path newestSegment(int node) {
    if (isRunning(node)) {
      throw new IllegalStateException("kv-" + node + " is running");
    }
    try (Stream<Path> files = Files.list(data(node))) {
      return files
          .filter(file -> file.getFileName().toString().matches("segment-[0-9]+\\.log"))
          .max(Path::compareTo)
          .orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int used(byte[] content) {
    int used = content.length;
    while (used > 0 && content[used - 1] == 0) {
      used--;
    }
    return used;
  }

  private static void overwrite(Path path, int at, byte[] bytes) {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.seek(at);
      file.write(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Damage damage(String what, Runnable mending) {
    return new Damage() {
      @Override
      public String what() {
        return what;
      }

      @Override
      public void mend() {
        mending.run();
      }
    };
  }
}
