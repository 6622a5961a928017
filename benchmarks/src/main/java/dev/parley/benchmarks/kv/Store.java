package dev.parley.benchmarks.kv;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Three members on this machine that keep keys, and how their HTTP API is spoken to.
final class Store implements AutoCloseable {

  private static final Duration HEALTHY_WITHIN = Duration.ofSeconds(90);

  /// Which HTTP API.
  enum Api {
    PARLEY("parley"),
    ETCD("etcd");

    private final String word;

    Api(String word) {
      this.word = word;
    }

    /// As the load script calls it.
    String word() {
      return word;
    }
  }

  private final Api api;
  private final List<Member> members;

  private Store(Api api, List<Member> members) {
    this.api = api;
    this.members = List.copyOf(members);
  }

  /// Three nodes of the project, started as `./parley up` starts them.
  static Store parley(Options options, String name, List<String> moreFlags) throws IOException {
    List<Integer> ports = freePorts(3);
    String peers =
        IntStream.range(0, 3)
            .mapToObj(i -> "kv-" + (i + 1) + "=http://127.0.0.1:" + ports.get(i))
            .collect(Collectors.joining(","));
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      String id = "kv-" + (i + 1);
      Path home = Files.createDirectories(options.scratch().resolve(name).resolve(id));
      List<String> command = new ArrayList<>();
      command.add(options.java().toString());
      command.addAll(options.flags());
      command.addAll(moreFlags);
      command.add("-jar");
      command.add(options.jar().toString());
      members.add(
          new Member(
              command,
              Map.of(
                  "PARLEY_NAME",
                  id,
                  "PARLEY_NODE_ID",
                  id,
                  "PARLEY_PORT",
                  String.valueOf(ports.get(i)),
                  "PARLEY_PEERS",
                  peers,
                  "PARLEY_SERVICE_TOKEN",
                  "benchmark-only-" + ProcessHandle.current().pid(),
                  "PARLEY_DATA_DIR",
                  home.resolve("data").toString()),
              home.resolve("log"),
              "127.0.0.1:" + ports.get(i),
              "/q/health/ready"));
    }
    return new Store(Api.PARLEY, members);
  }

  /// Three members of etcd with its defaults, which force every write to disk, and its HTTP API v2.
  static Store etcd(Options options) throws IOException {
    List<Integer> ports = freePorts(6);
    String cluster =
        IntStream.range(0, 3)
            .mapToObj(i -> "etcd-" + (i + 1) + "=http://127.0.0.1:" + ports.get(3 + i))
            .collect(Collectors.joining(","));
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      String id = "etcd-" + (i + 1);
      Path home = Files.createDirectories(options.scratch().resolve("etcd").resolve(id));
      String client = "http://127.0.0.1:" + ports.get(i);
      String peer = "http://127.0.0.1:" + ports.get(3 + i);
      members.add(
          new Member(
              List.of(
                  "etcd",
                  "--name=" + id,
                  "--data-dir=" + home.resolve("data"),
                  "--enable-v2",
                  "--listen-client-urls=" + client,
                  "--advertise-client-urls=" + client,
                  "--listen-peer-urls=" + peer,
                  "--initial-advertise-peer-urls=" + peer,
                  "--initial-cluster=" + cluster,
                  "--initial-cluster-token=benchmark",
                  "--logger=zap",
                  "--log-level=warn"),
              Map.of(),
              home.resolve("log"),
              "127.0.0.1:" + ports.get(i),
              "/health"));
    }
    return new Store(Api.ETCD, members);
  }

  /// Free a moment ago; another program may be quicker, and then a member says so in its log.
  private static List<Integer> freePorts(int count) throws IOException {
    List<ServerSocket> sockets = new ArrayList<>();
    try {
      List<Integer> ports = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        sockets.add(socket);
        ports.add(socket.getLocalPort());
      }
      return ports;
    } finally {
      for (ServerSocket socket : sockets) {
        socket.close();
      }
    }
  }

  void start(Client client) throws IOException, InterruptedException {
    // Ctrl-C must not leave its processes behind.
    Runtime.getRuntime().addShutdownHook(new Thread(this::close));
    for (Member member : members) {
      member.start();
    }
    for (Member member : members) {
      member.awaitHealthy(client, HEALTHY_WITHIN);
    }
  }

  Api api() {
    return api;
  }

  List<Member> members() {
    return members;
  }

  List<String> addresses() {
    return members.stream().map(Member::address).toList();
  }

  /// Processor time of all members, in microseconds.
  long cpuMicros() {
    return members.stream().mapToLong(Member::cpuMicros).sum();
  }

  /// Which member etcd's would follow, or simply the `turn`th where there is no leader.
  int memberToKill(Client client, int turn) throws InterruptedException {
    if (api == Api.PARLEY) {
      return turn % members.size();
    }
    for (int i = 0; i < members.size(); i++) {
      String stats =
          client.get(members.get(i).address(), "/v2/stats/self", Duration.ofSeconds(2)).text();
      if (stats.contains("\"state\":\"StateLeader\"")) {
        return i;
      }
    }
    throw new IllegalStateException("etcd has no leader");
  }

  /// Writes one key; `operation` names the write, so that a retry of it is known as such where the
  /// API can tell.
  ///
  /// @param base a version of the key from before the write was first sent, 0 if none is known
  Client.Answer put(
      Client client,
      int member,
      String key,
      String value,
      String operation,
      int attempt,
      long base,
      Duration within)
      throws InterruptedException {
    String address = members.get(member).address();
    return switch (api) {
      case PARLEY ->
          client.put(
              address,
              "/v1/kv/bench/" + key,
              Map.of(
                  "Content-Type",
                  "application/octet-stream",
                  "Idempotency-Key",
                  operation,
                  "Parley-Attempt",
                  String.valueOf(attempt),
                  "Parley-Base",
                  String.valueOf(base)),
              value,
              within);
      case ETCD ->
          client.put(
              address,
              "/v2/keys/bench/" + key,
              Map.of("Content-Type", "application/x-www-form-urlencoded"),
              "value=" + URLEncoder.encode(value, StandardCharsets.UTF_8),
              within);
    };
  }

  /// A linearizable read of one key.
  Client.Answer get(Client client, int member, String key, Duration within)
      throws InterruptedException {
    String path =
        switch (api) {
          case PARLEY -> "/v1/kv/bench/" + key;
          case ETCD -> "/v2/keys/bench/" + key + "?quorum=true";
        };
    return client.get(members.get(member).address(), path, within);
  }

  @Override
  public void close() {
    for (Member member : members) {
      try {
        member.kill();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
