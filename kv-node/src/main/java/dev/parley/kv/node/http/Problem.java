package dev.parley.kv.node.http;

import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.RoutingContext;
import org.jspecify.annotations.Nullable;

/// Every way a request can fail, as `application/problem+json` with a type that never changes.
public enum Problem {
  BAD_REQUEST(400, "bad-request", "The request is not valid"),
  BAD_KEY(400, "bad-key", "The key is not valid"),
  BAD_CONDITION(400, "bad-condition", "The condition is not valid"),
  BAD_BACKUP(400, "bad-backup", "The backup is not valid"),
  UNAUTHORIZED(401, "unauthorized", "The service token is needed"),
  NOT_FOUND(404, "not-found", "There is no such key"),
  NO_ROUTE(404, "no-such-path", "There is nothing at this path"),
  UNKNOWN_MEMBER(404, "unknown-member", "There is no such member"),
  NO_METHOD(405, "method-not-allowed", "The method is not allowed here"),
  TOO_SLOW(408, "too-slow", "The body took too long to arrive"),
  ID_IN_USE(409, "id-in-use", "The id belongs to a member, or did once"),
  NOT_HEARD_OF(409, "not-heard-of", "The node has not been heard of"),
  TOO_FEW_MEMBERS(409, "too-few-members", "Too few members would remain"),
  CHANGE_UNDER_WAY(409, "change-under-way", "Another change of the members is under way"),
  WRONG_CLUSTER(409, "wrong-cluster", "Not a peer of this cluster"),
  FORGOTTEN(409, "outcome-unknown", "Whether the write was applied is not known"),
  NOT_EMPTY(409, "not-empty", "The cluster is not empty"),
  CONFLICT(412, "condition-failed", "The condition does not hold"),
  TOO_LARGE(413, "too-large", "The body is too large"),
  WRONG_TYPE(415, "unsupported-media-type", "The content type is not supported"),
  BUSY(503, "busy", "The node has too much to do"),
  NO_QUORUM(503, "no-quorum", "No majority of the nodes answers"),
  NOT_APPLIED(503, "not-applied", "The write was certainly not applied"),
  MEMBERS_UNCHANGED(503, "members-unchanged", "The members cannot be changed now"),
  CHANGE_UNDECIDED(503, "change-undecided", "Whether the members will change is not known"),
  UNKNOWN(503, "outcome-unknown", "Whether the write was applied is not known"),
  NO_ROOM(507, "no-room", "There is no room for new values");

  /// What the types of all of them begin with.
  public static final String TYPES = "/problems/kv/";

  private final int status;
  private final String type;
  private final String title;

  Problem(int status, String type, String title) {
    this.status = status;
    this.type = TYPES + type;
    this.title = title;
  }

  public void answer(RoutingContext context, @Nullable String detail) {
    var response = context.response();
    if (response.ended() || response.closed()) {
      return;
    }
    if (status == 503) {
      response.putHeader("Retry-After", "1");
    }
    if (status == 401) {
      response.putHeader("WWW-Authenticate", "Bearer");
    }
    response
        .setStatusCode(status)
        .putHeader("Content-Type", "application/problem+json")
        .end(document(detail).toBuffer());
  }

  /// The problem document (RFC 9457).
  JsonObject document(@Nullable String detail) {
    JsonObject body = new JsonObject().put("type", type).put("title", title).put("status", status);
    if (detail != null) {
      body.put("detail", detail);
    }
    return body;
  }
}
