package dev.parley.chat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// A registry that knows the backends a test gives it.
public final class FakeRegistry implements AutoCloseable {

  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpServer server;
  private volatile List<Map<String, Object>> candidates = List.of();
  private volatile boolean down;
  private volatile @Nullable String unavailable;
  public final AtomicInteger selections = new AtomicInteger();
  private volatile Predicate<JsonNode> refusing = _ -> false;
  public final AtomicInteger refused = new AtomicInteger();
  public final List<JsonNode> reports = new CopyOnWriteArrayList<>();

  public FakeRegistry() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", this::handle);
    server.start();
  }

  public String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  /// The first of them is by far the best, and so on.
  public void knows(FakeBackend... backends) {
    List<Map<String, Object>> all = new ArrayList<>();
    double first = 10;
    for (FakeBackend backend : backends) {
      Map<String, Object> candidate = new LinkedHashMap<>();
      candidate.put("backend_id", "id-" + backend.name);
      candidate.put("name", backend.name);
      candidate.put("base_url", backend.baseUrl());
      candidate.put("model", "m");
      candidate.put("provider", "fake");
      candidate.put("tier", 0);
      candidate.put("weight", 1);
      candidate.put("max_concurrency", null);
      candidate.put("state", "up");
      candidate.put("in_flight", 0);
      candidate.put("target_concurrency", 16);
      candidate.put("first_token_ms", first);
      candidate.put("per_token_ms", 1);
      candidate.put("success_rate", 1);
      candidate.put("slow_start", 1);
      candidate.put("score_ms", first);
      candidate.put("reason", "best");
      candidate.put("continuation", true);
      candidate.put("credential", backend.name.equals("keyed") ? "v1" : null);
      all.add(candidate);
      first *= 20;
    }
    candidates = all;
    unavailable = null;
  }

  public void continuation(String name, boolean continues) {
    candidates.stream()
        .filter(candidate -> name.equals(candidate.get("name")))
        .forEach(candidate -> candidate.put("continuation", continues));
  }

  public void knowsNone(String type) {
    candidates = List.of();
    unavailable = type;
  }

  /// Which reports it takes for malformed.
  public void refuses(Predicate<JsonNode> which) {
    refusing = which;
  }

  public void down(boolean now) {
    down = now;
  }

  private void handle(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
    String path = exchange.getRequestURI().getPath();
    try (exchange) {
      if (down) {
        send(exchange, 503, "{}");
      } else if (path.equals("/api/selections")) {
        send(exchange, 200, selection(JSON.readTree(body)));
        selections.incrementAndGet();
      } else if (path.equals("/api/models")) {
        send(
            exchange, 200, "{\"models\":[{\"id\":\"m\",\"backends\":[\"a\"],\"available\":true}]}");
      } else if (path.equals("/api/outcomes")) {
        JsonNode report = JSON.readTree(body);
        if (refusing.test(report)) {
          refused.incrementAndGet();
          send(exchange, 400, "{}");
        } else {
          reports.add(report);
          exchange.sendResponseHeaders(202, -1);
        }
      } else if (path.equals("/internal/backends/id-keyed/credential")) {
        boolean trusted =
            "Bearer test-service-token-0123"
                .equals(exchange.getRequestHeaders().getFirst("Authorization"));
        send(exchange, trusted ? 200 : 401, "{\"api_key\":\"sk-secret\"}");
      } else {
        send(exchange, 404, "{}");
      }
    }
  }

  private String selection(JsonNode request) throws IOException {
    String model = request.path("model").asText("");
    boolean unknown = !model.isEmpty() && !model.equals("m");
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("version", 1);
    answer.put("ttl_ms", 2000);
    answer.put("policy", "weighted-least-latency");
    answer.put("replicas", 1);
    answer.put("mean_prompt_tokens", 500);
    answer.put("mean_output_tokens", 256);
    answer.put("candidates", unknown ? List.of() : candidates);
    String why = unknown ? "unknown-model" : unavailable;
    Map<String, Object> reason = new LinkedHashMap<>();
    reason.put("type", why);
    reason.put("detail", "because the test says so");
    reason.put("retry_after_ms", 3000);
    answer.put("unavailable", why == null ? null : reason);
    return JSON.writeValueAsString(answer);
  }

  private static void send(HttpExchange exchange, int status, String json) throws IOException {
    byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("content-type", "application/json");
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
