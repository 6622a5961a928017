package dev.parley.chat;

import io.quarkus.runtime.StartupEvent;
import io.quarkus.runtime.configuration.ConfigurationException;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.net.URI;
import java.time.Duration;
import java.util.Map;

/// Refuses to start on settings that make no sense, naming the bad key.
@ApplicationScoped
class ConfigCheck {

  private static final int MIN_TOKEN_CHARS = 16;

  void onStart(@Observes @Priority(1) StartupEvent event, ChatConfig config) {
    require(config.port() >= 0 && config.port() <= 65_535, "port", "must be from 0 to 65535");
    require(
        config.name().matches("[A-Za-z0-9._-]{1,64}"),
        "name",
        "must be 1 to 64 letters, digits, dots, dashes or underscores");
    require(
        config.serviceToken().length() >= MIN_TOKEN_CHARS,
        "service-token",
        "(PARLEY_SERVICE_TOKEN) must have at least 16 characters");
    require(!config.kvNodes().isEmpty(), "kv-nodes", "must name at least one node");
    config.kvNodes().forEach(node -> require(http(node), "kv-nodes", "must be http(s) addresses"));
    require(http(config.registryUrl()), "registry-url", "must be an http(s) address");
    ChatConfig.Chat chat = config.chat();
    require(chat.contextTokens() >= 256, "chat.context-tokens", "must be at least 256");
    require(chat.answerTokens() >= 1, "chat.answer-tokens", "must be at least 1");
    require(chat.maxAttempts() >= 1, "chat.max-attempts", "must be at least 1");
    require(chat.chunkTokens() >= 1, "chat.chunk-tokens", "must be at least 1");
    require(chat.maxGenerations() >= 1, "chat.max-generations", "must be at least 1");
    require(chat.maxRelays() >= 1, "chat.max-relays", "must be at least 1");
    require(chat.maxEventStreams() >= 1, "chat.max-event-streams", "must be at least 1");
    require(chat.maxBodyBytes() >= 1_024, "chat.max-body-bytes", "must be at least 1024");
    durations(chat)
        .forEach(
            (key, duration) ->
                require(
                    duration.toMillis() >= 1 && duration.toHours() <= 24,
                    "chat." + key,
                    "must be from 1ms to 24h"));
    require(
        chat.adoptAfter().compareTo(chat.beatInterval()) > 0,
        "chat.adopt-after",
        "must be longer than parley.chat.beat-interval");
  }

  private static Map<String, Duration> durations(ChatConfig.Chat chat) {
    return Map.ofEntries(
        Map.entry("connect-timeout", chat.connectTimeout()),
        Map.entry("first-token-timeout", chat.firstTokenTimeout()),
        Map.entry("stall-timeout", chat.stallTimeout()),
        Map.entry("total-timeout", chat.totalTimeout()),
        Map.entry("plain-timeout", chat.plainTimeout()),
        Map.entry("recovery-patience", chat.recoveryPatience()),
        Map.entry("chunk-interval", chat.chunkInterval()),
        Map.entry("control-interval", chat.controlInterval()),
        Map.entry("beat-interval", chat.beatInterval()),
        Map.entry("adopt-after", chat.adoptAfter()),
        Map.entry("adoption-scan", chat.adoptionScan()),
        Map.entry("follow-interval", chat.followInterval()),
        Map.entry("idle-interval", chat.idleInterval()),
        Map.entry("selection-refresh", chat.selectionRefresh()),
        Map.entry("report-interval", chat.reportInterval()),
        Map.entry("shutdown-grace", chat.shutdownGrace()));
  }

  private static boolean http(URI uri) {
    String scheme = uri.getScheme();
    return uri.getHost() != null && ("http".equals(scheme) || "https".equals(scheme));
  }

  private static void require(boolean holds, String key, String message) {
    if (!holds) {
      throw new ConfigurationException("parley." + key + " " + message);
    }
  }
}
