package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What happened in one run, told to a reader who wants to know why it failed: the operations on
/// the key that went wrong, and what the nodes did around that moment.
final class Story {

  /// Most lines of what happened before the violation.
  private static final int LINES = 160;

  private record Line(long at, @Nullable Key key, String text) {}

  private final List<Line> lines = new ArrayList<>();

  void add(long at, @Nullable Key key, String text) {
    lines.add(new Line(at, key, text));
  }

  /// The whole story as text.
  ///
  /// @param key the key that went wrong, or null for all keys
  String tell(
      long seed,
      FaultMix mix,
      String violation,
      long at,
      @Nullable Key key,
      List<History.Op> operations) {
    StringBuilder text = new StringBuilder();
    text.append("seed %d: %s%n".formatted(seed, violation));
    text.append("  at %.3f s, with %s%n".formatted(at / 1e9, mix));
    text.append(key == null ? "  operations" : "  operations on " + key);
    text.append(" (begun, ended, client, number, what -> answer; in seconds)\n");
    for (History.Op op : operations) {
      if (key == null || key.equals(op.key)) {
        text.append("  ").append(shorten(op.toString())).append('\n');
      }
    }
    List<Line> related = new ArrayList<>();
    for (Line line : lines) {
      if (key == null || line.key == null || line.key.equals(key)) {
        related.add(line);
      }
    }
    int from = Math.max(0, related.size() - LINES);
    text.append("  what the nodes did");
    text.append(from == 0 ? "\n" : ", the last %d of %d events%n".formatted(LINES, related.size()));
    for (Line line : related.subList(from, related.size())) {
      text.append("  %9.3f %s%n".formatted(line.at / 1e9, line.text));
    }
    return text.toString();
  }

  /// Values may be thousands of bytes of filling.
  private static String shorten(String line) {
    return line.replaceAll("~{4,}", "~~~");
  }
}
