package dev.parley.chat.api;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.RequestIds;
import dev.parley.chat.conversation.Conversation;
import dev.parley.chat.conversation.Parameters;
import io.smallrye.common.annotation.RunOnVirtualThread;
import io.vertx.ext.web.RoutingContext;
import jakarta.inject.Inject;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.PATCH;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// `/api/conversations`, all but the event stream.
@Path("/api/conversations")
@Produces(MediaType.APPLICATION_JSON)
@RunOnVirtualThread
public class ConversationResource {

  /// Room for a message of 1 MiB of the widest escapes is not given: a body beyond this is refused
  /// before it is parsed.
  private static final int MAX_BODY_BYTES = 2 << 20;

  private static final int MAX_CONTENT_BYTES = 1 << 20;
  private static final Set<String> SETTINGS =
      Set.of("title", "model", "system_prompt", "parameters", "pinned");
  private static final Set<String> MESSAGE =
      Set.of("client_id", "content", "model", "parameters", "language");

  private final Conversations conversations;
  private final Problems problems;
  private final ObjectMapper mapper;

  @Inject
  ConversationResource(Conversations conversations, Problems problems, ObjectMapper mapper) {
    this.conversations = conversations;
    this.problems = problems;
    this.mapper = mapper;
  }

  @POST
  @Consumes(MediaType.WILDCARD)
  public Response create(@HeaderParam("Content-Type") @Nullable String type, byte[] body) {
    JsonBody json =
        body.length == 0
            ? parse(type, "{}".getBytes(java.nio.charset.StandardCharsets.UTF_8), SETTINGS)
            : parse(type, body, SETTINGS);
    Boolean pinned = json.flag("pinned");
    return answer(
        conversations.create(
            json.text("title", 200),
            json.text("model", 200),
            json.text("system_prompt", 200_000),
            json.parameters("parameters"),
            pinned != null && pinned),
        201,
        Conversation::card);
  }

  @GET
  public Response list(
      @QueryParam("after") @Nullable String after,
      @QueryParam("limit") @Nullable String limit,
      @QueryParam("q") @Nullable String query) {
    return Response.ok(conversations.list(after, limit(limit, 50, 200), query)).build();
  }

  @GET
  @Path("{id}")
  public Response get(@PathParam("id") String id) {
    return answer(conversations.get(id), 200, Conversation::card);
  }

  @PATCH
  @Path("{id}")
  @Consumes(MediaType.WILDCARD)
  public Response change(
      @PathParam("id") String id, @HeaderParam("Content-Type") @Nullable String type, byte[] body) {
    JsonBody json = parse(type, body, SETTINGS);
    String title = json.has("title") ? json.requiredText("title", 200).strip() : null;
    String model = json.text("model", 200);
    String systemPrompt = json.text("system_prompt", 200_000);
    Parameters parameters = json.parameters("parameters");
    Boolean pinned = json.flag("pinned");
    return answer(
        conversations.change(
            id,
            was ->
                was.with(
                    title == null ? was.title() : title,
                    was.named() || title != null,
                    pinned == null ? was.pinned() : pinned,
                    json.has("model") ? model : was.model(),
                    json.has("system_prompt") ? systemPrompt : was.systemPrompt(),
                    json.has("parameters") ? parameters : was.parameters(),
                    was.updatedAt())),
        200,
        Conversation::card);
  }

  @DELETE
  @Path("{id}")
  public Response delete(@PathParam("id") String id) {
    return switch (conversations.delete(id)) {
      case Result.Ok<Boolean> _ -> Response.noContent().build();
      case Result.Refused<Boolean>(var why) -> problems.response(why);
    };
  }

  @GET
  @Path("{id}/messages")
  public Response messages(
      @PathParam("id") String id,
      @QueryParam("before") @Nullable String before,
      @QueryParam("limit") @Nullable String limit) {
    int from =
        before == null || before.isEmpty() ? 0 : whole("before", before, 1, Integer.MAX_VALUE);
    return answer(
        conversations.messages(id, from, limit(limit, 60, 500)), 200, Function.identity());
  }

