package dev.parley.chat.upstream;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.ChatConfig;
import dev.parley.chat.balance.Candidate;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.impl.VertxInternal;
import jakarta.annotation.PreDestroy;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import java.time.Duration;
import java.time.InstantSource;

/// Opens calls to backends: HTTP/1.1, kept alive, never redirected, never compressed.
@ApplicationScoped
public class UpstreamClient {

  private static final int MAX_CONNECTIONS_PER_BACKEND = 2_048;

  private final Vertx vertx;
  private final HttpClient client;
  private final ObjectMapper mapper;
  private final InstantSource clock;
  private final ChatConfig.Chat settings;

  /// One request to one backend.
  ///
  /// @param path below the backend's base URL, such as `/chat/completions`
  /// @param credential its API key, empty if it needs none
  /// @param finishes how many choices must say that they ended
  @SuppressWarnings("ArrayRecordComponent") // A body in passing, never compared by value.
  public record Call(
      Candidate candidate,
      String path,
      byte[] body,
      String credential,
      boolean streamed,
      int finishes,
      String requestId) {

    @Override
    public String toString() {
      return "Call[" + candidate.backendId() + path + "]";
    }
  }

  /// The clocks of one call.
  record Clocks(Duration connect, Duration firstToken, Duration stall, Duration total) {}

  @Inject
  UpstreamClient(Vertx vertx, ObjectMapper mapper, InstantSource clock, ChatConfig config) {
    this.vertx = vertx;
    this.mapper = mapper;
    this.clock = clock;
    this.settings = config.chat();
    this.client =
        vertx.createHttpClient(
            new HttpClientOptions()
                .setConnectTimeout((int) settings.connectTimeout().toMillis())
                .setKeepAlive(true)
                .setKeepAliveTimeout(20)
                .setTcpNoDelay(true)
                .setDecompressionSupported(false)
                .setMaxWaitQueueSize(1_024)
                .setMaxHeaderSize(32 * 1024),
            new PoolOptions().setHttp1MaxSize(MAX_CONNECTIONS_PER_BACKEND));
  }

  @PreDestroy
  void close() {
    client.close();
  }

  /// Starts a call whose listener is called on `context`.
  public UpstreamCall start(Call call, Context context, UpstreamListener listener) {
    Clocks clocks =
        call.streamed()
            ? new Clocks(
                settings.connectTimeout(),
                settings.firstTokenTimeout(),
                settings.stallTimeout(),
                settings.totalTimeout())
            : new Clocks(
                settings.connectTimeout(),
                settings.plainTimeout(),
                settings.plainTimeout(),
                settings.plainTimeout());
    UpstreamCall started =
        new UpstreamCall(vertx, client, mapper, clock, call, clocks, listener, context);
    context.runOnContext(_ -> started.open());
    return started;
  }

  /// Starts a call on an event loop of its own, for a listener that belongs to none.
  public UpstreamCall start(Call call, UpstreamListener listener) {
    return start(call, ((VertxInternal) vertx).createEventLoopContext(), listener);
  }
}
