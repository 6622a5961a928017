package dev.parley.frontend.routing;

import java.util.Set;
import java.util.regex.Pattern;

/// Says whether a request that was sent, and whose answer never began, may be sent to another
/// replica. It may already have been applied, so only two kinds qualify: reads, and the three
/// conversation calls whose contract makes a repeat with the same `client_id` return the first
/// result. Everything else (creating a conversation, a chat completion that costs money, a
/// deletion whose second answer would be "not found") is reported to the caller as unknown.
public final class Replay {
  private static final Set<String> READS = Set.of("GET", "HEAD", "OPTIONS");
  private static final Pattern CARRIES_CLIENT_ID =
      Pattern.compile("/api/conversations/[^/]+/(messages|regenerate|messages/[^/]+/edit)");

  private Replay() {}

  /// Whether the request may be repeated; `hasClientId` says its JSON body names a client_id.
  public static boolean allowed(String method, String path, boolean hasClientId) {
    return READS.contains(method)
        || (method.equals("POST") && hasClientId && contractHasClientId(path));
  }

  /// Whether it is worth looking for a client_id in the body.
  public static boolean contractHasClientId(String path) {
    return CARRIES_CLIENT_ID.matcher(path).matches();
  }
}
