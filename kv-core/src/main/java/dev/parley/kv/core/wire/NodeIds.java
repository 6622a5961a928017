package dev.parley.kv.core.wire;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The ids of nodes that were read lately. Every ballot names one, and there are few, so that the
/// text need not be made anew for each. From any thread: who reads a place finds nothing there, or
/// one that was written there, and whole, as all its fields are final.
final class NodeIds {

  /// An id that is longer is not kept.
  private static final int MAX_BYTES = 64;

  /// A power of two, and many more than a cluster has nodes.
  private static final int PLACES = 256;

  private record NodeId(byte[] utf8, String text) {}

  private static final @Nullable NodeId[] KNOWN = new @Nullable NodeId[PLACES];

  private NodeIds() {}

  static String of(byte[] bytes, int from, int to) {
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = 31 * hash + bytes[i];
    }
    int place = (hash ^ hash >>> 8) & PLACES - 1;
    NodeId known = KNOWN[place];
    if (known != null && Arrays.equals(known.utf8, 0, known.utf8.length, bytes, from, to)) {
      return known.text;
    }
    byte[] utf8 = Arrays.copyOfRange(bytes, from, to);
    NodeId made = new NodeId(utf8, new String(utf8, StandardCharsets.UTF_8).intern());
    if (utf8.length <= MAX_BYTES) {
      KNOWN[place] = made;
    }
    return made.text;
  }
}
