package dev.parley.system.kv;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
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

  /// Takes in a node under a number that was never used here.
  void add(int node);

  /// Takes out a node that does not run any more.
  void remove(int node);

  @Override
  void close();

  /// Namespaces where that is possible, else the loopback device.
  ///
  /// @param nodes how many are in it from the start
  static KvNetwork of(int nodes) {
    String why = Namespaces.whyImpossible();
    KvNetwork network = why == null ? new Namespaces() : new Loopback(why);
    try {
      for (int node = 1; node <= nodes; node++) {
        network.add(node);
      }
    } catch (RuntimeException e) {
      network.close();
      throw e;
    }
    return network;
  }

  /// All nodes on this machine's loopback device, which cannot be cut.
  final class Loopback implements KvNetwork {
    /// They stay known: somebody may still ask for a node that was taken out.
    private final Map<Integer, Integer> ports = new ConcurrentHashMap<>();

    private final String why;

    Loopback(String why) {
      this.why = why;
    }

    @Override
    public void add(int node) {
      try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        int port = socket.getLocalPort();
        if (ports.containsValue(port)) {
          add(node);
        } else {
          ports.put(node, port);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void remove(int node) {}

    @Override
    public String host(int node) {
      return "127.0.0.1";
    }

    @Override
    public int port(int node) {
      return Objects.requireNonNull(ports.get(node), "no such node");
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
    private static final int HUB = 0xfffe;
    private static final AtomicInteger COUNT = new AtomicInteger();

    private final Set<Integer> nodes = new ConcurrentSkipListSet<>();
    private final String run;
    private final NamespaceSockets sockets;

    Namespaces() {
      this.run = PREFIX + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet();
      try {
        Shell.run("ip", "netns", "add", name(HUB));
        ip(
            HUB,
            "link set lo up\nlink add br0 type bridge\nlink set br0 address %s up\naddr add %s/16 dev br0\n"
                .formatted(hardware(HUB), host(HUB)));
        this.sockets = new NamespaceSockets(Path.of("/run/netns", name(HUB)));
      } catch (RuntimeException e) {
        delete(name(HUB));
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

    @Override
    public void add(int node) {
      nodes.add(node);
      Shell.run("ip", "netns", "add", name(node));
      ip(
          HUB,
          "link add p%d type veth peer name eth0 netns %s address %s\nlink set p%d master br0 up\n"
                  .formatted(node, name(node), hardware(node), node)
              + neighbour(node, hardware(node), "br0"));
      ip(
          node,
          "link set lo up\naddr add "
              + host(node)
              + "/16 dev eth0\nlink set eth0 up\n"
              + neighbours(node));
      for (int other : nodes) {
        if (other != node) {
          ip(other, neighbour(node, hardware(node), "eth0"));
        }
      }
    }

    @Override
    public void remove(int node) {
      nodes.remove(node);
      delete(name(node));
    }

    private String neighbours(int node) {
      StringBuilder commands = new StringBuilder(neighbour(HUB, hardware(HUB), "eth0"));
      for (int other : nodes) {
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
      return "02:00:00:00:%02x:%02x".formatted(node >> 8, node & 0xff);
    }

    @Override
    public String host(int node) {
      return "10.231." + (node >> 8) + "." + (node & 0xff);
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
      for (int node : nodes) {
        ip(node, neighbours(node));
      }
    }

    @Override
    public void close() {
      sockets.close();
      for (int node : nodes) {
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
