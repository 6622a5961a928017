package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// The nodes that hold the partition, and in which order they are asked to coordinate a key.
public final class Members {

  private final List<String> ids;

  /// @throws IllegalArgumentException if there is none, or an id is used twice
  public Members(List<String> ids) {
    this.ids = ids.stream().sorted().distinct().toList();
    if (this.ids.isEmpty() || this.ids.size() != ids.size()) {
      throw new IllegalArgumentException("members must be different and at least one: " + ids);
    }
  }

  public List<String> ids() {
    return ids;
  }

  public int size() {
    return ids.size();
  }

  /// The members in descending order of their rendezvous weight for the key: every node computes
  /// the same order, and keys spread evenly over the first places.
  public List<String> placement(Key key) {
    byte[] part = key.placementPart();
    List<Weighed> order = new ArrayList<>(ids.size());
    for (String id : ids) {
      order.add(new Weighed(id, weight(part, id)));
    }
    order.sort(Comparator.comparingLong(Weighed::weight).reversed().thenComparing(Weighed::id));
    return order.stream().map(Weighed::id).toList();
  }

  private record Weighed(String id, long weight) {}

  private static long weight(byte[] part, String id) {
    long hash = 0xcbf29ce484222325L;
    for (byte b : part) {
      hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
    }
    hash = (hash ^ 0xff) * 0x100000001b3L;
    for (int i = 0; i < id.length(); i++) {
      hash = (hash ^ id.charAt(i)) * 0x100000001b3L;
    }
    hash = (hash ^ (hash >>> 32)) * 0xd6e8feb86659fd93L;
    hash = (hash ^ (hash >>> 32)) * 0xd6e8feb86659fd93L;
    return hash ^ (hash >>> 32);
  }
}
