package dev.parley.frontend.routing;

import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;

/// Highest-random-weight order: every frontend sorts the same members the same way for a key, and
/// a member that leaves moves only its own keys.
public final class Rendezvous {
  private static final long FNV_OFFSET = 0xcbf29ce484222325L;
  private static final long FNV_PRIME = 0x100000001b3L;

  private Rendezvous() {}

  /// The members in the order in which `key` prefers them.
  public static List<String> order(String key, List<String> members) {
    Comparator<String> byWeight = (a, b) -> Long.compareUnsigned(weight(key, b), weight(key, a));
    return members.stream().sorted(byWeight.thenComparing(Comparator.naturalOrder())).toList();
  }

  private static long weight(String key, String member) {
    long hash = FNV_OFFSET;
    for (byte b : (key + '\0' + member).getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xff)) * FNV_PRIME;
    }
    // FNV mixes its last bytes weakly; this finalizer (Stafford's variant 13) spreads them.
    hash = (hash ^ (hash >>> 30)) * 0xbf58476d1ce4e5b9L;
    hash = (hash ^ (hash >>> 27)) * 0x94d049bb133111ebL;
    return hash ^ (hash >>> 31);
  }
}
