package dev.parley.benchmarks.kv;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/// A blocking HTTP client for virtual threads. It never retries by itself.
final class Client implements AutoCloseable {

  /// @param status 0 if there was no answer
  /// @param version of the key, from its ETag; 0 if there was none
  record Answer(int status, Buffer body, long version) {
    static final Answer NONE = failed("");

    static Answer failed(String reason) {
      return new Answer(0, Buffer.buffer(reason), 0);
    }

    boolean success() {
      return status == 200 || status == 201;
    }

    String text() {
      return body.toString(StandardCharsets.UTF_8);
    }
  }

  private static final int CONNECTIONS_PER_NODE = 64;

  /// Members are killed here; that their connections break is no news. Held, because a logger that
  /// nobody holds forgets its level.
  private static final Logger CONNECTIONS =
      Logger.getLogger("io.vertx.core.net.impl.ConnectionBase");

  private final Vertx vertx;
  private final HttpClient http;

  Client() {
    CONNECTIONS.setLevel(Level.OFF);
    this.vertx = Vertx.vertx();
    this.http =
        vertx.createHttpClient(
            new HttpClientOptions().setTcpNoDelay(true).setConnectTimeout(1000),
            new PoolOptions().setHttp1MaxSize(CONNECTIONS_PER_NODE));
  }

  Answer get(String address, String path, Duration within) throws InterruptedException {
    return send(HttpMethod.GET, address, path, Map.of(), Buffer.buffer(), within);
  }

  Answer put(String address, String path, Map<String, String> headers, String body, Duration within)
      throws InterruptedException {
    return send(HttpMethod.PUT, address, path, headers, Buffer.buffer(body), within);
  }

  Answer post(String address, String path, String json, Duration within)
      throws InterruptedException {
    return send(
        HttpMethod.POST,
        address,
        path,
        Map.of("Content-Type", "application/json"),
        Buffer.buffer(json),
        within);
  }

  private Answer send(
      HttpMethod method,
      String address,
      String path,
      Map<String, String> headers,
      Buffer body,
      Duration within)
      throws InterruptedException {
    int colon = address.lastIndexOf(':');
    RequestOptions options =
        new RequestOptions()
            .setMethod(method)
            .setHost(address.substring(0, colon))
            .setPort(Integer.parseInt(address.substring(colon + 1)))
            .setURI(path)
            .setTimeout(within.toMillis());
    headers.forEach(options::putHeader);
    Future<Answer> answer = http.request(options).compose(request -> answer(request, body));
    try {
      return answer.toCompletionStage().toCompletableFuture().get();
    } catch (ExecutionException e) {
      return Answer.failed(String.valueOf(e.getCause()));
    }
  }

  /// On the connection's event loop, so that it asks for the body before any of it can have come.
  private static Future<Answer> answer(HttpClientRequest request, Buffer body) {
    return request
        .send(body)
        .compose(
            response ->
                response
                    .body()
                    .map(
                        bytes ->
                            new Answer(
                                response.statusCode(),
                                bytes,
                                version(response.getHeader("ETag")))));
  }

  private static long version(@Nullable String tag) {
    return tag != null && tag.matches("\"[0-9]{1,18}\"")
        ? Long.parseLong(tag.substring(1, tag.length() - 1))
        : 0;
  }

  @Override
  public void close() {
    vertx.close().toCompletionStage().toCompletableFuture().join();
  }
}
