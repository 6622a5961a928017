package dev.parley.chat.routing;

import dev.parley.chat.balance.Candidate;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The backends' API keys, fetched when a key's version is seen for the first time and held in
/// memory only.
@ApplicationScoped
public class Credentials {

  private static final Logger LOG = Logger.getLogger(Credentials.class);

  private final GuardedRegistry registry;
  private final Map<String, Held> held = new ConcurrentHashMap<>();

  private static final class Held {
    final String version;
    final String key;

    Held(String version, String key) {
      this.version = version;
      this.key = key;
    }
  }

  @Inject
  Credentials(GuardedRegistry registry) {
    this.registry = registry;
  }

  /// The key if it needs no call to get it; a backend without a key has the empty one.
  public @Nullable String cached(Candidate candidate) {
    String version = candidate.credential();
    if (version == null) {
      return "";
    }
    Held known = held.get(candidate.backendId());
    return known != null && known.version.equals(version) ? known.key : null;
  }

  /// The key, fetched if need be. With the registry gone, an older version is better than none.
  public String fetch(Candidate candidate) {
    String known = cached(candidate);
    if (known != null) {
      return known;
    }
    try {
      String key = registry.credential(candidate.backendId());
      String version = String.valueOf(candidate.credential());
      held.put(candidate.backendId(), new Held(version, key == null ? "" : key));
      return key == null ? "" : key;
    } catch (RuntimeException unavailable) {
      LOG.warnf("the credential of backend %s cannot be fetched", candidate.backendId());
      Held older = held.get(candidate.backendId());
      return older == null ? "" : older.key;
    }
  }
}
