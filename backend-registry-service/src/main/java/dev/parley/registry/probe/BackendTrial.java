package dev.parley.registry.probe;

import dev.parley.registry.backend.ApiKey;
import dev.parley.registry.probe.BackendHttp.Reply;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Tries a backend out for the person who adds it: is it there, what does it serve, does it
/// stream, does it continue a begun answer.
public final class BackendTrial {

  private static final int MAX_ERROR = 300;

  private final BackendHttp http;
  private final Prober prober;
  private final Duration probeTimeout;
  private final Duration completionTimeout;

  public BackendTrial(
      BackendHttp http, Prober prober, Duration probeTimeout, Duration completionTimeout) {
    this.http = http;
    this.prober = prober;
    this.probeTimeout = probeTimeout;
    this.completionTimeout = completionTimeout;
  }

  /// @param declared the models its owner says it serves; the first is tried
  public TrialReport run(URI baseUrl, @Nullable ApiKey key, List<String> declared) {
    Target target = new Target(baseUrl, key);
    Reply listed = http.get(target.models(), key, probeTimeout);
    if (!(listed instanceof Reply.Answered answered)) {
      String detail = listed instanceof Reply.Silent silent ? silent.detail() : "";
      return new TrialReport(false, null, List.of(), null, null, null, detail);
    }
    List<String> models = answered.status() == 200 ? OpenAiProtocol.models(answered.body()) : null;
    List<String> found = models == null ? List.of() : models;
    String error = models == null ? said("GET /models", answered, key) : null;
    String model =
        !declared.isEmpty() ? declared.getFirst() : found.isEmpty() ? null : found.getFirst();
    if (model == null) {
      return new TrialReport(
          true,
          answered.tookMs(),
          found,
          null,
          null,
          null,
          error != null ? error : "it lists no models; name one to try it");
    }
    if (!found.isEmpty() && !found.contains(model)) {
      error = "it does not list the model " + model;
    }
    if (answered.status() == 401 || answered.status() == 403) {
      return new TrialReport(true, answered.tookMs(), found, null, null, null, error);
    }
    return completions(target, model, answered.tookMs(), found, error);
  }

  private TrialReport completions(
      Target target, String model, long latencyMs, List<String> models, @Nullable String before) {
    AtomicLong firstTokenNanos = new AtomicLong(-1);
    OpenAiProtocol.Lines lines = new OpenAiProtocol.Lines();
    long start = System.nanoTime();
    Reply reply =
        http.post(
            target.completions(),
            target.apiKey(),
            OpenAiProtocol.hello(model, true),
            completionTimeout,
            piece -> {
              if (lines.take(piece).stream().anyMatch(OpenAiProtocol::isDelta)) {
                firstTokenNanos.compareAndSet(-1, System.nanoTime() - start);
              }
            });
    Long firstTokenMs = firstTokenNanos.get() < 0 ? null : firstTokenNanos.get() / 1_000_000;
    Boolean streaming = null;
    String error = before;
    switch (reply) {
      case Reply.Silent(String detail, long _) -> error = "POST /chat/completions: " + detail;
      case Reply.Answered answered when answered.status() != 200 ->
          error = said("POST /chat/completions", answered, target.apiKey());
      case Reply.Answered answered -> {
        streaming =
            answered.contentType().toLowerCase(Locale.ROOT).startsWith("text/event-stream")
                && firstTokenMs != null;
        if (!streaming && OpenAiProtocol.answer(answered.body()) == null) {
          error = "POST /chat/completions gave neither a stream with text nor a completion";
        }
      }
    }
    Boolean continuation =
        streaming == null ? null : prober.continuation(target, model).continues();
    return new TrialReport(true, latencyMs, models, streaming, firstTokenMs, continuation, error);
  }

  private static String said(String call, Reply.Answered answered, @Nullable ApiKey key) {
    String message = OpenAiProtocol.errorMessage(answered.body());
    // Some servers repeat the key they refuse.
    if (key != null) {
      message = message.replace(key.value(), "····");
    }
    String text =
        answered.status() == 200
            ? call + " gave something else than expected"
            : call + " answered " + answered.status() + (message.isEmpty() ? "" : ": " + message);
    String clean =
        text.codePoints()
            .filter(c -> !Character.isISOControl(c))
            .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
            .toString();
    return clean.length() <= MAX_ERROR ? clean : clean.substring(0, MAX_ERROR) + "…";
  }
}
