package dev.parley.kv.core;

import java.util.TreeMap;

/// The watches that this node serves.
final class Watches {

  /// Watches at once. Each keeps a question open at every node and a few hundred kilobytes at most,
  /// and one for each replica of each service is what is needed.
  static final int MAX_WATCHES = 256;

  private final NodeCore node;
  private final TreeMap<Long, WatchRound> watches = new TreeMap<>();
  private long nextWatch = 1;

  Watches(NodeCore node) {
    this.node = node;
  }

  int size() {
    return watches.size();
  }

  void step(Event.OfWatch event) {
    switch (event) {
      case Event.Watch(var ticket, var prefix, var values, var since) -> {
        if (node.waitsFor().isPresent()) {
          node.answer(ticket, new Answer.Unavailable(node.waitsFor().get()));
        } else if (watches.size() >= MAX_WATCHES) {
          node.answer(ticket, new Answer.Unavailable("too many watches on this node"));
        } else {
          long number = nextWatch++;
          WatchRound watch =
              new WatchRound(node, number, prefix, values, since, () -> watches.remove(number));
          watches.put(number, watch);
          watch.start(ticket);
        }
      }
      case Event.WatchMore(var ticket, var number) -> {
        WatchRound watch = watches.get(number);
        if (watch == null) {
          node.answer(ticket, new Answer.Unavailable("the watch has ended"));
        } else {
          watch.more(ticket);
        }
      }
      case Event.Unwatch(var number) -> {
        WatchRound watch = watches.get(number);
        if (watch != null) {
          watch.end("the watch has ended");
        }
      }
    }
  }
}
