package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One page of a listing, merged from a majority's ordered pages.
///
/// A row on which a majority agrees stands; any other is read by itself, which also repairs it.
/// Each row is linearizable at some instant of the scan; there is no snapshot across rows.
final class ScanRound {

  /// A page ends early beyond this many bytes of bodies.
  private static final int PAGE_BYTES = 4 << 20;

  /// Rows asked of a replica at once, so that a page of tombstones cannot blow up memory.
  private static final int CHUNK = 512;

  /// Reads of disagreeing rows under way at once.
  private static final int PARALLEL_READS = 32;

  private final NodeCore node;
  private final byte[] prefix;
  private final int limit;
  private final long deadline;
  private final Consumer<Answer.OfScan> done;
  private final List<Answer.Row> rows = new ArrayList<>();
  private int bytes;
  private @Nullable Key after;

  private final TreeMap<String, Message.ScanReply> replies = new TreeMap<>();
  private final TreeMap<Key, Answer.Row> merged = new TreeMap<>();
  private final TreeSet<Key> doubtful = new TreeSet<>();
  private int reading;
  private boolean more;
  private @Nullable Key bound;
  private long call;
  private boolean collecting;
  private NodeCore.@Nullable Alarm expiry;
  private boolean over;

  ScanRound(
      NodeCore node,
      byte[] prefix,
      @Nullable Key after,
      int limit,
      long deadline,
      Consumer<Answer.OfScan> done) {
    this.node = node;
    this.prefix = prefix;
    this.after = after;
    this.limit = limit;
    this.deadline = deadline;
    this.done = done;
  }

  void start() {
    expiry =
        node.at(
            deadline,
            () -> finish(new Answer.Unavailable("no majority of the nodes answered in time")));
    chunk();
  }

  private void chunk() {
    replies.clear();
    merged.clear();
    doubtful.clear();
    collecting = true;
    call = node.newCall(this::onReply, _ -> {});
    int want = Math.min(CHUNK, limit - rows.size() + 1);
    for (String member : node.members().ids()) {
      boolean bodies = member.equals(node.self());
      node.send(member, new Message.Scan(node.scope(), call, prefix, after, want, bodies));
    }
    long current = call;
    node.in(
        node.timing().phase().toNanos(),
        () -> {
          if (!over && collecting && call == current) {
            node.endCall(call);
            chunk();
          }
        });
  }

  private void onReply(String from, Message.Reply reply) {
    if (over || !collecting || !(reply instanceof Message.ScanReply page)) {
      return;
    }
    replies.put(from, page);
    if (!replies.containsKey(node.self()) || replies.size() < node.majority()) {
      return;
    }
    if (replies.size() == node.members().size() || merge() == 0) {
      settle();
    } else if (replies.size() == node.majority()) {
      // Two replicas differ. The third may settle it without a read per row: wait a moment.
      long current = call;
      node.in(
          node.timing().minHedge().toNanos() / 2,
          () -> {
            if (!over && collecting && call == current) {
              settle();
            }
          });
    }
  }

  /// Sorts the rows seen so far into agreed and doubtful ones, and says how many are doubtful.
  private int merge() {
    merged.clear();
    doubtful.clear();
    bound = null;
    more = false;
    for (Message.ScanReply reply : replies.values()) {
      if (reply.more()) {
        more = true;
        Key last = reply.rows().getLast().key();
        bound = bound == null || last.compareTo(bound) < 0 ? last : bound;
      }
    }
    TreeMap<Key, TreeMap<Ballot, Integer>> votes = new TreeMap<>();
    TreeMap<Key, Message.ScanRow> own = new TreeMap<>();
    for (var reply : replies.entrySet()) {
      for (Message.ScanRow row : reply.getValue().rows()) {
        if (bound == null || row.key().compareTo(bound) <= 0) {
          votes
              .computeIfAbsent(row.key(), _ -> new TreeMap<>())
              .merge(row.accepted(), 1, Integer::sum);
          if (reply.getKey().equals(node.self())) {
            own.put(row.key(), row);
          }
        }
      }
    }
    for (var vote : votes.entrySet()) {
      Message.ScanRow row = own.get(vote.getKey());
      int agreeing = row == null ? 0 : vote.getValue().getOrDefault(row.accepted(), 0);
      if (row == null || agreeing < node.majority()) {
        doubtful.add(vote.getKey());
      } else if (row.body() != null) {
        merged.put(row.key(), new Answer.Row(row.key(), row.version(), row.body()));
      }
    }
    return doubtful.size();
  }

  private void settle() {
    merge();
    collecting = false;
    node.endCall(call);
    readDoubtful();
  }

  private void readDoubtful() {
    while (reading < PARALLEL_READS && !doubtful.isEmpty() && !over) {
      Key key = doubtful.pollFirst();
      reading++;
      new ReadRound(
              node,
              key,
              deadline,
              answer -> {
                reading--;
                onRead(key, answer);
              })
          .start();
    }
    if (reading == 0 && doubtful.isEmpty() && !over) {
      append();
    }
  }

  private void onRead(Key key, Answer.OfRead answer) {
    switch (answer) {
      case Answer.Found(var version, var body) ->
          merged.put(key, new Answer.Row(key, version, body));
      case Answer.Absent() -> {}
      case Answer.Unavailable unavailable -> finish(unavailable);
    }
    if (!over) {
      readDoubtful();
    }
  }

  private void append() {
    for (Answer.Row row : merged.values()) {
      if (rows.size() == limit || (bytes > PAGE_BYTES && !rows.isEmpty())) {
        finish(new Answer.Page(rows, rows.getLast().key()));
        return;
      }
      rows.add(row);
      bytes += row.body().length;
    }
    if (!more || bound == null) {
      finish(new Answer.Page(rows, null));
      return;
    }
    after = bound;
    chunk();
  }

  private void finish(Answer.OfScan answer) {
    if (!over) {
      over = true;
      if (expiry != null) {
        expiry.cancel();
      }
      node.endCall(call);
      done.accept(answer);
    }
  }
}
