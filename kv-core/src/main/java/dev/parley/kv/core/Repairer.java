package dev.parley.kv.core;

import java.util.ArrayDeque;
import java.util.List;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Anti-entropy: compares what this node holds with one peer after the other, and brings both up to
/// date, so that a node that was away catches up without anybody reading.
///
/// Two nodes compare one hash for every partition, then the leaves of those that differ, then the
/// keys of the leaves that differ: a Merkle tree [1] of two levels. What one has accepted and the
/// other has not is sent again as the very Accept it once was, without asking for a promise. The
/// replica's own promises decide whether it takes it, as if the network had been slow; if it does
/// not, because it promised more or forgot its promises in a restart, the key gets a new ballot.
///
/// Partitions that are moving are left to the [Mover].
///
/// 1. Merkle: A Digital Signature Based on a Conventional Encryption Function, 1987. As in
///    Dynamo (DeCandia and others, 2007, section 4.7).
final class Repairer {

  /// Partitions looked into in one round, leaves of all of them, and keys repaired.
  private static final int PARTITIONS = 16;

  private static final int LEAVES = 128;
  private static final int KEYS = 1024;

  /// Repairs under way at once, next to what clients want.
  private static final int IN_FLIGHT = 16;

  private static final int PAGE = 256;

  /// After a round with this many repairs there is probably more, and the next one comes soon.
  private static final int MANY = 64;

  private record Leaf(int partition, int number, @Nullable Key after) {}

  /// One key on which the two differ.
  private record Difference(Key key, Ballot mine, Ballot theirs) {}

  /// The last look at a peer.
  ///
  /// @param boot the start of the peer that was looked at
  /// @param roots its hashes of all partitions
  /// @param differed the partitions in which the two differed
  /// @param lagging how many of them stood still since the look before, or -1 if there was none to
  ///     tell that
  private record Comparison(long boot, long[] roots, TreeSet<Integer> differed, int lagging) {}

  private final NodeCore node;
  private final TreeMap<String, Comparison> compared = new TreeMap<>();
  private final ArrayDeque<Integer> partitions = new ArrayDeque<>();
  private final ArrayDeque<Leaf> leaves = new ArrayDeque<>();
  private final ArrayDeque<Difference> differences = new ArrayDeque<>();
  private final TreeSet<Long> repairCalls = new TreeSet<>();
  private String peer = "";
  private int offset;
  private int leavesLeft;
  private int keysLeft;
  private int inFlight;
  private int repaired;
  private long epoch;
  private long round;
  private long call;

  Repairer(NodeCore node) {
    this.node = node;
  }

  void start() {
    node.in(node.timing().repair().toNanos(), this::begin);
  }

  /// In how many partitions the two differ and stand still, or empty if that is not known: what a
  /// peer held before its last start says nothing of what it holds now.
  OptionalInt behind(String id) {
    Comparison last = compared.get(id);
    if (last == null || last.lagging() < 0 || node.layout().member(id) == null) {
      return OptionalInt.empty();
    }
    Peer now = node.peer(id);
    return now.boot() == last.boot() && now.healthy(node.now(), node.timing())
        ? OptionalInt.of(last.lagging())
        : OptionalInt.empty();
  }

  /// A round with the next peer.
  private void begin() {
    compared.keySet().retainAll(node.layout().ids());
    partitions.clear();
    leaves.clear();
    differences.clear();
    inFlight = 0;
    repaired = 0;
    leavesLeft = LEAVES;
    keysLeft = KEYS;
    round++;
    epoch = node.epoch();
    String next = node.waitsFor().isPresent() ? null : nextPeer();
    if (next == null) {
      node.in(node.timing().repair().toNanos(), this::begin);
      return;
    }
    peer = next;
    long mine = round;
    // A round that got stuck is given up; the next one finds what it left.
    node.in(node.timing().operation().toNanos(), () -> end(mine));
    ask(new Message.Digest(node.scope(), newCall(mine, this::onRoots), -1));
  }

  private @Nullable String nextPeer() {
    String first = null;
    for (String id : node.healthyPeers()) {
      if (!shared(id).isEmpty()) {
        first = first == null ? id : first;
        if (id.compareTo(peer) > 0) {
          return id;
        }
      }
    }
    return first;
  }

