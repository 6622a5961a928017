package dev.parley.registry.probe;

import dev.parley.registry.fleet.ProbeResult;
import dev.parley.registry.fleet.ProbeTask;
import dev.parley.registry.probe.BackendHttp.Reply;
import java.time.Duration;
import java.util.List;

/// Puts one question to one backend and says what its answer means for its health.
public final class Prober {

  private final BackendHttp http;
  private final Duration probeTimeout;
  private final Duration completionTimeout;

  public Prober(BackendHttp http, Duration probeTimeout, Duration completionTimeout) {
    this.http = http;
    this.probeTimeout = probeTimeout;
    this.completionTimeout = completionTimeout;
  }

  public ProbeResult ask(ProbeTask task) {
    Target target = new Target(task.baseUrl(), task.apiKey());
    String model = task.model() == null ? "" : task.model();
    return switch (task.kind()) {
      case MODELS -> models(target, task.modelsDeclared());
      case TRIAL -> trial(target, model);
      case CONTINUATION -> continuation(target, model);
    };
  }

  private ProbeResult models(Target target, boolean modelsDeclared) {
    return switch (http.get(target.models(), target.apiKey(), probeTimeout)) {
      case Reply.Silent(String detail, long took) -> new ProbeResult.Failed(took, detail);
      case Reply.Answered answered -> {
        if (answered.status() == 200) {
          List<String> models = OpenAiProtocol.models(answered.body());
          yield models != null || modelsDeclared
              ? new ProbeResult.Healthy(answered.tookMs(), models)
              : new ProbeResult.Failed(answered.tookMs(), "GET /models gave no list of models");
        }
        // Some servers have no model list. If their models are known, that is no fault.
        if (modelsDeclared && List.of(404, 405, 501).contains(answered.status())) {
          yield new ProbeResult.Healthy(answered.tookMs(), null);
        }
        yield judged(answered, "GET /models", false);
      }
    };
  }

  private ProbeResult trial(Target target, String model) {
    Reply reply =
        http.post(
            target.completions(),
            target.apiKey(),
            OpenAiProtocol.hello(model, false),
            completionTimeout,
            _ -> {});
    return switch (reply) {
      case Reply.Silent(String detail, long took) -> new ProbeResult.Failed(took, detail);
      case Reply.Answered answered -> {
        if (answered.status() == 200) {
          yield OpenAiProtocol.answer(answered.body()) != null
              ? new ProbeResult.Healthy(answered.tookMs(), null)
              : new ProbeResult.Failed(answered.tookMs(), "its answer is no completion");
        }
        yield judged(answered, "POST /chat/completions", true);
      }
    };
  }

  /// Whether it continues a begun answer. A refusal of such a request is a clear no; an error is
  /// no answer to the question.
  ProbeResult.Continuation continuation(Target target, String model) {
    Reply reply =
        http.post(
            target.completions(),
            target.apiKey(),
            OpenAiProtocol.begunAnswer(model),
            completionTimeout,
            _ -> {});
    if (!(reply instanceof Reply.Answered answered)) {
      return new ProbeResult.Continuation(null);
    }
    return switch (answered.status()) {
      case 200 ->
          new ProbeResult.Continuation(
              OpenAiProtocol.answer(answered.body()) == null
                  ? null
                  : (Boolean) OpenAiProtocol.continued(answered.body()));
      case 400, 422 -> new ProbeResult.Continuation(false);
      default -> new ProbeResult.Continuation(null);
    };
  }

  static ProbeResult judged(Reply.Answered answered, String call, boolean completion) {
    int status = answered.status();
    String detail = call + " answered " + status;
    long took = answered.tookMs();
    if (status == 429 || status == 503 && answered.retryAfterMs() > 0) {
      return new ProbeResult.Limited(took, answered.retryAfterMs());
    }
    if (status == 401 || status == 402 || status == 403 || completion && status == 404) {
      return new ProbeResult.Refused(took, detail);
    }
    if (status >= 300 && status < 400) {
      return new ProbeResult.Failed(took, detail + "; redirects are not followed");
    }
    return new ProbeResult.Failed(took, detail);
  }
}
