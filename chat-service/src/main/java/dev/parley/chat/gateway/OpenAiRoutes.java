package dev.parley.chat.gateway;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.ChatConfig;
import dev.parley.chat.Draining;
import dev.parley.chat.balance.RetryBudget;
import dev.parley.chat.openai.CompletionRequest;
import dev.parley.chat.openai.ErrorObject;
import dev.parley.chat.routing.GuardedRegistry;
import dev.parley.chat.routing.RegistryApi;
import dev.parley.chat.routing.Router;
import dev.parley.chat.upstream.UpstreamClient;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Every route below `/v1`. Whatever happens there, the answer is JSON of OpenAI's kind.
@ApplicationScoped
public class OpenAiRoutes {

  private static final List<String> POSTS =
      List.of("/v1/chat/completions", "/v1/completions", "/v1/embeddings");

  private final Router router;
  private final UpstreamClient upstream;
  private final GuardedRegistry registry;
  private final RetryBudget retryBudget;
  private final ObjectMapper mapper;
  private final ChatConfig.Chat settings;
  private final MeterRegistry metrics;
  private final Draining draining;
  private final AtomicInteger relays = new AtomicInteger();
  private volatile List<RegistryApi.Model> lastModels = List.of();

  @Inject
  OpenAiRoutes(
      Router router,
      UpstreamClient upstream,
      GuardedRegistry registry,
      RetryBudget retryBudget,
      ObjectMapper mapper,
      ChatConfig config,
      MeterRegistry metrics,
      Draining draining) {
    this.router = router;
    this.upstream = upstream;
    this.registry = registry;
    this.retryBudget = retryBudget;
    this.mapper = mapper;
    this.settings = config.chat();
    this.metrics = metrics;
    this.draining = draining;
    metrics.gauge("parley_relays_active", relays);
  }

  void install(@Observes io.vertx.ext.web.Router routes) {
    for (String path : POSTS) {
      routes.post(path).handler(rc -> post(rc, path.substring("/v1".length())));
      routes.route(path).handler(rc -> wrongMethod(rc, "POST"));
    }
    routes.get("/v1/models").handler(this::models);
    routes.route("/v1/models").handler(rc -> wrongMethod(rc, "GET"));
    routes.get("/v1/models/*").handler(this::model);
    routes.route("/v1/*").handler(this::unknown);
    routes.route("/v1").handler(this::unknown);
  }

  private void post(RoutingContext rc, String path) {
    String type = rc.request().getHeader("content-type");
    if (type == null || !type.toLowerCase(Locale.ROOT).startsWith("application/json")) {
      refuse(rc, ErrorObject.invalid(415, "The content type must be application/json.", null));
      return;
    }
    if (draining.isDraining()) {
      refuse(rc, ErrorObject.unavailable(503, "This replica is shutting down.", "draining"));
      return;
    }
    readBody(
        rc,
        body -> {
          switch (CompletionRequest.read(body.getBytes())) {
            case CompletionRequest.Reading.Refused(var message, var param) ->
                answer(rc, ErrorObject.invalid(400, message, param), null);
            case CompletionRequest.Reading.Read(var request) -> relay(rc, path, request);
          }
        });
  }

  private void relay(RoutingContext rc, String path, CompletionRequest request) {
    if (relays.incrementAndGet() > settings.maxRelays()) {
      relays.decrementAndGet();
      answer(rc, ErrorObject.unavailable(429, "Too many requests at once.", "overloaded"), 1_000L);
      return;
    }
    Context context = Vertx.currentContext();
    new Relay(
            rc,
            context,
            path,
            request,
            router,
            upstream,
            retryBudget,
            mapper,
            settings.maxAttempts(),
            metrics,
            relays::decrementAndGet)
        .start();
  }

