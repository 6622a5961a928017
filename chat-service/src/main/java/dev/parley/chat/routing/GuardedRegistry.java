package dev.parley.chat.routing;

import dev.parley.chat.ChatConfig;
import dev.parley.chat.balance.Selection;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.microprofile.faulttolerance.CircuitBreaker;
import org.eclipse.microprofile.faulttolerance.Fallback;
import org.eclipse.microprofile.faulttolerance.Retry;
import org.eclipse.microprofile.faulttolerance.Timeout;
import org.eclipse.microprofile.rest.client.inject.RestClient;
import org.jspecify.annotations.Nullable;

/// The calls to the registry, guarded: when it is slow or gone, the last known selection answers,
/// and after a few failures it is not even asked for two seconds.
@ApplicationScoped
public class GuardedRegistry {

  private static final int MAX_MODELS = 500;

  private final RegistryApi api;
  private final String token;
  private final Map<String, Selection> lastKnown =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Selection> eldest) {
          return size() > MAX_MODELS;
        }
      };
  private volatile long lastSuccessNanos = System.nanoTime();

  /// A selection, and whether it is the registry's present word.
  ///
  /// @param selection null if nothing was ever known
  public record Answer(@Nullable Selection selection, boolean fresh) {}

  @Inject
  GuardedRegistry(@RestClient RegistryApi api, ChatConfig config, MeterRegistry metrics) {
    this.api = api;
    this.token = "Bearer " + config.serviceToken();
    metrics.gauge("registry_staleness_seconds", this, GuardedRegistry::stalenessSeconds);
  }

  /// @param model empty for any
  @Timeout(value = 1200, unit = ChronoUnit.MILLIS)
  @Retry(maxRetries = 1, delay = 50, jitter = 40)
  @CircuitBreaker(requestVolumeThreshold = 6, failureRatio = 0.5, delay = 2000)
  @Fallback(fallbackMethod = "lastKnown")
  public Answer select(String model) {
    Selection selection =
        api.select(token, new RegistryApi.SelectionRequest(model.isEmpty() ? null : model));
    lastSuccessNanos = System.nanoTime();
    remember(model, selection);
    return new Answer(selection, true);
  }

  Answer lastKnown(String model) {
    synchronized (lastKnown) {
      Selection same = lastKnown.get(model);
      if (same != null && !same.candidates().isEmpty()) {
        return new Answer(same, false);
      }
      Selection any = lastKnown.get("");
      if (any == null && !lastKnown.isEmpty()) {
        any = List.copyOf(lastKnown.values()).getLast();
      }
      return new Answer(any == null ? same : asking(any, model), false);
    }
  }

  @Timeout(value = 1200, unit = ChronoUnit.MILLIS)
  @CircuitBreaker(requestVolumeThreshold = 6, failureRatio = 0.5, delay = 2000)
  public List<RegistryApi.Model> models() {
    List<RegistryApi.Model> models = api.models(token).models();
    return models == null ? List.of() : models;
  }

  @Timeout(value = 1200, unit = ChronoUnit.MILLIS)
  @Retry(maxRetries = 1, delay = 50, jitter = 40)
  public @Nullable String credential(String backendId) {
    return api.credential(token, backendId).apiKey();
  }

  @Timeout(value = 1200, unit = ChronoUnit.MILLIS)
  public void report(RegistryApi.Report report) {
    api.report(token, report);
  }

  public double stalenessSeconds() {
    return (System.nanoTime() - lastSuccessNanos) / 1e9;
  }

  /// What is known now, for the disk.
  Map<String, Selection> known() {
    synchronized (lastKnown) {
      return new LinkedHashMap<>(lastKnown);
    }
  }

  /// Gives back what an earlier run knew.
  void recall(Map<String, Selection> known) {
    synchronized (lastKnown) {
      known.forEach(lastKnown::putIfAbsent);
    }
  }

  private void remember(String model, Selection selection) {
    synchronized (lastKnown) {
      lastKnown.put(model, selection);
    }
  }

  private static Selection asking(Selection any, String model) {
    if (model.isEmpty()) {
      return any;
    }
    return new Selection(
        any.version(),
        any.ttlMs(),
        any.policy(),
        any.replicas(),
        any.meanPromptTokens(),
        any.meanOutputTokens(),
        any.candidates().stream().map(candidate -> candidate.withModel(model)).toList(),
        any.unavailable());
  }
}
