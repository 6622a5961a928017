package dev.parley.frontend.routing;

import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// Which headers cross the relay.
public final class HeaderRules {
  private static final Set<String> HOP_BY_HOP =
      Set.of(
          "connection",
          "keep-alive",
          "proxy-authenticate",
          "proxy-authorization",
          "proxy-connection",
          "te",
          "trailer",
          "transfer-encoding",
          "upgrade");

  /// Set by the relay itself, or claims of the client that nobody behind may believe. Origin and
  /// the fetch metadata were judged here; cookies belong to this origin alone.
  private static final Set<String> NOT_FORWARDED =
      Set.of(
          "host",
          "expect",
          "content-length",
          "cookie",
          "origin",
          "referer",
          "forwarded",
          "via",
          "x-real-ip",
          "x-request-id",
          "accept-encoding");

  /// The frontend's own, or not a service's business.
  private static final Set<String> NOT_RETURNED =
      Set.of(
          "content-security-policy",
          "x-content-type-options",
          "referrer-policy",
          "set-cookie",
          "server",
          "x-request-id");

  private HeaderRules() {}

  /// Whether a request header goes on to the service; `connection` are the Connection values.
  public static boolean forwarded(String name, Set<String> connection) {
    var lower = name.toLowerCase(Locale.ROOT);
    return !HOP_BY_HOP.contains(lower)
        && !NOT_FORWARDED.contains(lower)
        && !connection.contains(lower)
        && !lower.startsWith("x-forwarded-")
        && !lower.startsWith("sec-fetch-");
  }

  /// Whether a response header goes back to the client.
  public static boolean returned(String name, Set<String> connection) {
    var lower = name.toLowerCase(Locale.ROOT);
    return !HOP_BY_HOP.contains(lower)
        && !NOT_RETURNED.contains(lower)
        && !connection.contains(lower)
        && !lower.startsWith("access-control-");
  }

  /// The header names that the Connection headers declare to be for this hop only.
  public static Set<String> namedByConnection(List<String> values) {
    var names = new HashSet<String>();
    for (var value : values) {
      for (var name : value.split(",")) {
        names.add(name.strip().toLowerCase(Locale.ROOT));
      }
    }
    return names;
  }
}
