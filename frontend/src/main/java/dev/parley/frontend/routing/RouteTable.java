package dev.parley.frontend.routing;

import dev.parley.frontend.routing.Destination.AnyChat;
import dev.parley.frontend.routing.Destination.ChatFor;
import dev.parley.frontend.routing.Destination.Nowhere;
import dev.parley.frontend.routing.Destination.Registry;
import java.util.Set;

/// The public paths, as an allow-list: what is not named here is not relayed. That keeps the
/// services' inner doors (`/internal`, `/q`, `/api/outcomes`) shut without naming them.
public final class RouteTable {
  private static final Set<String> REGISTRY_ROOTS =
      Set.of("backends", "selections", "capacity", "models", "events");

  private RouteTable() {}

  /// The destination of a normalized path: decoded where unreserved, without dot segments.
  public static Destination destination(String path) {
    // A backslash or an encoded separator may be read as one by the service behind; nobody needs
    // them below /api.
    if (path.startsWith("/api/") && hasHiddenSeparator(path)) {
      return new Nowhere();
    }
    var parts = path.split("/", -1);
    if (path.equals("/chat")) {
      return new AnyChat();
    }
    if (parts.length >= 3 && parts[1].equals("v1") && !parts[2].isEmpty()) {
      return new AnyChat();
    }
    if (parts.length < 3 || !parts[1].equals("api")) {
      return new Nowhere();
    }
    if (REGISTRY_ROOTS.contains(parts[2])) {
      return new Registry();
    }
    if (parts[2].equals("conversations")) {
      return parts.length > 3 && !parts[3].isEmpty() ? new ChatFor(parts[3]) : new AnyChat();
    }
    return new Nowhere();
  }

  private static boolean hasHiddenSeparator(String path) {
    var lower = path.toLowerCase(java.util.Locale.ROOT);
    return path.indexOf('\\') >= 0
        || lower.contains("%2f")
        || lower.contains("%5c")
        || lower.contains("%2e");
  }
}
