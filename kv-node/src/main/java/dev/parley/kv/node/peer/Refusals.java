package dev.parley.kv.node.peer;

import java.util.LinkedHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Tells of each node that is refused once, and again when the reason changes, or when the node was
/// accepted meanwhile. From any thread.
final class Refusals {

  /// Reasons that are remembered. A node that is refused tries again for ever.
  private static final int MAX = 256;

  private final Consumer<String> log;

  /// The last reason by the node's id, or by its address and the reason, for several nodes may
  /// share an address.
  private final LinkedHashMap<String, String> told = new LinkedHashMap<>();

  private volatile boolean any;

  Refusals(Consumer<String> log) {
    this.log = log;
  }

  /// @param id of the node, checked to be one, or null if it is not known
  synchronized void refused(@Nullable String id, String address, String why) {
    String key = id == null ? address + ": " + why : id;
    String before = told.remove(key);
    told.put(key, why);
    any = true;
    if (told.size() > MAX) {
      told.pollFirstEntry();
    }
    if (!why.equals(before)) {
      log.accept("refused a node at " + address + ": " + why);
    }
  }

  /// A node is not refused any more.
  void accepted(String id) {
    if (any) {
      synchronized (this) {
        told.remove(id);
        any = !told.isEmpty();
      }
    }
  }
}
