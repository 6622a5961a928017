package dev.parley.frontend;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import io.smallrye.config.WithName;
import java.net.URI;
import java.util.List;
import java.util.Optional;

/// Every setting of the frontend, read and checked once at start.
@ConfigMapping(prefix = "parley")
public interface FrontendConfig {

  /// Address the public origin listens on.
  @WithDefault("127.0.0.1")
  String host();

  /// Port the public origin listens on.
  @WithDefault("8080")
  int port();

  /// Whether log lines are JSON objects.
  @WithName("log.json")
  @WithDefault("false")
  boolean logJson();

  /// Secret shared by the services, at least 16 characters; the frontend shows it to storage nodes.
  String serviceToken();

  /// Name of this instance, as it appears in logs.
  @WithDefault("frontend")
  String name();

  /// Base URLs of the chat replicas; a conversation stays with one of them while it is healthy.
  @WithDefault("http://127.0.0.1:8081,http://127.0.0.1:8083")
  List<URI> chatUrls();

  /// Base URL of the backend registry.
  @WithDefault("http://127.0.0.1:8082")
  URI registryUrl();

  /// Base URLs of some storage nodes; the cluster page shows those that they say are members.
  @WithDefault("http://127.0.0.1:9527,http://127.0.0.1:9528,http://127.0.0.1:9529")
  List<URI> kvNodes();

  /// Services shown on the cluster page, as `name=url`; empty means those named by the other keys.
  /// The storage nodes among them give way to the present members.
  Optional<List<String>> services();

  /// Host names this origin may be called by, besides localhost and literal addresses.
  Optional<List<String>> allowedHosts();

  /// Origins (`https://chat.example.org`) that may send mutations besides this one: those of a
  /// reverse proxy that changes the Host header.
  Optional<List<String>> publicOrigins();
}
