package dev.parley.frontend;

import io.quarkus.runtime.Startup;
import jakarta.inject.Singleton;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/// The configuration after its check at start: a bad value stops the process and is named.
@Startup
@Singleton
public final class Settings {
  private static final int SHORTEST_TOKEN = 16;

  private final List<NamedUrl> chat;
  private final NamedUrl registry;
  private final List<NamedUrl> kvNodes;
  private final List<NamedUrl> services;
  private final Set<String> allowedHosts;
  private final Set<String> publicOrigins;
  private final String serviceToken;

  Settings(FrontendConfig config) {
    if (config.serviceToken().length() < SHORTEST_TOKEN) {
      throw bad("service-token", "needs at least " + SHORTEST_TOKEN + " characters");
    }
    serviceToken = config.serviceToken();
    chat = named("chat", checked("chat-urls", config.chatUrls()));
    registry = new NamedUrl("registry", checked("registry-url", config.registryUrl()));
    kvNodes = named("kv", checked("kv-nodes", config.kvNodes()));
    services = config.services().map(Settings::parseServices).orElseGet(this::knownServices);
    allowedHosts = Set.copyOf(config.allowedHosts().orElse(List.of()));
    publicOrigins = Set.copyOf(config.publicOrigins().orElse(List.of()));
  }

  public List<NamedUrl> chat() {
    return chat;
  }

  public NamedUrl registry() {
    return registry;
  }

  public List<NamedUrl> kvNodes() {
    return kvNodes;
  }

  public List<NamedUrl> services() {
    return services;
  }

  public Set<String> allowedHosts() {
    return allowedHosts;
  }

  public Set<String> publicOrigins() {
    return publicOrigins;
  }

  public String serviceToken() {
    return serviceToken;
  }

  private List<NamedUrl> knownServices() {
    var known = new ArrayList<NamedUrl>();
    known.add(registry);
    known.addAll(chat);
    known.addAll(kvNodes);
    return List.copyOf(known);
  }

  private static List<NamedUrl> parseServices(List<String> entries) {
    return entries.stream().map(Settings::parseService).toList();
  }

  private static NamedUrl parseService(String entry) {
    int equals = entry.indexOf('=');
    if (equals < 1) {
      throw bad("services", "wants name=url, got '" + entry + "'");
    }
    var name = entry.substring(0, equals).strip();
    try {
      return new NamedUrl(
          name, checked("services", URI.create(entry.substring(equals + 1).strip())));
    } catch (IllegalArgumentException malformed) {
      throw bad("services", "has no valid URL for '" + name + "'");
    }
  }

  private static List<NamedUrl> named(String kind, List<URI> urls) {
    var result = new ArrayList<NamedUrl>();
    for (var url : urls) {
      result.add(new NamedUrl(kind + "-" + (result.size() + 1), url));
    }
    return List.copyOf(result);
  }

  private static List<URI> checked(String key, List<URI> urls) {
    var distinct =
        urls.stream().map(url -> checked(key, url)).distinct().collect(Collectors.toList());
    if (distinct.isEmpty()) {
      throw bad(key, "needs at least one URL");
    }
    return distinct;
  }

  private static URI checked(String key, URI url) {
    boolean http = "http".equals(url.getScheme()) || "https".equals(url.getScheme());
    if (!http || url.getHost() == null || url.getRawQuery() != null) {
      throw bad(key, "wants http(s)://host[:port], got '" + url + "'");
    }
    return url;
  }

  private static IllegalStateException bad(String key, String why) {
    return new IllegalStateException("parley." + key + " " + why);
  }
}