  /// The numbers, within their group, of the partitions that both hold and that are not moving.
  private TreeSet<Integer> shared(String id) {
    TreeSet<Integer> shared = new TreeSet<>();
    List<Replicas> all = node.layout().partitions();
    for (int i = 0; i < all.size(); i++) {
      Replicas each = all.get(i);
      if (!each.joint() && each.all().contains(id) && each.all().contains(node.self())) {
        shared.add(i % Layout.PARTITIONS);
      }
    }
    return shared;
  }

  private void ask(Message message) {
    node.send(peer, message);
  }

  private long newCall(long mine, Consumer<Message.Reply> then) {
    node.endCall(call);
    call =
        node.newCall(
            (_, reply) -> {
              if (current(mine)) {
                node.endCall(call);
                then.accept(reply);
              }
            },
            _ -> end(mine));
    return call;
  }

  private boolean current(long mine) {
    return round == mine && epoch == node.epoch();
  }

  private void onRoots(Message.Reply reply) {
    if (!(reply instanceof Message.DigestReply(_, var theirs))
        || theirs.length != Layout.PARTITIONS) {
      end(round);
      return;
    }
    long[] mine = node.acceptor().digest(-1);
    long boot = node.peer(peer).boot();
    Comparison before = compared.get(peer);
    if (before != null && before.boot() != boot) {
      before = null; // What it held before it started again says nothing.
    }
    TreeSet<Integer> differ = new TreeSet<>();
    int lagging = 0;
    for (int partition : shared(peer)) {
      if (mine[partition] != theirs[partition]) {
        differ.add(partition);
        // A busy partition always differs a little. One that differs and stands still lags.
        boolean still =
            before != null
                && before.differed().contains(partition)
                && before.roots()[partition] == theirs[partition];
        lagging += still ? 1 : 0;
      }
    }
    boolean told = before != null || differ.isEmpty();
    compared.put(peer, new Comparison(boot, theirs, differ, told ? lagging : -1));
    // Begin somewhere else each time, so that what cannot be repaired does not hold up the rest.
    offset = (offset + PARTITIONS) % Layout.PARTITIONS;
    partitions.addAll(differ.tailSet(offset));
    partitions.addAll(differ.headSet(offset));
    while (partitions.size() > PARTITIONS) {
      partitions.removeLast();
    }
    next();
  }

  private void next() {
    if (!current(round)) {
      end(round);
      return;
    }
    repairSome();
    if (inFlight > 0 || !differences.isEmpty()) {
      return;
    }
    Leaf leaf = leaves.poll();
    if (leaf != null && keysLeft > 0) {
      ask(
          new Message.Rows(
              node.scope(),
              newCall(round, reply -> onRows(leaf, reply)),
              leaf.partition(),
              leaf.number(),
              leaf.after(),
              PAGE));
      return;
    }
    Integer partition = partitions.poll();
    if (partition != null && leavesLeft > 0 && keysLeft > 0) {
      ask(
          new Message.Digest(
              node.scope(), newCall(round, reply -> onLeaves(partition, reply)), partition));
      return;
    }
    end(round);
  }

  private void onLeaves(int partition, Message.Reply reply) {
    if (reply instanceof Message.DigestReply(_, var theirs) && theirs.length == Acceptor.LEAVES) {
      long[] mine = node.acceptor().digest(partition);
      for (int leaf = 0; leaf < theirs.length && leavesLeft > 0; leaf++) {
        if (mine[leaf] != theirs[leaf]) {
          leaves.add(new Leaf(partition, leaf, null));
          leavesLeft--;
        }
      }
    }
    next();
  }

  private void onRows(Leaf leaf, Message.Reply reply) {
    if (!(reply instanceof Message.ScanReply theirs)) {
      end(round);
      return;
    }
    Message.ScanReply mine =
        (Message.ScanReply)
            node.acceptor()
                .rows(
                    new Message.Rows(
                        node.scope(), 0, leaf.partition(), leaf.number(), leaf.after(), PAGE))
                .message();
    Key bound = earlier(end(theirs), end(mine));
    TreeMap<Key, Ballot> ours = ballots(mine, bound);
    TreeMap<Key, Ballot> others = ballots(theirs, bound);
    TreeSet<Key> keys = new TreeSet<>(ours.keySet());
    keys.addAll(others.keySet());
    for (Key key : keys) {
      Ballot here = ours.getOrDefault(key, Ballot.ZERO);
      Ballot there = others.getOrDefault(key, Ballot.ZERO);
      if (!here.equals(there) && keysLeft > 0) {
        keysLeft--;
        differences.add(new Difference(key, here, there));
      }
    }
    if (bound != null) {
      leaves.addFirst(new Leaf(leaf.partition(), leaf.number(), bound));
    }
    next();
  }

