package dev.parley.system.kv;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
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
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/// A cluster of real kv-node processes, and what can befall it: [#kill], [#restart], [#pause] and
/// [#resume], [#cut], [#isolate], [#partition] and [#heal], [#fillDisk] and [#freeDisk],
/// [#flipBit] and [#truncate], [#add], [#remove] and [#replace].
///
/// Nodes are numbered from 1, and no number is used twice. Each has a network namespace of its own
/// where that is possible, so that it can be cut off from its peers while clients still reach it;
/// [#SMALL_DISKS] of them have a small file system of their own where that is possible, so that it
/// can be filled.
///
/// One thread breaks the cluster; others may ask what it is meanwhile.
final class KvCluster implements AutoCloseable {

  /// How many members have a small disk: a majority of three.
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

  /// Longer than a node takes to decide on a change of the members, or to say that it cannot.
  private static final Duration CHANGE_TIMEOUT = Duration.ofSeconds(6);

  /// A cluster remembers 1024 removed members and refuses to remove more.
  private static final int MAX_REMOVALS = 1000;

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final AtomicInteger COUNT = new AtomicInteger();
  private static final String MARK = "kv.cluster.of.system.tests";

  private final int founders;
  private final Path folder;
  private final KvNetwork network;
  private final String token = UUID.randomUUID().toString();
  private final OkHttpClient http;
  private final OkHttpClient patientHttp;
  private final Map<Integer, Process> processes = new TreeMap<>();
  private final Map<Integer, List<Integer>> peers = new TreeMap<>();
  private final Set<Integer> small = new TreeSet<>();
  private final List<Path> mounts = new ArrayList<>();
  private final Thread atExit = Thread.ofPlatform().unstarted(this::release);
  private @Nullable String whyUnfillable;

  /// Replaced as a whole, for clients read them.
  private volatile List<Integer> members;

  private volatile List<Integer> parting = List.of();
  private @Nullable Change change;
  private long decided;
  private int numbers;

  /// A change of the members that the cluster has begun, or is about to.
  ///
  /// @param newcomer who comes, or 0
  /// @param leaver who leaves, or 0
  private record Change(int newcomer, int leaver) {

    @Override
    public String toString() {
      return (newcomer == 0 ? "" : "+kv-" + newcomer) + (leaver == 0 ? "" : "-kv-" + leaver);
    }
  }

  private KvCluster(int size) {
    this.founders = size;
    this.numbers = size;
    this.members = IntStream.rangeClosed(1, size).boxed().toList();
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
    this.patientHttp =
        http.newBuilder().readTimeout(CHANGE_TIMEOUT).callTimeout(CHANGE_TIMEOUT).build();
  }

  /// Starts a fresh cluster and waits until every node sees a majority.
  static KvCluster start(int size) {
    sweep();
    KvCluster cluster = new KvCluster(size);
    Runtime.getRuntime().addShutdownHook(cluster.atExit);
    try {
      for (int node : cluster.members) {
        cluster.peers.put(node, cluster.members);
        cluster.furnish(node, 0);
        cluster.launch(node);
      }
      cluster.nodes().forEach(cluster::awaitReady);
      return cluster;
    } catch (RuntimeException | Error e) {
      cluster.close();
      throw e;
    }
  }

  // What it is.

  /// The members; once a change of them has begun, those that it leads to.
  List<Integer> nodes() {
    return members;
  }

  /// Whom clients ask: the members, and those that leave or have just left.
  List<Integer> asked() {
    List<Integer> asked = new ArrayList<>(parting);
    asked.addAll(members);
    return asked;
  }

  int majority() {
    return members.size() / 2 + 1;
  }

  /// With how many members the machine still copes.
  int mostMembers() {
    return founders + 2;
  }

  /// The members whose disk can be filled.
  List<Integer> smallDisks() {
    return members.stream().filter(small::contains).toList();
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
    return whyUnfillable != null || !smallDisks().isEmpty()
        ? whyUnfillable
        : "those with small disks have left";
  }