  @POST
  @Path("{id}/messages")
  @Consumes(MediaType.WILDCARD)
  public Response post(
      @PathParam("id") String id,
      @HeaderParam("Content-Type") @Nullable String type,
      byte[] body,
      @Context RoutingContext rc) {
    return answer(
        conversations.post(id, message(parse(type, body, MESSAGE)), RequestIds.of(rc)),
        202,
        Function.identity());
  }

  @POST
  @Path("{id}/messages/{message}/edit")
  @Consumes(MediaType.WILDCARD)
  public Response edit(
      @PathParam("id") String id,
      @PathParam("message") String messageId,
      @HeaderParam("Content-Type") @Nullable String type,
      byte[] body,
      @Context RoutingContext rc) {
    return answer(
        conversations.edit(id, messageId, message(parse(type, body, MESSAGE)), RequestIds.of(rc)),
        202,
        Function.identity());
  }

  @POST
  @Path("{id}/regenerate")
  @Consumes(MediaType.WILDCARD)
  public Response regenerate(
      @PathParam("id") String id,
      @HeaderParam("Content-Type") @Nullable String type,
      byte[] body,
      @Context RoutingContext rc) {
    JsonBody json = parse(type, body, Set.of("client_id", "message_id"));
    return answer(
        conversations.regenerate(
            id,
            json.requiredText("client_id", 100),
            json.text("message_id", 100),
            RequestIds.of(rc)),
        202,
        Function.identity());
  }

  @POST
  @Path("{id}/stop")
  @Consumes(MediaType.WILDCARD)
  public Response stop(
      @PathParam("id") String id, @HeaderParam("Content-Type") @Nullable String type, byte[] body) {
    if (body.length > 0 || type != null) {
      parse(type, body.length == 0 ? new byte[] {'{', '}'} : body, Set.of());
    }
    return answer(conversations.stop(id), 202, stopping -> java.util.Map.of("stopping", stopping));
  }

  private static Conversations.NewMessage message(JsonBody json) {
    String clientId = json.requiredText("client_id", 100);
    String content = json.requiredText("content", Integer.MAX_VALUE);
    if (utf8Bytes(content) > MAX_CONTENT_BYTES) {
      throw new JsonBody.Refused(new Refusal.TooLarge("The message is larger than 1 MiB."));
    }
    json.text("language", 35);
    return new Conversations.NewMessage(
        clientId, content, json.text("model", 200), json.parameters("parameters"));
  }

  private static long utf8Bytes(String text) {
    return text.length() > MAX_CONTENT_BYTES
        ? text.length()
        : text.getBytes(java.nio.charset.StandardCharsets.UTF_8).length;
  }

  private JsonBody parse(@Nullable String type, byte[] body, Set<String> known) {
    if (type == null || !type.toLowerCase(Locale.ROOT).startsWith("application/json")) {
      throw new JsonBody.Refused(new Refusal.WrongType());
    }
    if (body.length > MAX_BODY_BYTES) {
      throw new JsonBody.Refused(new Refusal.TooLarge("The body is larger than 2 MiB."));
    }
    return JsonBody.parse(body, mapper, known);
  }

  private static int limit(@Nullable String given, int usual, int most) {
    return given == null || given.isEmpty() ? usual : whole("limit", given, 1, most);
  }

  private static int whole(String field, String given, int min, int max) {
    try {
      int value = Integer.parseInt(given);
      if (value >= min && value <= max) {
        return value;
      }
    } catch (NumberFormatException notANumber) {
      // Said below.
    }
    throw JsonBody.invalid(
        field, "'" + field + "' must be a whole number from " + min + " to " + max + ".");
  }

  private <T> Response answer(Result<T> result, int status, Function<T, ?> shown) {
    return switch (result) {
      case Result.Ok<T>(var value) -> Response.status(status).entity(shown.apply(value)).build();
      case Result.Refused<T>(var why) -> problems.response(why);
    };
  }
}
