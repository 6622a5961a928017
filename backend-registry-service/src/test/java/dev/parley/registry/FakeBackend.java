package dev.parley.registry;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/// A small OpenAI-compatible server on a real socket, which can be told to misbehave.
public final class FakeBackend implements AutoCloseable {

  public volatile List<String> models = List.of("tiny");
  public volatile int modelsStatus = 200;
  public volatile String modelsBody = "";
  public volatile String retryAfter = "";
  public volatile int completionStatus = 200;
  public volatile boolean continues = true;
  public volatile boolean silent;
  public volatile String error = "no";
  public final List<String> authorizations = new CopyOnWriteArrayList<>();
  public final List<String> completions = new CopyOnWriteArrayList<>();

  private final CountDownLatch closed = new CountDownLatch(1);
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final HttpServer server;

  public FakeBackend() {
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0), 0);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    server.setExecutor(threads);
    server.createContext("/v1/models", this::models);
    server.createContext("/v1/chat/completions", this::complete);
    server.start();
  }

  public String baseUrl() {
    return "http://127.0.0.1:" + server.getAddress().getPort() + "/v1";
  }

  private void models(HttpExchange exchange) throws IOException {
    note(exchange);
    if (waited()) {
      return;
    }
    String listed =
        models.stream()
            .map(id -> "{\"id\":\"" + id + "\",\"object\":\"model\"}")
            .collect(Collectors.joining(",", "{\"object\":\"list\",\"data\":[", "]}"));
    send(exchange, modelsStatus, "application/json", modelsBody.isEmpty() ? listed : modelsBody);
  }

  private void complete(HttpExchange exchange) throws IOException {
    note(exchange);
    String request = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    completions.add(request);
    if (waited()) {
      return;
    }
    if (completionStatus != 200) {
      send(
          exchange,
          completionStatus,
          "application/json",
          "{\"error\":{\"message\":\"" + error + "\"}}");
    } else if (request.contains("\"stream\":true")) {
      send(
          exchange,
          200,
          "text/event-stream",
          ": hello\n\n"
              + "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n"
              + "data: {\"choices\":[{\"delta\":{\"content\":\"好的\"}}]}\n\n"
              + "data: [DONE]\n\n");
    } else {
      boolean begun = request.contains("\"role\":\"assistant\"");
      String text = begun ? continues ? "3\\n4\\n5" : "1\\n2\\n3" : "OK";
      send(
          exchange,
          200,
          "application/json",
          "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"" + text + "\"}}]}");
    }
  }

  private void note(HttpExchange exchange) {
    authorizations.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
  }

  /// Says nothing until the end, if it was told to.
  private boolean waited() {
    if (!silent) {
      return false;
    }
    try {
      closed.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return true;
  }

  private void send(HttpExchange exchange, int status, String type, String body)
      throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    if (!retryAfter.isEmpty()) {
      exchange.getResponseHeaders().set("Retry-After", retryAfter);
    }
    if (status >= 300 && status < 400) {
      exchange.getResponseHeaders().set("Location", baseUrl() + "/models");
    }
    exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(bytes);
    }
  }

  @Override
  public void close() {
    closed.countDown();
    server.stop(0);
    threads.shutdownNow();
  }
}
