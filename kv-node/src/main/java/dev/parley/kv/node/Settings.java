package dev.parley.kv.node;

import dev.parley.kv.core.Layout;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The configuration after it was checked: one valid value, made once at the start.
public final class Settings {

  private static final int MIN_SEGMENT = 4 << 20;
  private static final int MAX_SEGMENT = 1 << 30;

  /// The group that holds what no other does.
  public static final String DEFAULT_GROUP = "default";

  private static final Pattern GROUP = Pattern.compile("([^=:]*)=([^:]*):([^:]*)");

  private final String self;
  private final String cluster;
  private final Path dataDir;
  private final TreeMap<String, URI> urls;
  private final Layout layout;
  private final byte[] token;
  private final List<String> protectedKeyspaces;
  private final int segmentBytes;
  private final long maxLiveBytes;
  private final long minFreeBytes;
  private final String respHost;
  private final int respPort;
  private final boolean respAuth;

  private Settings(
      KvConfig config, TreeMap<String, URI> urls, Layout layout, String token, String dataDir) {
    this.self = config.nodeId();
    this.cluster = config.clusterId();
    this.dataDir = Path.of(dataDir).toAbsolutePath().normalize();
    this.urls = urls;
    this.layout = layout;
    this.token = token.getBytes(StandardCharsets.UTF_8);
    this.protectedKeyspaces = List.copyOf(config.protectedKeyspaces());
    this.segmentBytes = config.segmentBytes();
    this.maxLiveBytes =
        config.maxLiveBytes() == 0 ? Runtime.getRuntime().maxMemory() / 2 : config.maxLiveBytes();
    this.minFreeBytes = config.minFreeBytes();
    this.respHost = config.respHost();
    this.respPort = config.respPort();
    this.respAuth = config.respRequireAuth();
  }

  /// @throws IllegalArgumentException with the bad key's name
  public static Settings of(KvConfig config) {
    String token = config.serviceToken().orElse("");
    require(token.length() >= 16, "parley.service-token", "must be at least 16 characters");
    String dataDir = config.dataDir().orElse("");
    require(!dataDir.isBlank(), "parley.data-dir", "must name a directory");
    require(name(config.nodeId()), "parley.node-id", "has a character other than A-Za-z0-9._-");
    require(
        name(config.clusterId()), "parley.cluster-id", "has a character other than A-Za-z0-9._-");
    require(
        config.segmentBytes() >= MIN_SEGMENT && config.segmentBytes() <= MAX_SEGMENT,
        "parley.segment-bytes",
        "must be 4 MiB to 1 GiB");
    require(config.maxLiveBytes() >= 0, "parley.max-live-bytes", "must not be negative");
    require(config.minFreeBytes() >= 0, "parley.min-free-bytes", "must not be negative");
    require(
        config.respPort() >= 0 && config.respPort() <= 65535,
        "parley.resp.port",
        "must be a port, or 0 for none");
    TreeMap<String, URI> urls = new TreeMap<>();
    for (String peer : config.peers()) {
      int equals = peer.indexOf('=');
      require(equals > 0, "parley.peers", "has an entry that is not id=url: " + peer);
      String id = peer.substring(0, equals).strip();
      require(name(id), "parley.peers", "has a bad id: " + id);
      URI url = nodeUrl(peer.substring(equals + 1).strip());
      if (url == null) {
        throw new IllegalArgumentException("parley.peers has a bad URL: " + peer);
      }
      require(urls.put(id, url) == null, "parley.peers", "names " + id + " twice");
    }
    require(
        urls.containsKey(config.nodeId()),
        "parley.peers",
        "does not contain this node, " + config.nodeId());
    Layout layout;
    if (config.join()) {
      // Groups are the running cluster's business.
      TreeMap<String, URI> others = new TreeMap<>(urls);
      others.remove(config.nodeId());
      require(!others.isEmpty(), "parley.peers", "names no node of the cluster to join");
      layout = layout(others, List.of());
    } else {
      layout = layout(urls, config.groups().orElse(List.of()));
    }
    return new Settings(config, urls, layout, token, dataDir);
  }

