package dev.parley.kv.core;

import java.util.List;
import java.util.TreeMap;

/// Nodes of a cluster that is past its formation.
final class Formed {

  private Formed() {}

  /// The disk of node number `index`.
  static OpId disk(int index) {
    return new OpId(0xd15c, index + 1);
  }

  /// The layout of these nodes, whose disks are those of [#disk] in their order.
  static Layout layout(List<String> ids) {
    TreeMap<String, OpId> disks = new TreeMap<>();
    for (int i = 0; i < ids.size(); i++) {
      disks.put(ids.get(i), disk(i));
    }
    return Layout.of(ids).withDisks(disks);
  }

  /// What is in the log of node `id` after its first start.
  static List<LogRecord> log(List<String> ids, String id) {
    return List.of(
        new LogRecord.Meta(1, disk(ids.indexOf(id)), 10, new TreeMap<>(), new TreeMap<>()),
        new LogRecord.Installed(layout(ids), true));
  }

  /// A key that node `id` is the first to coordinate.
  static Key keyOf(String id, List<String> ids) {
    for (int i = 0; ; i++) {
      Key key = Key.of("k" + i);
      if (layout(ids).placement(key).getFirst().equals(id)) {
        return key;
      }
    }
  }

  /// What tells a node that another one knows of this start of it.
  static Message.Pong pong(NodeCore node) {
    return new Message.Pong(node.boot() << 40);
  }
}