  /// The request arrives paused; it is read whole, up to the limit.
  private void readBody(RoutingContext rc, Consumer<Buffer> then) {
    HttpServerRequest request = rc.request();
    Buffer body = Buffer.buffer();
    boolean[] refused = new boolean[1];
    request.handler(
        part -> {
          if (refused[0]) {
            return;
          }
          if (body.length() + part.length() > settings.maxBodyBytes()) {
            refused[0] = true;
            String limit = "The body is larger than " + settings.maxBodyBytes() + " bytes.";
            rc.response().putHeader("connection", "close");
            answer(rc, ErrorObject.invalid(413, limit, null), null);
          } else {
            body.appendBuffer(part);
          }
        });
    request.endHandler(
        _ -> {
          if (!refused[0]) {
            then.accept(body);
          }
        });
    request.resume();
  }

  private void models(RoutingContext rc) {
    withModels(
        rc,
        models -> {
          List<Map<String, Object>> data = new ArrayList<>();
          models.forEach(model -> data.add(described(model)));
          Map<String, Object> list = new LinkedHashMap<>();
          list.put("object", "list");
          list.put("data", data);
          json(rc, list);
        });
  }

  private void model(RoutingContext rc) {
    String id = rc.normalizedPath().substring("/v1/models/".length());
    withModels(
        rc,
        models -> {
          for (RegistryApi.Model model : models) {
            if (model.id().equals(id)) {
              json(rc, described(model));
              return;
            }
          }
          answer(rc, unknownModel(id), null);
        });
  }

  private static Map<String, Object> described(RegistryApi.Model model) {
    Map<String, Object> described = new LinkedHashMap<>();
    described.put("id", model.id());
    described.put("object", "model");
    described.put("created", 0);
    described.put("owned_by", "parley");
    return described;
  }

  private void withModels(RoutingContext rc, Consumer<List<RegistryApi.Model>> then) {
    Context context = Vertx.currentContext();
    rc.request().resume();
    Thread.startVirtualThread(
        () -> {
          List<RegistryApi.Model> models;
          try {
            models = registry.models();
            lastModels = models;
          } catch (RuntimeException unavailable) {
            models = lastModels;
          }
          List<RegistryApi.Model> found = models;
          context.runOnContext(_ -> then.accept(found));
        });
  }

  private void json(RoutingContext rc, Object value) {
    try {
      String text = mapper.writeValueAsString(value);
      rc.response().putHeader("content-type", "application/json").end(text);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private void wrongMethod(RoutingContext rc, String allowed) {
    rc.response().putHeader("allow", allowed);
    refuse(
        rc,
        ErrorObject.invalid(
            405, "Only " + allowed + " is allowed here, not " + rc.request().method() + ".", null));
  }

  private void unknown(RoutingContext rc) {
    refuse(
        rc,
        new ErrorObject(
            404,
            "There is no " + rc.request().method() + " " + rc.normalizedPath() + ".",
            "invalid_request_error",
            null,
            "unknown_url"));
  }

  /// Answers without having read the request's body.
  private static void refuse(RoutingContext rc, ErrorObject error) {
    if (rc.request().method() != HttpMethod.GET) {
      rc.response().putHeader("connection", "close");
    }
    rc.request().resume();
    answer(rc, error, error.status() == 503 ? 1_000L : null);
  }

  static ErrorObject unknownModel(String model) {
    return new ErrorObject(
        404,
        "The model '" + model + "' does not exist.",
        "invalid_request_error",
        "model",
        "model_not_found");
  }

  static void answer(RoutingContext rc, ErrorObject error, @Nullable Long retryAfterMillis) {
    if (rc.response().ended() || rc.response().closed()) {
      return;
    }
    if (retryAfterMillis != null) {
      rc.response()
          .putHeader("retry-after", dev.parley.chat.openai.RetryAfter.header(retryAfterMillis));
    }
    rc.response()
        .setStatusCode(error.status())
        .putHeader("content-type", "application/json")
        .end(error.json());
  }
}
