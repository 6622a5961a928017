package dev.parley.frontend.edge;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/// Two chat replicas, a registry and four storage nodes: small HTTP servers that say who they are.
/// Of the storage nodes that are configured the third has left; kv-4, which took its place, and
/// kv-5, which is down, have to be learnt from the others.
public final class LittleServices implements QuarkusTestResourceLifecycleManager {
  private final List<HttpServer> running = new ArrayList<>();
  private final Map<String, String> members = new TreeMap<>();

  @Override
  public Map<String, String> start() {
    for (var node : List.of("kv-1", "kv-2", "kv-4")) {
      members.put(node, start(node));
    }
    members.put("kv-5", nobody());
    var chat = start("chat-1") + "," + start("chat-2") + "," + nobody();
    return Map.of(
        "parley.chat-urls",
        chat,
        "parley.registry-url",
        start("registry"),
        "parley.kv-nodes",
        members.get("kv-1") + "," + members.get("kv-2") + "," + nobody());
  }

  @Override
  public void stop() {
    running.forEach(server -> server.stop(0));
  }

  private String start(String name) {
    try {
      var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      server.createContext("/", exchange -> answer(name, exchange));
      server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
      server.start();
      running.add(server);
      return "http://127.0.0.1:" + server.getAddress().getPort();
    } catch (IOException cannotListen) {
      throw new UncheckedIOException(cannotListen);
    }
  }

  private void answer(String name, HttpExchange exchange) throws IOException {
    var path = exchange.getRequestURI().getPath();
    exchange.getRequestBody().readAllBytes();
    if (path.equals("/q/health/ready")
        && exchange.getRequestHeaders().containsKey("Authorization")) {
      exchange.sendResponseHeaders(500, -1); // the token is nobody's business here
      exchange.close();
      return;
    }
    if (path.endsWith("/events")) {
      exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
      exchange.sendResponseHeaders(200, 0);
      try (var out = exchange.getResponseBody()) {
        for (int i = 1; i <= 3; i++) {
          out.write(("id: " + i + "\ndata: " + name + "\n\n").getBytes(StandardCharsets.UTF_8));
          out.flush();
        }
      }
      return;
    }
    var json =
        path.equals("/v1/cluster")
            ? """
              {"cluster_id": "parley", "node_id": "%s", "epoch": 7, "members": [%s],
               "quorum": {"needed": 3, "reachable": 3}, "at_risk": [], "change": null,
               "groups": [{"name": "default", "keyspaces": [], "partitions": 256,
                           "acknowledged_on": 2, "stopped": 0, "without_spare": 128,
                           "fewer_copies": 0}]}"""
                .formatted(name, rows())
            : "{\"service\":\"%s\",\"path\":\"%s\",\"method\":\"%s\"}"
                .formatted(name, path, exchange.getRequestMethod());
    var bytes = json.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.getResponseHeaders().set("Content-Security-Policy", "default-src *");
    exchange.sendResponseHeaders(200, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  private String rows() {
    return members.entrySet().stream()
        .map(
            member ->
                "{\"id\": \"%s\", \"url\": \"%s\"}".formatted(member.getKey(), member.getValue()))
        .collect(Collectors.joining(","));
  }

  private static String nobody() {
    try (var free = new ServerSocket(0)) {
      return "http://127.0.0.1:" + free.getLocalPort();
    } catch (IOException cannotListen) {
      throw new UncheckedIOException(cannotListen);
    }
  }
}