  /// The members, of which those that a group names are in it and all others in the first.
  private static Layout layout(TreeMap<String, URI> urls, List<String> entries) {
    List<Layout.Group> groups = new ArrayList<>();
    groups.add(new Layout.Group(DEFAULT_GROUP, List.of()));
    TreeMap<String, String> groupOf = new TreeMap<>();
    for (String entry : entries) {
      Matcher parts = GROUP.matcher(entry.strip());
      require(
          parts.matches(),
          "parley.groups",
          "has an entry that is not name=keyspaces:nodes: " + entry);
      String name = parts.group(1);
      require(name(name), "parley.groups", "has a bad name: " + name);
      List<String> keyspaces = List.of(parts.group(2).split("\\+", -1));
      require(
          keyspaces.stream().noneMatch(each -> each.isEmpty() || each.indexOf('/') >= 0),
          "parley.groups",
          "has an empty keyspace, or one with a slash: " + entry);
      groups.add(new Layout.Group(name, keyspaces));
      for (String node : parts.group(3).split("\\+", -1)) {
        require(
            urls.containsKey(node),
            "parley.groups",
            "names a node that parley.peers does not: " + node);
        require(
            groupOf.put(node, name) == null, "parley.groups", "puts " + node + " into two groups");
      }
    }
    List<Layout.Member> members = new ArrayList<>();
    urls.forEach(
        (id, url) ->
            members.add(
                new Layout.Member(
                    id, url.toString(), 100, null, groupOf.getOrDefault(id, DEFAULT_GROUP))));
    try {
      return Layout.initial(members, groups);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("parley.groups cannot be: " + e.getMessage(), e);
    }
  }

  /// The address of a node, or null unless the text is an `http` URL with a host and nothing after
  /// its path.
  public static @Nullable URI nodeUrl(String text) {
    try {
      URI url = URI.create(text);
      boolean plain =
          url.getRawQuery() == null && url.getRawFragment() == null && url.getRawUserInfo() == null;
      return "http".equals(url.getScheme()) && url.getHost() != null && plain ? url : null;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  /// Whether the text may name a node, a group or a cluster.
  public static boolean name(String text) {
    return text.matches("[A-Za-z0-9._-]{1,64}");
  }

  private static void require(boolean holds, String key, String problem) {
    if (!holds) {
      throw new IllegalArgumentException(key + " " + problem);
    }
  }

  public String self() {
    return self;
  }

  public String cluster() {
    return cluster;
  }

  public Path dataDir() {
    return dataDir;
  }

  /// The layout a new cluster begins with. Once there is one, the log knows it better.
  public Layout layout() {
    return layout;
  }

  public TreeMap<String, URI> urls() {
    return urls;
  }

  public int segmentBytes() {
    return segmentBytes;
  }

  public long maxLiveBytes() {
    return maxLiveBytes;
  }

  public long minFreeBytes() {
    return minFreeBytes;
  }

  /// Where Redis clients are listened for.
  public String respHost() {
    return respHost;
  }

  /// The port for Redis clients, or 0 for none.
  public int respPort() {
    return respPort;
  }

  /// Whether Redis clients must show the service token for every key.
  public boolean respAuth() {
    return respAuth;
  }

  /// The header value that shows the service token.
  public String bearer() {
    return "Bearer " + new String(token, StandardCharsets.UTF_8);
  }

  /// Whether an `Authorization` header shows the service token. Takes the same time for every
  /// wrong one of its length.
  public boolean authorized(@Nullable String header) {
    return header != null
        && header.startsWith("Bearer ")
        && MessageDigest.isEqual(
            token, header.substring("Bearer ".length()).getBytes(StandardCharsets.UTF_8));
  }

  public boolean isProtected(String key) {
    int slash = key.indexOf('/');
    return protectedKeyspaces.contains(slash < 0 ? key : key.substring(0, slash));
  }

  /// Whether a listing of this prefix could show a protected key.
  public boolean reachesProtected(String prefix) {
    return prefix.indexOf('/') >= 0
        ? isProtected(prefix)
        : protectedKeyspaces.stream().anyMatch(keyspace -> keyspace.startsWith(prefix));
  }
}
