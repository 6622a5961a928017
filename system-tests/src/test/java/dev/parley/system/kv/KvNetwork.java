package dev.parley.system.kv;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.SocketFactory;
import org.jspecify.annotations.Nullable;

/// What lies between the nodes of a [KvCluster], counted from 1, and between them and the clients.
sealed interface KvNetwork extends AutoCloseable {

  /// Where a node listens.
  String host(int node);

  int port(int node);

  /// What a command begins with that is to run where the node is.
  List<String> at(int node);

  /// Sockets for clients, which reach every node, whatever is cut.
  SocketFactory clientSockets();

  /// Why nothing can be cut here, or null if it can.
  @Nullable String whyUncuttable();

  /// From now on nothing that `from` sends reaches `to`. The sender is not told.
  void cut(int from, int to);

  /// Undoes all cuts.
  void heal();

  @Override
  void close();

  /// Namespaces where that is possible, else the loopback device.
  static KvNetwork of(int nodes) {
    String why = Namespaces.whyImpossible();
    return why == null ? new Namespaces(nodes) : new Loopback(nodes, why);
  }

  /// All nodes on this machine's loopback device, which cannot be cut.
  final class Loopback implements KvNetwork {
    private final List<Integer> ports = new ArrayList<>();
    private final String why;

    Loopback(int nodes, String why) {
      this.why = why;
      List<ServerSocket> held = new ArrayList<>();
      try {
        for (int i = 0; i < nodes; i++) {
          ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
          held.add(socket);
          ports.add(socket.getLocalPort());
        }
        for (ServerSocket socket : held) {
          socket.close();
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public String host(int node) {
      return "127.0.0.1";
    }

    @Override
    public int port(int node) {
      return ports.get(node - 1);
    }

    @Override
    public List<String> at(int node) {
      return List.of();
    }

    @Override
    public SocketFactory clientSockets() {
      return SocketFactory.getDefault();
    }

    @Override
    public String whyUncuttable() {
      return why;
    }

    @Override
    public void cut(int from, int to) {
      throw new UnsupportedOperationException(why);
    }

    @Override
    public void heal() {}

    @Override
    public void close() {}
  }

  /// A network namespace for each node, joined by a bridge in one more, where the clients are.
  /// Nothing outside of these namespaces is touched.
  ///
  /// Every host has a fixed entry for every other in its table of neighbours. A cut changes the
  /// sender's entry to a hardware address that nobody has: the packets leave, on old connections
  /// as on new ones, and silently arrive nowhere, in this one direction.
  final class Namespaces implements KvNetwork {
    private static final String PREFIX = "parley-kv-";
    private static final Pattern NAME = Pattern.compile("(" + PREFIX + "([0-9]+)-[0-9]+-\\S+).*");
    private static final String NOBODY = "02:00:00:00:de:ad";
    private static final int HUB = 254;
    private static final AtomicInteger COUNT = new AtomicInteger();

    private final int nodes;
    private final String run;
    private final NamespaceSockets sockets;

    Namespaces(int nodes) {
      this.nodes = nodes;
      this.run = PREFIX + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet();
      try {
        build();
        this.sockets = new NamespaceSockets(Path.of("/run/netns", name(HUB)));
      } catch (RuntimeException e) {
        remove();
        throw e;
      }
    }

    /// Why this user on this machine cannot make namespaces, or null.
    static @Nullable String whyImpossible() {
      String name = PREFIX + ProcessHandle.current().pid() + "-0-try";
      Shell.Result made = Shell.attempt(List.of("ip", "netns", "add", name));
      if (!made.succeeded()) {
        return "no network namespaces (they need root and iproute2): " + made.output().strip();
      }
      Shell.run("ip", "netns", "delete", name);
      Shell.Result enter = Shell.attempt(List.of("nsenter", "--version"));
      return enter.succeeded() ? null : "no nsenter (util-linux)";
    }

    /// Removes what a run that was killed left behind.
    static void sweep() {
      Shell.Result list = Shell.attempt(List.of("ip", "netns", "list"));
      if (!list.succeeded()) {
        return;
      }
      for (String line : list.output().lines().toList()) {
        Matcher matcher = NAME.matcher(line);
        if (matcher.matches() && ProcessHandle.of(Long.parseLong(matcher.group(2))).isEmpty()) {
          delete(matcher.group(1));
        }
      }
    }

    private void build() {
      Shell.run("ip", "netns", "add", name(HUB));
      StringBuilder hub = new StringBuilder("link set lo up\nlink add br0 type bridge\n");
      hub.append("link set br0 address ").append(hardware(HUB)).append(" up\n");
      hub.append("addr add ").append(host(HUB)).append("/24 dev br0\n");
      for (int node = 1; node <= nodes; node++) {
        Shell.run("ip", "netns", "add", name(node));
        hub.append("link add p").append(node).append(" type veth peer name eth0 netns ");
        hub.append(name(node)).append(" address ").append(hardware(node)).append('\n');
        hub.append("link set p").append(node).append(" master br0 up\n");
        hub.append(neighbour(node, hardware(node), "br0"));
      }
      ip(HUB, hub.toString());
      for (int node = 1; node <= nodes; node++) {
        ip(
            node,
            "link set lo up\naddr add "
                + host(node)
                + "/24 dev eth0\nlink set eth0 up\n"
                + neighbours(node));
      }
    }

    private String neighbours(int node) {
      StringBuilder commands = new StringBuilder(neighbour(HUB, hardware(HUB), "eth0"));
      for (int other = 1; other <= nodes; other++) {
        if (other != node) {
          commands.append(neighbour(other, hardware(other), "eth0"));
        }
      }
      return commands.toString();
    }

    private String neighbour(int node, String hardware, String device) {
      return "neigh replace %s lladdr %s dev %s nud permanent\n"
          .formatted(host(node), hardware, device);
    }

    private void ip(int node, String commands) {
      Shell.run(List.of("ip", "-n", name(node), "-batch", "-"), commands);
    }

    private String name(int node) {
      return run + "-" + (node == HUB ? "hub" : node);
    }

    private static String hardware(int node) {
      return "02:00:00:00:00:%02x".formatted(node);
    }

    @Override
    public String host(int node) {
      return "10.231.0." + node;
    }

    @Override
    public int port(int node) {
      return 9527;
    }

    @Override
    public List<String> at(int node) {
      return List.of("nsenter", "--net=/run/netns/" + name(node), "--");
    }

    @Override
    public SocketFactory clientSockets() {
      return sockets;
    }

    @Override
    public @Nullable String whyUncuttable() {
      return null;
    }

    @Override
    public void cut(int from, int to) {
      ip(from, neighbour(to, NOBODY, "eth0"));
    }

    @Override
    public void heal() {
      for (int node = 1; node <= nodes; node++) {
        ip(node, neighbours(node));
      }
    }

    @Override
    public void close() {
      sockets.close();
      remove();
    }

    private void remove() {
      for (int node = 1; node <= nodes; node++) {
        delete(name(node));
      }
      delete(name(HUB));
    }

    private static void delete(String name) {
      for (String pid :
          Shell.attempt(List.of("ip", "netns", "pids", name)).output().split("\\s+", -1)) {
        if (pid.matches("[0-9]+") && Long.parseLong(pid) != ProcessHandle.current().pid()) {
          ProcessHandle.of(Long.parseLong(pid)).ifPresent(ProcessHandle::destroyForcibly);
        }
      }
      // Best effort: it may not exist.
      var _ = Shell.attempt(List.of("ip", "netns", "delete", name));
    }
  }
}
