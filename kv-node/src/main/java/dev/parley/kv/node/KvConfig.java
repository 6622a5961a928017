package dev.parley.kv.node;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import io.smallrye.config.WithName;
import java.util.List;
import java.util.Optional;

/// Everything that can be set on a kv-node.
@ConfigMapping(prefix = "parley")
public interface KvConfig {

  /// Address to listen on.
  @WithDefault("127.0.0.1")
  String host();

  /// Port to listen on.
  @WithDefault("9527")
  int port();

  /// Most HTTP connections at once, those of peers and watches included; more are closed at once.
  @WithDefault("2048")
  int maxConnections();

  /// Log as JSON, one object a line, instead of text.
  @WithName("log.json")
  @WithDefault("false")
  boolean logJson();

  /// Name of this instance in logs and metrics.
  @WithDefault("kv-node")
  String name();

  /// Secret that services and nodes show each other, at least 16 characters. Required.
  Optional<String> serviceToken();

  /// Id of this node, one of those in `parley.peers`: letters, digits, dots, dashes, underscores.
  @WithDefault("kv-1")
  String nodeId();

  /// Directory of the durable log. It belongs to one node of one cluster for ever. Required.
  Optional<String> dataDir();

  /// All members as `id=url`, separated by commas, this node included.
  @WithDefault("kv-1=http://127.0.0.1:9527,kv-2=http://127.0.0.1:9528,kv-3=http://127.0.0.1:9529")
  List<String> peers();

  /// Whether this node waits to be added to a running cluster, that of the other nodes in
  /// `parley.peers`, instead of being one of those that form a new one.
  @WithDefault("false")
  boolean join();

  /// Groups of nodes with keyspaces of their own, for a new cluster: `name=keyspaces:nodes`, the
  /// keyspaces and nodes joined by `+`, groups separated by commas. Everything else is in the group
  /// `default`.
  Optional<List<String>> groups();

  /// Name of the cluster. Nodes of another one are refused.
  @WithDefault("parley")
  String clusterId();

  /// Keyspaces (the part of a key before the first slash) that need the service token.
  @WithDefault("backends,conversations,users,registry,chat")
  List<String> protectedKeyspaces();

  /// Size of one segment of the log, in bytes, 4 MiB to 1 GiB; two exist from the start.
  @WithDefault("16777216")
  int segmentBytes();

  /// Most bytes of values kept in memory; beyond it new values are refused with 507. 0 is half of
  /// the largest heap.
  @WithDefault("0")
  long maxLiveBytes();

  /// Free bytes on disk below which new values are refused with 507.
  @WithDefault("67108864")
  long minFreeBytes();

  /// Port for Redis clients (RESP2). 0 opens none.
  @WithName("resp.port")
  @WithDefault("0")
  int respPort();

  /// Address on which Redis clients are listened for.
  @WithName("resp.host")
  @WithDefault("127.0.0.1")
  String respHost();

  /// Whether Redis clients must show the service token (`AUTH`) for every key, and not only for
  /// those of protected keyspaces.
  @WithName("resp.require-auth")
  @WithDefault("false")
  boolean respRequireAuth();
}