  /// Why the members cannot be changed any more, or null.
  @Nullable String whyUnchangeable() {
    return numbers < MAX_REMOVALS ? null : "too many nodes were members once";
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

  /// Waits until the node says that it is ready, which means that it reaches a majority, or, if it
  /// leaves, that it was removed.
  void awaitReady(int node) {
    await(
        "kv-" + node + " is ready",
        () -> {
          if (!isRunning(node)) {
            throw new AssertionError(
                "kv-" + node + " ended with " + process(node).exitValue() + ":\n" + said(node, 0));
          }
          return answers(node, "/q/health/ready")
              || (parting.contains(node) && saysThatItWasRemoved(node));
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

  /// Makes the cluster whole again, whatever befell it before, and waits until it is. That cannot
  /// be had in the midst of a change of the members.
  ///
  /// @return whether it was done
  boolean recover() {
    if (change != null || !parting.isEmpty()) {
      return false;
    }
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
    return true;
  }

  // Members.

  /// Starts a fresh node, which waits to be taken in by the members.
  ///
  /// @param instead of which member it is to be, or 0
  int recruit(int instead) {
    int node = ++numbers;
    List<Integer> known = new ArrayList<>(members);
    known.removeIf(member -> member == instead);
    known.add(node);
    peers.put(node, List.copyOf(known));
    network.add(node);
    furnish(node, instead);
    launch(node);
    return node;
  }

  /// Has the members take a node in, and returns once they have decided to. From then on clients
  /// ask it as well.
  void add(int newcomer) {
    begin(new Change(newcomer, 0));
  }

  /// Has the members let a node go, and returns once they have decided to. Clients ask it until
  /// [#dismiss].
  void remove(int leaver) {
    begin(new Change(0, leaver));
  }

  /// Both in one.
  void replace(int leaver, int newcomer) {
    begin(new Change(newcomer, leaver));
  }

  /// The node that carries out a change, and how far it is, in its own words.
  record Driver(int node, String progress) {}

  /// Waits until a node says that it carries out the change that was begun, or all members that
  /// the change is over.
  Optional<Driver> driver() {
    List<Driver> found = new ArrayList<>();
    await(
        "somebody carries out the change " + change,
        () -> {
          boolean over = true;
          for (int node : asked()) {
            JsonNode seen = isRunning(node) ? view(node) : null;
            if (seen != null && seen.path("change").path("driven_here").asBoolean()) {
              found.add(new Driver(node, seen.path("change").toString()));
              return true;
            }
            over &= parting.contains(node) || settled(seen);
          }
          return over;
        });
    return found.stream().findFirst();
  }

  /// Whether a member still knows of a change that is not over.
  boolean changing() {
    for (int node : members) {
      JsonNode seen = isRunning(node) ? view(node) : null;
      if (seen != null && !seen.path("change").isNull()) {
        return true;
      }
    }
    return false;
  }

  /// Waits until all members go on after the change.
  void awaitChange() {
    Change begun = change;
    if (begun == null) {
      throw new IllegalStateException("no change was begun");
    }
    await(
        "the change " + begun + " is over",
        () -> members.stream().allMatch(node -> settled(view(node))));
    double seconds = (System.nanoTime() - decided) / 1e9;
    System.out.printf("  %s: %s after %.1f s%n", begun, members, seconds);
    change = null;
  }

  /// Waits until a node that was removed knows of it, and has forgotten everything.
  void awaitRemoved(int leaver) {
    await("kv-" + leaver + " knows that it was removed", () -> saysThatItWasRemoved(leaver));
  }

  /// Ends a node that was removed, if it runs, and deletes what it had.
  void dismiss(int leaver) {
    if (members.contains(leaver)) {
      throw new IllegalStateException("kv-" + leaver + " is a member");
    }
    parting = parting.stream().filter(node -> node != leaver).toList();
    if (isRunning(leaver)) {
      stop(leaver);
    }
    loseDisk(leaver);
    processes.remove(leaver);
    peers.remove(leaver);
    network.remove(leaver);
  }

  /// The status with which a node answers a request about keys, once it answers.
  int status(int node, String method, String path) {
    RequestBody body = method.equals("PUT") ? RequestBody.create(new byte[0]) : null;
    String url = url(node).resolve(path).toString();
    Request request = new Request.Builder().url(url).method(method, body).build();
    int[] status = {0};
    await(
        "kv-" + node + " answers " + method + " " + path,
        () -> {
          try (Response response = http.newCall(request).execute()) {
            status[0] = response.code();
            return true;
          } catch (IOException e) {
            return false;
          }
        });
    return status[0];
  }

  private void begin(Change wanted) {
    if (change != null) {
      throw new IllegalStateException("another change was begun: " + change);
    }
    change = wanted;
    await("the members decide on " + wanted, () -> decided(wanted));
    decided = System.nanoTime();
    List<Integer> now = new ArrayList<>(members);
    if (wanted.leaver() != 0) {
      now.remove((Integer) wanted.leaver());
      parting = List.of(wanted.leaver());
    }
    if (wanted.newcomer() != 0) {
      now.add(wanted.newcomer());
    }
    members = List.copyOf(now);
  }

  /// Asks one member after the other. An earlier attempt may have been decided although nobody
  /// said so.
  private boolean decided(Change wanted) {
    for (int node : members) {
      if (node == wanted.leaver() || !isRunning(node)) {
        continue;
      }
      try (Response response = patientHttp.newCall(request(node, wanted)).execute()) {
        if (response.code() == 202) {
          return true;
        }
        boolean temporary =
            response.code() == 503
                || response.code() == 409
                || (response.code() == 404 && wanted.newcomer() == 0);
        if (!temporary) {
          throw new AssertionError(
              "%s: kv-%d answered %d: %s"
                  .formatted(wanted, node, response.code(), response.body().string()));
        }
      } catch (IOException e) {
        // The next member may answer.
      }
      JsonNode seen = view(node);
      if (seen != null && seen.path("epoch").asLong() > 0 && shows(seen, wanted)) {
        return true;
      }
    }
    return false;
  }

  private Request request(int node, Change wanted) {
    Request.Builder request = new Request.Builder().header("Authorization", bearer());
    String path = "/v1/cluster/members";
    if (wanted.newcomer() == 0) {
      return request.url(url(node) + path + "/kv-" + wanted.leaver()).delete().build();
    }
    if (wanted.leaver() != 0) {
      path += "?replacing=kv-" + wanted.leaver();
    }
    String newcomer =
        JSON.createObjectNode()
            .put("id", "kv-" + wanted.newcomer())
            .put("url", url(wanted.newcomer()).toString())
            .toString();
    return request
        .url(url(node) + path)
        .post(RequestBody.create(newcomer, MediaType.get("application/json")))
        .build();
  }

  /// Whether a node's view of the cluster shows that the change was decided.
  private static boolean shows(JsonNode seen, Change wanted) {
    boolean arrives = wanted.newcomer() == 0;
    boolean leaves = true;
    for (JsonNode member : seen.path("members")) {
      String id = member.path("id").asText();
      arrives |= id.equals("kv-" + wanted.newcomer());
      leaves &= !id.equals("kv-" + wanted.leaver()) || member.path("leaving").asBoolean();
    }
    return arrives && leaves;
  }

  private boolean settled(@Nullable JsonNode seen) {
    if (seen == null || !seen.path("change").isNull()) {
      return false;
    }
    Set<String> ids = new TreeSet<>(seen.path("members").findValuesAsText("id"));
    return ids.equals(
        members.stream().map(node -> "kv-" + node).collect(Collectors.toCollection(TreeSet::new)));
  }

  private boolean saysThatItWasRemoved(int node) {
    JsonNode seen = view(node);
    return seen != null && seen.path("removed").asBoolean() && seen.path("keys").asInt() == 0;
  }

  /// How a node sees the cluster, or null if it does not say so.
  private @Nullable JsonNode view(int node) {
    Request request = new Request.Builder().url(url(node) + "/v1/cluster").build();
    try (Response response = http.newCall(request).execute()) {
      return response.isSuccessful() ? JSON.readTree(response.body().bytes()) : null;
    } catch (IOException e) {
      return null;
    }
  }

  // The network.

  /// Nothing that `from` sends reaches `to` any more; the other way is as it was.
  void cut(int from, int to) {
    network.cut(from, to);
  }

  /// Cuts a node off from all others, both ways.
  void isolate(int node) {
    partition(List.of(node), asked().stream().filter(other -> other != node).toList());
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
    if (whyUnfillable != null || !small.contains(node)) {
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

  /// Deletes everything that a node had which does not run any more.
  void loseDisk(int node) {
    if (isRunning(node)) {
      throw new IllegalStateException("kv-" + node + " is running");
    }
    try {
      if (Files.exists(data(node))) {
        delete(data(node));
      }
      if (small.remove(node)) {
        Files.deleteIfExists(filler(node));
        unmount(home(node));
        mounts.remove(home(node));
      }
      Files.deleteIfExists(home(node));
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
    List<Integer> known = Objects.requireNonNull(peers.get(node));
    List<String> urls = known.stream().map(peer -> "kv-" + peer + "=" + url(peer)).toList();
    Map<String, String> environment = new TreeMap<>();
    environment.put("PARLEY_NAME", "kv-" + node);
    environment.put("PARLEY_NODE_ID", "kv-" + node);
    environment.put("PARLEY_HOST", network.host(node));
    environment.put("PARLEY_PORT", Integer.toString(network.port(node)));
    environment.put("PARLEY_SERVICE_TOKEN", token);
    environment.put("PARLEY_DATA_DIR", data(node).toString());
    environment.put("PARLEY_PEERS", String.join(",", urls));
    environment.put("PARLEY_JOIN", Boolean.toString(node > founders));
    environment.put("PARLEY_CLUSTER_ID", "system-test");
    environment.put("PARLEY_SEGMENT_BYTES", Integer.toString(SEGMENT_BYTES));
    environment.put("PARLEY_MIN_FREE_BYTES", Integer.toString(MIN_FREE_BYTES));
    return environment;
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

  /// Gives a node its directory, which is a small disk if too few of the others have one.
  private void furnish(int node, int instead) {
    try {
      Files.createDirectories(home(node));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (smallDisks().stream().filter(other -> other != instead).count() < SMALL_DISKS) {
      mountSmallDisk(node);
    }
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
      small.add(node);
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
          try (DirectoryStream<Path> homes = Files.newDirectoryStream(run, Files::isDirectory)) {
            homes.forEach(KvCluster::unmount);
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
