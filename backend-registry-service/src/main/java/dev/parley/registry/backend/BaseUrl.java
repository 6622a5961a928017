package dev.parley.registry.backend;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;

/// Reads the address of a backend. The registry calls it on behalf of whoever added it, so an
/// address that could reach something else than a model server is refused here, and once more by
/// [TargetAddresses] when its name has been resolved.
final class BaseUrl {

  static final int MAX_LENGTH = 2048;

  private static final String COMPLETIONS = "/chat/completions";

  sealed interface Result {}

  record Read(URI url) implements Result {}

  record Refused(String detail) implements Result {}

  private BaseUrl() {}

  static Result read(String text, TargetAddresses allowed) {
    if (text.isEmpty() || text.length() > MAX_LENGTH) {
      return new Refused("must have 1 to " + MAX_LENGTH + " characters");
    }
    URI url;
    try {
      url = new URI(text).parseServerAuthority();
    } catch (URISyntaxException e) {
      return new Refused("must be a URL such as http://127.0.0.1:11434/v1");
    }
    String scheme = url.getScheme() == null ? "" : url.getScheme().toLowerCase(Locale.ROOT);
    if (!scheme.equals("http") && !scheme.equals("https")) {
      return new Refused("must begin with http:// or https://");
    }
    if (url.getRawUserInfo() != null) {
      return new Refused("must not contain a user name or password; put the key into api_key");
    }
    if (url.getRawFragment() != null || url.getRawQuery() != null) {
      return new Refused("must not contain a query or a fragment");
    }
    String host = url.getHost();
    if (host == null || host.isEmpty()) {
      return new Refused("must name a host");
    }
    if (url.getPort() == 0 || url.getPort() > 65_535) {
      return new Refused("must have a port from 1 to 65535");
    }
    if (!allowed.host(host)) {
      return new Refused("names an address that backends may not have: " + host);
    }
    String path = withoutSlashAtEnd(url.normalize().getRawPath());
    if (path.endsWith(COMPLETIONS)) {
      return new Refused("must end before " + COMPLETIONS);
    }
    String port = url.getPort() == -1 ? "" : ":" + url.getPort();
    return new Read(URI.create(scheme + "://" + host.toLowerCase(Locale.ROOT) + port + path));
  }

  private static String withoutSlashAtEnd(String path) {
    int end = path.length();
    while (end > 0 && path.charAt(end - 1) == '/') {
      end--;
    }
    return path.substring(0, end);
  }
}
