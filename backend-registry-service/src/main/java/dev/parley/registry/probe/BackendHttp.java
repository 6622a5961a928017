package dev.parley.registry.probe;

import dev.parley.registry.backend.ApiKey;
import dev.parley.registry.backend.TargetAddresses;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/// Speaks HTTP with backends, which are not trusted: no redirect is followed, an answer is bounded
/// in time and in size, and the address behind a name is checked before each call. Calls block and
/// are meant for a virtual thread.
public final class BackendHttp implements AutoCloseable {

  private static final int MAX_CAUSES = 8;

  /// What a backend answered, or why it did not.
  public sealed interface Reply {
    long tookMs();

    @SuppressWarnings("ArrayRecordComponent") // Read once, never compared.
    record Answered(int status, String contentType, long retryAfterMs, byte[] body, long tookMs)
        implements Reply {}

    record Silent(String detail, long tookMs) implements Reply {}
  }

  private final HttpClient client;
  private final TargetAddresses allowed;

  public BackendHttp(Duration connectTimeout, TargetAddresses allowed) {
    this.allowed = allowed;
    client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(connectTimeout)
            .executor(Executors.newVirtualThreadPerTaskExecutor())
            .build();
  }

  public Reply get(URI url, @Nullable ApiKey key, Duration timeout) {
    return exchange(request(url, key).GET().build(), timeout, _ -> {});
  }

  /// @param onBytes hears of the pieces of the answer as they come, on another thread
  public Reply post(
      URI url, @Nullable ApiKey key, byte[] json, Duration timeout, Consumer<byte[]> onBytes) {
    HttpRequest request =
        request(url, key)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofByteArray(json))
            .build();
    return exchange(request, timeout, onBytes);
  }

  @Override
  public void close() {
    client.shutdownNow();
  }

  private static HttpRequest.Builder request(URI url, @Nullable ApiKey key) {
    HttpRequest.Builder builder =
        HttpRequest.newBuilder(url)
            .header("Accept", "application/json, text/event-stream")
            .header("Accept-Encoding", "identity")
            .header("User-Agent", "parley-registry");
    return key == null ? builder : builder.header("Authorization", "Bearer " + key.value());
  }

  private Reply exchange(HttpRequest request, Duration timeout, Consumer<byte[]> onBytes) {
    long start = System.nanoTime();
    try {
      for (InetAddress address : InetAddress.getAllByName(request.uri().getHost())) {
        if (!allowed.address(address)) {
          return new Reply.Silent("its name leads to an address that backends may not have", 0);
        }
      }
    } catch (UnknownHostException e) {
      return new Reply.Silent(
          "the name " + request.uri().getHost() + " is not known", since(start));
    }
    CompletableFuture<HttpResponse<byte[]>> future =
        client.sendAsync(request, _ -> new BoundedBody(onBytes));
    try {
      HttpResponse<byte[]> response = future.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
      return new Reply.Answered(
          response.statusCode(),
          response.headers().firstValue("Content-Type").orElse(""),
          retryAfterMs(response),
          response.body(),
          since(start));
    } catch (TimeoutException e) {
      future.cancel(true);
      return new Reply.Silent("no answer within " + timeout.toMillis() + " ms", since(start));
    } catch (ExecutionException e) {
      return new Reply.Silent(words(e), since(start));
    } catch (InterruptedException e) {
      future.cancel(true);
      Thread.currentThread().interrupt();
      return new Reply.Silent("interrupted", since(start));
    }
  }

  private static long since(long startNanos) {
    return (System.nanoTime() - startNanos) / 1_000_000;
  }

  /// The pause asked for, in milliseconds; 0 if none is, or if it is given as a date.
  private static long retryAfterMs(HttpResponse<?> response) {
    String header = response.headers().firstValue("Retry-After").orElse("").strip();
    return header.matches("[0-9]{1,6}") ? Long.parseLong(header) * 1000 : 0;
  }

  private static String words(Throwable failure) {
    Throwable cause = failure;
    for (int i = 0; i < MAX_CAUSES && cause.getCause() != null; i++) {
      if (cause instanceof ConnectException
          || cause instanceof HttpConnectTimeoutException
          || cause instanceof SSLException) {
        break;
      }
      cause = cause.getCause();
    }
    return switch (cause) {
      case HttpConnectTimeoutException _ -> "no connection within the time allowed";
      case ConnectException _ -> "connection refused";
      case SSLException e -> "TLS failed: " + e.getMessage();
      case IOException e when e.getMessage() != null -> e.getMessage();
      default -> cause.getClass().getSimpleName();
    };
  }
}
