package dev.parley.chat.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.ChatConfig;
import dev.parley.chat.RequestIds;
import dev.parley.chat.balance.Candidate;
import dev.parley.chat.balance.Ranking;
import dev.parley.chat.openai.FailureClass;
import dev.parley.chat.openai.StreamChunk;
import dev.parley.chat.openai.UpstreamFailure;
import dev.parley.chat.routing.Router;
import dev.parley.chat.upstream.UpstreamClient;
import dev.parley.chat.upstream.UpstreamListener;
import io.smallrye.common.annotation.RunOnVirtualThread;
import io.vertx.ext.web.RoutingContext;
import jakarta.inject.Inject;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// `POST /chat`: one message, one reply, nothing kept.
@Path("/chat")
@Produces(MediaType.APPLICATION_JSON)
@RunOnVirtualThread
public class SeedChatResource {

  private static final int MAX_CHARS = 1 << 20;

  private final Router router;
  private final UpstreamClient upstream;
  private final ObjectMapper mapper;
  private final Problems problems;
  private final int maxAttempts;

  private sealed interface Ending {
    @SuppressWarnings("ArrayRecordComponent") // A body in passing, never compared by value.
    record Whole(byte[] body) implements Ending {}

    record Broken(UpstreamFailure failure) implements Ending {}
  }

  @Inject
  SeedChatResource(
      Router router,
      UpstreamClient upstream,
      ObjectMapper mapper,
      Problems problems,
      ChatConfig config) {
    this.router = router;
    this.upstream = upstream;
    this.mapper = mapper;
    this.problems = problems;
    this.maxAttempts = config.chat().maxAttempts();
  }

  @POST
  @Consumes(MediaType.WILDCARD)
  public Response chat(
      @HeaderParam("Content-Type") @Nullable String type, byte[] body, @Context RoutingContext rc)
      throws IOException {
    if (type == null || !type.toLowerCase(Locale.ROOT).startsWith("application/json")) {
      return problems.response(new Refusal.WrongType());
    }
    String message =
        JsonBody.parse(body, mapper, Set.of("message")).requiredText("message", MAX_CHARS);
    Set<String> tried = new HashSet<>();
    Refusal last = new Refusal.NoAnswer("all-down", "No backend could answer.", 2_000);
    for (int i = 0; i < maxAttempts; i++) {
      switch (router.route("", new Ranking.Request(message.length() / 4.0, 1e9), tried)) {
        case Router.Route.Nowhere nowhere -> {
          return problems.response(
              tried.isEmpty()
                  ? new Refusal.NoAnswer(
                      nowhere.type(), nowhere.detail(), nowhere.retryAfterMillis())
                  : last);
        }
        case Router.Route.To to -> {
          Candidate candidate = to.candidates().getFirst();
          tried.add(candidate.backendId());
          Router.Attempt attempt = router.begin(candidate, to.snapshot(), message.length() / 4);
          switch (ask(candidate, message, RequestIds.of(rc))) {
            case Ending.Whole(var bytes) -> {
              JsonNode answer = mapper.readTree(bytes);
              attempt.succeeded(answer.path("usage").path("completion_tokens").asLong(0));
              return Response.ok(reply(candidate, answer)).build();
            }
            case Ending.Broken(var failure) -> attempt.failed(FailureClass.of(failure));
          }
        }
      }
    }
    return problems.response(last);
  }

  private Ending ask(Candidate candidate, String message, String requestId) throws IOException {
    Map<String, Object> request = new LinkedHashMap<>();
    if (!candidate.model().isEmpty()) {
      request.put("model", candidate.model());
    }
    request.put("messages", List.of(Map.of("role", "user", "content", message)));
    CompletableFuture<Ending> ended = new CompletableFuture<>();
    upstream.start(
        new UpstreamClient.Call(
            candidate,
            "/chat/completions",
            mapper.writeValueAsBytes(request),
            router.credential(candidate),
            false,
            1,
            requestId),
        new UpstreamListener() {
          @Override
          public void part(StreamChunk.Part part) {}

          @Override
          public void completed(byte[] whole, String contentType) {
            ended.complete(new Ending.Whole(whole));
          }

          @Override
          public void failed(UpstreamFailure failure) {
            ended.complete(new Ending.Broken(failure));
          }
        });
    return ended.join();
  }

  private static Map<String, Object> reply(Candidate candidate, JsonNode answer) {
    String text = answer.path("choices").path(0).path("message").path("content").asText("");
    Map<String, Object> said = new LinkedHashMap<>();
    said.put("role", "assistant");
    said.put("content", text);
    Map<String, Object> reply = new LinkedHashMap<>();
    reply.put("message", said);
    reply.put("model", answer.path("model").asText(candidate.model()));
    reply.put("backend_id", candidate.backendId());
    reply.put("reply", text);
    return reply;
  }
}
