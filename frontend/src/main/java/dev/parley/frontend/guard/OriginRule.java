package dev.parley.frontend.guard;

import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Refuses mutations that a page of another origin caused. Programs that send no Origin (curl, an
/// SDK) pass: they carry no ambient authority of a browser.
public final class OriginRule {
  private static final Set<String> READS = Set.of("GET", "HEAD", "OPTIONS");

  private final Set<String> alsoAllowed;

  public OriginRule(Set<String> alsoAllowed) {
    this.alsoAllowed = Set.copyOf(alsoAllowed);
  }

  /// Whether the request may pass. The scheme is not compared, since a proxy in front may have
  /// taken TLS off; host and port are.
  public boolean allows(
      String method, @Nullable String origin, @Nullable String fetchSite, String authority) {
    if (READS.contains(method)) {
      return true;
    }
    if (origin == null) {
      return fetchSite == null || fetchSite.equals("same-origin") || fetchSite.equals("none");
    }
    if (alsoAllowed.contains(origin)) {
      return true;
    }
    int scheme = origin.indexOf("://");
    if (scheme < 0) {
      return false; // "null": an opaque origin such as a sandboxed frame
    }
    var named = origin.substring(scheme + 3);
    return withoutDefaultPort(named).equals(withoutDefaultPort(authority));
  }

  private static String withoutDefaultPort(String authority) {
    var lower = authority.toLowerCase(Locale.ROOT);
    if (lower.endsWith(":80")) {
      return lower.substring(0, lower.length() - 3);
    }
    return lower.endsWith(":443") ? lower.substring(0, lower.length() - 4) : lower;
  }
}
