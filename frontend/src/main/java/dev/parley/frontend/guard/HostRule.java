package dev.parley.frontend.guard;

import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/// Refuses requests addressed to a host name nobody configured: a foreign page whose own name was
/// rebound to this address would otherwise be of the same origin as this service. A literal
/// address cannot be rebound, so those pass.
public final class HostRule {
  private static final Pattern IPV4 = Pattern.compile("\\d{1,3}(\\.\\d{1,3}){3}");

  private final Set<String> names;

  public HostRule(Set<String> configured) {
    var all = new HashSet<String>();
    all.add("localhost");
    configured.forEach(name -> all.add(name.toLowerCase(Locale.ROOT)));
    names = Set.copyOf(all);
  }

  /// Whether `authority`, the Host header, names this origin.
  public boolean allows(String authority) {
    if (authority.startsWith("[")) {
      return authority.indexOf(']') > 0;
    }
    int colon = authority.lastIndexOf(':');
    var host = (colon < 0 ? authority : authority.substring(0, colon)).toLowerCase(Locale.ROOT);
    return names.contains(host) || IPV4.matcher(host).matches();
  }
}