  /// The last key of a page that is not the last page.
  private static @Nullable Key end(Message.ScanReply page) {
    return page.more() ? page.rows().getLast().key() : null;
  }

  private static @Nullable Key earlier(@Nullable Key a, @Nullable Key b) {
    if (a == null || b == null) {
      return a == null ? b : a;
    }
    return a.compareTo(b) < 0 ? a : b;
  }

  private static TreeMap<Key, Ballot> ballots(Message.ScanReply page, @Nullable Key bound) {
    TreeMap<Key, Ballot> ballots = new TreeMap<>();
    for (Message.ScanRow row : page.rows()) {
      if (bound == null || row.key().compareTo(bound) <= 0) {
        ballots.put(row.key(), row.accepted());
      }
    }
    return ballots;
  }

  private void repairSome() {
    while (inFlight < IN_FLIGHT) {
      Difference difference = differences.poll();
      if (difference == null) {
        return;
      }
      inFlight++;
      new Repair(difference).start();
    }
  }

  private void end(long mine) {
    if (round != mine) {
      return;
    }
    round++;
    node.endCall(call);
    // What was not answered until now is left to a later round.
    repairCalls.forEach(node::endCall);
    repairCalls.clear();
    node.in(
        repaired < MANY ? node.timing().repair().toNanos() : node.timing().minHedge().toNanos(),
        this::begin);
  }

  /// One key on its way to the node that lacks it.
  private final class Repair {
    private final Key key;
    private final boolean toPeer;
    private final long mine = round;
    private long call;

    Repair(Difference difference) {
      this.key = difference.key();
      this.toPeer = difference.mine().compareTo(difference.theirs()) > 0;
    }

    void start() {
      if (toPeer) {
        replay(peer, node.acceptor().accepted(key), node.acceptor().value(key));
        return;
      }
      await(
          reply -> {
            if (reply instanceof Message.ReadReply(_, var accepted, _, var value, _)) {
              replay(node.self(), accepted, value);
            } else {
              done(false);
            }
          });
      ask(new Message.Read(node.scope(), call, key, true));
    }

    private void await(Consumer<Message.Reply> then) {
      stopWaiting();
      call =
          node.newCall(
              (_, reply) -> {
                stopWaiting();
                if (current(mine)) {
                  then.accept(reply);
                }
              },
              _ -> {
                stopWaiting();
                done(false);
              });
      repairCalls.add(call);
    }

    private void stopWaiting() {
      node.endCall(call);
      repairCalls.remove(call);
    }

    private void replay(String to, Ballot ballot, @Nullable Versioned value) {
      if (value == null) {
        done(false); // Purged meanwhile.
        return;
      }
      await(
          reply -> {
            if (reply instanceof Message.Accepted) {
              done(true);
            } else if (reply instanceof Message.Nack) {
              lookAgain(to, ballot);
            } else {
              done(false);
            }
          });
      node.send(to, new Message.Accept(node.scope(), call, key, ballot, value, Ballot.ZERO));
    }

    /// Refused: it has something newer by now, or it needs a new ballot.
    private void lookAgain(String at, Ballot ballot) {
      await(
          reply -> {
            if (reply instanceof Message.ReadReply(_, var accepted, _, _, _)
                && accepted.compareTo(ballot) < 0) {
              node.queue(key)
                  .submit(
                      KeyQueue.Attempt.rewrite(
                          node.now() + node.timing().operation().toNanos(),
                          answer -> done(!(answer instanceof Answer.Unavailable))));
            } else {
              done(false);
            }
          });
      node.send(at, new Message.Read(node.scope(), call, key, false));
    }

    private void done(boolean mended) {
      if (mended) {
        node.counters().repaired++;
      }
      if (current(mine)) {
        inFlight--;
        repaired += mended ? 1 : 0;
        next();
      }
    }
  }
}
