package dev.parley.kv.client;

import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.Map;

/// The versions this client has seen, from which a write takes its base.
///
/// A key remembers its last operations only. By the base, a version from before the write was first
/// sent, a node can tell whether that memory reaches back far enough to be sure that the write was
/// not applied already. The best base is the version of the key itself that was seen last; of a key
/// not seen before it is the highest of all, for whatever the write creates will lie above that.
final class Bases {

  /// The request header that carries a base, and the response header that names a better one.
  static final String HEADER = "Parley-Base";

  private static final int MOST_KEYS = 4096;

  private final Map<String, Long> ofKeys =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
          return size() > MOST_KEYS;
        }
      };
  private long highest;

  /// What a write of the key may name as its base now.
  synchronized long of(String key) {
    return ofKeys.getOrDefault(key, highest);
  }

  /// A node answered about the key.
  void learn(String key, HttpResponse<?> response) {
    HttpKvStore.version(response).ifPresent(version -> learn(key, version));
    response.headers().firstValue(HEADER).ifPresent(base -> learn(key, base));
  }

  private void learn(String key, String version) {
    if (version.matches("[0-9]{1,18}")) {
      long number = Long.parseLong(version);
      synchronized (this) {
        ofKeys.put(key, number);
        highest = Math.max(highest, number);
      }
    }
  }
}
