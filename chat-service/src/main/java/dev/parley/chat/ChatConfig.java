package dev.parley.chat;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import io.smallrye.config.WithName;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// Every setting of the chat service.
@ConfigMapping(prefix = "parley")
public interface ChatConfig {

  /// Address to listen on.
  @WithDefault("127.0.0.1")
  String host();

  /// Port to listen on.
  @WithDefault("8081")
  int port();

  /// Logging.
  Log log();

  /// Name of this replica in reports, records and metrics; each replica needs its own.
  @WithDefault("chat")
  String name();

  /// Secret shared by the services, at least 16 characters.
  String serviceToken();

  /// Addresses of some nodes of the store; which nodes there are is learnt from them.
  @WithDefault("http://127.0.0.1:9527,http://127.0.0.1:9528,http://127.0.0.1:9529")
  List<URI> kvNodes();

  /// Address of the backend registry.
  @WithDefault("http://127.0.0.1:8082")
  URI registryUrl();

  /// Directory for small local state: the last known selections, so that a cold start works without
  /// the registry. Nothing is kept if absent.
  Optional<Path> dataDir();

  /// Chat.
  Chat chat();

  /// Logging.
  interface Log {
    /// Whether to log one JSON object per line.
    @WithDefault("false")
    boolean json();
  }

  /// Settings of conversations, generations and the gateway.
  interface Chat {
    /// Tokens a prompt and its answer may have together.
    @WithDefault("8192")
    int contextTokens();

    /// Tokens kept free for the answer when the conversation sets no `max_tokens`.
    @WithDefault("1024")
    int answerTokens();

    /// Time to connect to a backend.
    @WithDefault("2s")
    Duration connectTimeout();

    /// Time a backend has for the first token of a streamed answer.
    @WithDefault("10s")
    Duration firstTokenTimeout();

    /// Longest silence between two tokens.
    @WithDefault("10s")
    Duration stallTimeout();

    /// Time a backend has for a whole answer.
    @WithDefault("10m")
    Duration totalTimeout();

    /// Time a backend has for an answer that is not streamed.
    @WithDefault("2m")
    Duration plainTimeout();

    /// Attempts for one request before its first token, and for one recovery of an answer.
    @WithDefault("3")
    int maxAttempts();

    /// How long an answer that lost its backend waits for another one to become available.
    @WithDefault("10s")
    Duration recoveryPatience();

    /// Longest time between two writes of an answer's new text to the store.
    @WithDefault("250ms")
    Duration chunkInterval();

    /// Tokens after which new text is written without waiting for the interval.
    @WithDefault("32")
    int chunkTokens();

    /// How often the owner of a generation looks for a stop request and for its own replacement.
    @WithDefault("200ms")
    Duration controlInterval();

    /// How often the owner of a generation shows that it is alive.
    @WithDefault("1s")
    Duration beatInterval();

    /// Silence of a generation's owner after which another replica takes over.
    @WithDefault("3s")
    Duration adoptAfter();

    /// How often to look for generations without an owner.
    @WithDefault("2s")
    Duration adoptionScan();

    /// How often to look into the store for the progress of an answer that another replica writes,
    /// while changes in the store cannot be watched.
    @WithDefault("250ms")
    Duration followInterval();

    /// How often an idle event stream looks for changes made through another replica, while changes
    /// in the store cannot be watched; and an answer that another replica writes, while they can.
    @WithDefault("1s")
    Duration idleInterval();

    /// Generations this replica runs at once; more are refused with 429.
    @WithDefault("500")
    int maxGenerations();

    /// Requests to `/v1` this replica relays at once; more are refused with 429.
    @WithDefault("1000")
    int maxRelays();

    /// Event streams this replica serves at once; more are refused with 429.
    @WithDefault("2000")
    int maxEventStreams();

    /// Largest body of a `/v1` request, in bytes.
    @WithDefault("33554432")
    @WithName("max-body-bytes")
    int maxBodyBytes();

    /// Time between two refreshes of the selections in use.
    @WithDefault("1s")
    Duration selectionRefresh();

    /// Time between two reports to the registry.
    @WithDefault("500ms")
    Duration reportInterval();

    /// On shutdown, how long running generations may go on before they are left to other replicas.
    @WithDefault("3s")
    Duration shutdownGrace();
  }
}
