package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One page of a listing, merged from the ordered pages of a quorum of every partition.
///
/// A row on which a quorum agrees stands; any other is read by itself, which also repairs it.
/// Each row is linearizable at some instant of the scan; there is no snapshot across rows.
///
/// Bodies travel once: of each row the replica that is first in its order sends it, as long as all
/// replicas are well. If one is not, all send them, for reading every row that lacks its body would
/// take far longer. Bodies say nothing about what a quorum agrees on.
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
  private final TreeSet<String> lost = new TreeSet<>();
  private final TreeMap<Key, Answer.Row> merged = new TreeMap<>();
  private final TreeSet<Key> doubtful = new TreeSet<>();

  /// Rows on which a quorum agrees and of which nobody sent the body; they are among the doubtful.
  private int bare;

  private boolean allSend;
  private int reading;
  private boolean more;
  private @Nullable Key bound;
  private long call;
  private boolean collecting;
  private boolean waiting;
  private Layout layout;
  private List<Replicas> reach = List.of();
  private List<String> asked = List.of();
  private Alarms.@Nullable Alarm expiry;
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
    this.layout = node.layout();
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
    waiting = false;
    lost.clear();
    call = node.newCall(this::onReply, this::onLost, this::onLost);
    int want = Math.min(CHUNK, limit - rows.size() + 1);
    layout = node.layout();
    reach = layout.reach(prefix);
    asked = reach.stream().flatMap(each -> each.all().stream()).distinct().sorted().toList();
    allSend |= !asked.stream().allMatch(id -> node.reachable(id, node.now()));
    boolean own = reach.stream().allMatch(each -> each.all().contains(node.self()));
    for (String member : asked) {
      Message.Bodies bodies =
          member.equals(node.self())
              ? Message.Bodies.ALL
              : own ? Message.Bodies.NONE : allSend ? Message.Bodies.ALL : Message.Bodies.FIRST;
      node.send(member, new Message.Scan(node.scope(), call, -1, prefix, after, want, bodies));
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
    lost.remove(from);
    if (!covered()) {
      return;
    }
    if (nobodyLeft() || merge() == 0) {
      settle();
    } else if (!waiting) {
      // Two replicas differ. The third may settle it without a read per row: wait a moment.
      waiting = true;
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

  /// That node will hardly answer, so nobody waits a moment longer for it.
  private void onLost(String from) {
    if (over || !collecting || replies.containsKey(from)) {
      return;
    }
    lost.add(from);
    if (nobodyLeft() && covered()) {
      settle();
    }
  }

  private boolean nobodyLeft() {
    return asked.stream().allMatch(id -> replies.containsKey(id) || lost.contains(id));
  }

  /// Sorts the rows seen so far into agreed and doubtful ones, and says how many are doubtful.
  private int merge() {
    merged.clear();
    doubtful.clear();
    bare = 0;
    bound = null;
    more = false;
    for (Message.ScanReply reply : replies.values()) {
      if (reply.more()) {
        more = true;
        Key last = reply.rows().getLast().key();
        bound = bound == null || last.compareTo(bound) < 0 ? last : bound;
      }
    }
    TreeMap<Key, TreeMap<String, Message.ScanRow>> seen = new TreeMap<>();
    for (var reply : replies.entrySet()) {
      for (Message.ScanRow row : reply.getValue().rows()) {
        if (bound == null || row.key().compareTo(bound) <= 0) {
          seen.computeIfAbsent(row.key(), _ -> new TreeMap<>()).put(reply.getKey(), row);
        }
      }
    }
    seen.forEach(this::judge);
    return doubtful.size();
  }

  /// Whether every partition has a quorum among those that replied.
  private boolean covered() {
    for (Replicas each : reach) {
      if (!node.rules().quorum(each, replies.keySet())) {
        return false;
      }
    }
    return true;
  }

  /// Takes the row in if a quorum agrees on it, leaves it out if one agrees that there is none, and
  /// else calls it doubtful.
  private void judge(Key key, TreeMap<String, Message.ScanRow> rows) {
    if (key.equals(Key.LAYOUT)) {
      return;
    }
    Replicas replicas = layout.replicas(key);
    TreeMap<Ballot, TreeSet<String>> votes = new TreeMap<>();
    for (String id : replies.keySet()) {
      Message.ScanRow row = rows.get(id);
      votes
          .computeIfAbsent(row == null ? Ballot.ZERO : row.accepted(), _ -> new TreeSet<>())
          .add(id);
    }
    for (var vote : votes.entrySet()) {
      if (!node.rules().readQuorum(replicas, vote.getValue())) {
        continue;
      }
      if (vote.getKey().equals(Ballot.ZERO)) {
        return;
      }
      for (Message.ScanRow row : rows.values()) {
        if (row.accepted().equals(vote.getKey()) && (row.body() != null || !row.exists())) {
          if (row.body() != null) {
            merged.put(key, new Answer.Row(key, row.version(), row.body(), row.expiresAtMillis()));
          }
          return;
        }
      }
      bare++;
    }
    doubtful.add(key);
  }

  private void settle() {
    merge();
    node.endCall(call);
    if (bare > PARALLEL_READS && !allSend) {
      allSend = true; // The first replica of these rows has only just fallen silent.
      chunk();
      return;
    }
    collecting = false;
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
      case Answer.Found(var version, var body, var expires) ->
          merged.put(key, new Answer.Row(key, version, body, expires));
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
