package dev.parley.chat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A backend that does what the test tells it, over real HTTP. Without orders it answers `one two
/// three `, and continues a partial answer where that stops.
public final class FakeBackend implements AutoCloseable {

  /// What to do with one request.
  @FunctionalInterface
  public interface Order {
    void handle(Reply reply) throws IOException, InterruptedException;
  }

  private static final ObjectMapper JSON = new ObjectMapper();

  public final String name;
  private final HttpServer server;
  private final Queue<Order> orders = new ConcurrentLinkedQueue<>();
  public final List<String> bodies = new CopyOnWriteArrayList<>();
  public final List<String> authorizations = new CopyOnWriteArrayList<>();
  private volatile Order usual = reply -> reply.tell("one ", "two ", "three ");

  public FakeBackend(String name) throws IOException {
    this.name = name;
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/v1/", this::handle);
    server.start();
  }

  public String baseUrl() {
    return "http://127.0.0.1:" + server.getAddress().getPort() + "/v1";
  }

  public FakeBackend next(Order order) {
    orders.add(order);
    return this;
  }

  public FakeBackend always(Order order) {
    usual = order;
    return this;
  }

  private void handle(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
    bodies.add(new String(body, StandardCharsets.UTF_8));
    authorizations.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
    Order order = orders.poll();
    try (exchange) {
      (order == null ? usual : order).handle(new Reply(exchange, JSON.readTree(body)));
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    server.stop(0);
  }

  /// One request's answer, piece by piece. Returning without [#finish] cuts the connection.
  public static final class Reply {
    private final HttpExchange exchange;
    public final JsonNode request;
    private @Nullable OutputStream out;

    Reply(HttpExchange exchange, JsonNode request) {
      this.exchange = exchange;
      this.request = request;
    }

    /// The partial answer this request asks to continue, or the empty text.
    public String prefill() {
      JsonNode messages = request.path("messages");
      JsonNode last = messages.path(messages.size() - 1);
      return last.path("role").asText().equals("assistant") ? last.path("content").asText() : "";
    }

    /// A whole answer, streamed or not as asked; what the prefill has already is left out.
    public void tell(String... tokens) throws IOException {
      String whole = String.join("", tokens);
      if (!request.path("stream").asBoolean()) {
        plain(whole);
        return;
      }
      int had = prefill().length();
      int at = 0;
      for (String token : tokens) {
        at += token.length();
        if (at > had) {
          delta(token.substring(Math.max(0, token.length() - (at - had))));
        }
      }
      finish("stop");
    }

    public void plain(String content) throws IOException {
      byte[] bytes =
          ("{\"id\":\"x\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":0,"
                  + "\"message\":{\"role\":\"assistant\",\"content\":"
                  + quoted(content)
                  + "},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
                  + "\"completion_tokens\":4},\"strange\":1.50}")
              .getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("content-type", "application/json");
      exchange.sendResponseHeaders(200, bytes.length);
      exchange.getResponseBody().write(bytes);
    }

    public void status(int status, String body, String... headers) throws IOException {
      for (int i = 0; i < headers.length; i += 2) {
        exchange.getResponseHeaders().set(headers[i], headers[i + 1]);
      }
      byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("content-type", "application/json");
      exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
      if (bytes.length > 0) {
        exchange.getResponseBody().write(bytes);
      }
    }

    /// An answer that does not say of what kind it is.
    public void untyped(String body) throws IOException {
      byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, bytes.length);
      exchange.getResponseBody().write(bytes);
    }

    public void role() throws IOException {
      raw("data: " + chunk("{\"role\":\"assistant\",\"content\":\"\"}", null) + "\n\n");
    }

    public void delta(String text) throws IOException {
      raw("data: " + chunk("{\"content\":" + quoted(text) + "}", null) + "\n\n");
    }

    public void finish(String reason) throws IOException {
      raw("data: " + chunk("{}", reason) + "\n\n");
      if (request.path("stream_options").path("include_usage").asBoolean()) {
        raw(
            "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[],"
                + "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7}}\n\n");
      }
      raw("data: [DONE]\n\n");
    }

    public void raw(String text) throws IOException {
      OutputStream stream = out;
      if (stream == null) {
        exchange.getResponseHeaders().set("content-type", "text/event-stream");
        exchange.sendResponseHeaders(200, 0);
        stream = exchange.getResponseBody();
        out = stream;
      }
      stream.write(text.getBytes(StandardCharsets.UTF_8));
      stream.flush();
    }

    /// Says nothing until the test ends it, or the client goes.
    public void hang(CountDownLatch until) throws InterruptedException {
      until.await();
    }

    /// Writes a comment now and then, since only a write can show it, until the client is gone.
    public void untilClientGone(CountDownLatch gone) throws InterruptedException {
      try {
        while (!gone.await(10, TimeUnit.MILLISECONDS)) {
          raw(": still here\n\n");
        }
      } catch (IOException broken) {
        gone.countDown();
      }
    }

    private static String chunk(String delta, @Nullable String reason) {
      return "{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"m\","
          + "\"odd_field\":{\"a\":1.50},\"choices\":[{\"index\":0,\"delta\":"
          + delta
          + ",\"finish_reason\":"
          + (reason == null ? "null" : '"' + reason + '"')
          + "}]}";
    }

    private static String quoted(String text) {
      try {
        return JSON.writeValueAsString(text);
      } catch (IOException impossible) {
        throw new UncheckedIOException(impossible);
      }
    }
  }
}
