package dev.parley.kv.node.http;

import dev.parley.kv.core.Answer;
import dev.parley.kv.core.MemberChange;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.NodeStatus;
import dev.parley.kv.node.Settings;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// `POST /v1/cluster/members` and `DELETE /v1/cluster/members/{id}`: nodes come and go while the
/// cluster runs. Answered with 202 once the change is decided; `GET /v1/cluster` shows how far it
/// is.
@ApplicationScoped
class MemberRoutes {

  private static final String MEMBERS = "/v1/cluster/members";
  private static final int MAX_BODY = 4096;
  private static final int MAX_URL = 256;
  private static final int DEFAULT_WEIGHT = 100;
  private static final int MAX_WEIGHT = 10_000;
  private static final Set<String> FIELDS = Set.of("id", "url", "weight", "group");

  private final Settings settings;
  private final NodeHost host;

  MemberRoutes(Settings settings, NodeHost host) {
    this.settings = settings;
    this.host = host;
  }

  void routes(@Observes Router router) {
    router.post(MEMBERS).order(-10).handler(KvRoutes.guarded(this::add));
    router.delete(MEMBERS + "/:id").order(-10).handler(KvRoutes.guarded(this::remove));
    router.route(MEMBERS).order(-10).handler(KvRoutes.only("POST"));
    router.route(MEMBERS + "/:id").order(-10).handler(KvRoutes.only("DELETE"));
  }

  private void add(RoutingContext context) {
    Requests.requireToken(context, settings, "changing the members");
    Map<String, String> parameters =
        Requests.parameters(context.request(), Set.of("force", "replacing"));
    Requests.requireJson(context.request());
    boolean force = force(parameters);
    String replacing = parameters.get("replacing");
    if (replacing != null && !Settings.name(replacing)) {
      throw bad("replacing is not the id of a node");
    }
    Bodies.read(
        context,
        Bodies.From.CLIENT,
        MAX_BODY,
        body ->
            KvRoutes.guard(
                context, () -> change(context, addition(parsed(body), replacing, force))));
  }

  private void remove(RoutingContext context) {
    Requests.requireToken(context, settings, "changing the members");
    boolean force = force(Requests.parameters(context.request(), Set.of("force")));
    String id = context.pathParam("id");
    if (!Settings.name(id)) {
      throw bad("that is not the id of a node");
    }
    context.request().resume();
    change(context, new MemberChange.Remove(id, force));
  }

  private static boolean force(Map<String, String> parameters) {
    String force = parameters.get("force");
    if (force != null && !force.equals("true") && !force.equals("false")) {
      throw bad("force is true or false");
    }
    return "true".equals(force);
  }

  private static Requests.BadRequestException bad(String detail) {
    return new Requests.BadRequestException(Problem.BAD_REQUEST, detail);
  }

  private static JsonObject parsed(byte[] body) {
    JsonObject json;
    try {
      JsonText.check(body);
      json = new JsonObject(Buffer.buffer(body));
    } catch (DecodeException e) {
      throw bad("the body is not a JSON object");
    }
    for (String name : json.fieldNames()) {
      if (!FIELDS.contains(name)) {
        throw bad("there is no field " + name);
      }
    }
    return json;
  }

  private MemberChange.Add addition(JsonObject json, @Nullable String replacing, boolean force) {
    String id = text(json, "id");
    if (id == null || !Settings.name(id)) {
      throw bad("id must be 1 to 64 letters, digits, dots, dashes or underscores");
    }
    String url = text(json, "url");
    if (url == null || url.length() > MAX_URL || Settings.nodeUrl(url) == null) {
      throw bad("url must be the http address of the node, at most " + MAX_URL + " characters");
    }
    Object weight = json.getValue("weight", DEFAULT_WEIGHT);
    if (!(weight instanceof Integer share) || share < 1 || share > MAX_WEIGHT) {
      throw bad("weight must be a whole number from 1 to " + MAX_WEIGHT);
    }
    String group = text(json, "group");
    if (group == null) {
      group = groupOf(replacing);
    } else if (!Settings.name(group)) {
      throw bad("group is not the name of a group");
    }
    return new MemberChange.Add(id, url, share, group, replacing, force);
  }

  private static @Nullable String text(JsonObject json, String field) {
    if (!json.containsKey(field)) {
      return null;
    }
    if (!(json.getValue(field) instanceof String text)) {
      throw bad(field + " must be a string");
    }
    return text;
  }

  /// Who replaces a node takes its group, unless another is named.
  private String groupOf(@Nullable String replacing) {
    return host.status().members().stream()
        .filter(member -> member.id().equals(replacing))
        .map(NodeStatus.Member::group)
        .findFirst()
        .orElse(Settings.DEFAULT_GROUP);
  }

  private void change(RoutingContext context, MemberChange change) {
    host.change(change, KvRoutes.back(context, answer -> tell(context, answer)));
  }

  private static void tell(RoutingContext context, Answer answer) {
    switch (answer) {
      case Answer.Begun(var epoch, var partitions) ->
          context
              .response()
              .setStatusCode(202)
              .putHeader("Content-Type", "application/json")
              .putHeader("Location", "/v1/cluster")
              .end(
                  new JsonObject()
                      .put("epoch", epoch)
                      .put("partitions_moving", partitions)
                      .toBuffer());
      case Answer.Rejected(var reason, var detail) -> problem(reason).answer(context, detail);
      case Answer.Undecided(var reason) ->
          Problem.CHANGE_UNDECIDED.answer(
              context, reason + ": GET /v1/cluster shows in which epoch the cluster goes on");
      case Answer.NotApplied(var reason) -> Problem.MEMBERS_UNCHANGED.answer(context, reason);
      default -> throw new IllegalStateException("not about members: " + answer.getClass());
    }
  }

  private static Problem problem(Answer.Reason reason) {
    return switch (reason) {
      case INVALID -> Problem.BAD_REQUEST;
      case UNKNOWN_MEMBER -> Problem.UNKNOWN_MEMBER;
      case ID_IN_USE -> Problem.ID_IN_USE;
      case NOT_HEARD_OF -> Problem.NOT_HEARD_OF;
      case TOO_FEW -> Problem.TOO_FEW_MEMBERS;
      case UNDER_WAY -> Problem.CHANGE_UNDER_WAY;
      case UNAVAILABLE -> Problem.MEMBERS_UNCHANGED;
    };
  }
}
