package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One linearizable read.
///
/// As few replicas as make a quorum are asked first, this node before others and healthy ones
/// before silent ones; the rest only if one is slow, is lost, or they differ. A quorum that reports
/// the same accepted ballot holds a chosen value: answer it, one round trip. Otherwise help the
/// highest value seen along by replaying its Accept, under its own ballot, to those that lag; if
/// even that is refused, run an identity round through the key's queue.
///
/// A replay asks for no promise of a next ballot, so that no answer to it can be taken for one.
final class ReadRound {

  private final NodeCore node;
  private final Key key;
  private final long deadline;
  private final Consumer<Answer.OfRead> done;
  private final Replicas replicas;
  private final Message.Scope scope;
  private final TreeMap<String, Long> askedAt = new TreeMap<>();
  private final TreeMap<String, Message.ReadReply> replies = new TreeMap<>();
  private final TreeSet<String> holders = new TreeSet<>();
  private final TreeSet<String> lost = new TreeSet<>();
  private long call;
  private @Nullable Versioned replayed;
  private Alarms.@Nullable Alarm alarm;
  private boolean over;
  private long version;

  ReadRound(NodeCore node, Key key, long deadline, Consumer<Answer.OfRead> done) {
    this.node = node;
    this.key = key;
    this.deadline = deadline;
    this.done = done;
    this.replicas = node.replicas(key);
    this.scope = node.scope();
  }

  void start() {
    call = node.newCall(this::onReadReply, this::onLost, this::onBroken);
    List<String> order = order();
    long longest = 0;
    String teller = order.getFirst();
    for (String id : order) {
      if (node.rules().readQuorum(replicas, askedAt.keySet())) {
        break;
      }
      askedAt.put(id, node.now());
      if (!id.equals(node.self())) {
        longest = Math.max(longest, node.peer(id).hedgeDelay(node.timing()));
      }
    }
    if (askedAt.size() < replicas.all().size()) {
      ring(longest, this::askTheRest);
    } else {
      ring(node.timing().phase().toNanos(), this::identity);
    }
    // Sending to oneself is answered at once, so all asking comes after the alarm.
    for (String id : List.copyOf(askedAt.keySet())) {
      node.send(id, new Message.Read(scope, call, key, id.equals(teller)));
    }
  }

  /// The version that was read, that of a tombstone as well; 0 if there is none, or if it took a
  /// round through the key's queue to read it.
  long version() {
    return version;
  }

  /// This node, then the healthy replicas in placement order, then the others.
  private List<String> order() {
    List<String> order = new ArrayList<>();
    List<String> silent = new ArrayList<>();
    for (String id : node.layout().placement(key)) {
      if (id.equals(node.self())) {
        order.addFirst(id);
      } else if (node.peer(id).healthy(node.now(), node.timing())) {
        order.add(id);
      } else {
        silent.add(id);
      }
    }
    order.addAll(silent);
    return order;
  }

  private void askTheRest() {
    ring(node.timing().phase().toNanos(), this::identity);
    for (String id : replicas.all()) {
      if (askedAt.putIfAbsent(id, node.now()) == null) {
        node.send(id, new Message.Read(scope, call, key, false));
      }
    }
  }

  private void onReadReply(String from, Message.Reply reply) {
    if (!(reply instanceof Message.ReadReply read)) {
      onLost(from);
      return;
    }
    if (!from.equals(node.self())) {
      node.peer(from).measured(node.now() - askedAt.getOrDefault(from, node.now()));
    }
    replies.put(from, read);
    lost.remove(from);
    judge();
  }

  /// Goes on if those that replied are a quorum.
  private void judge() {
    if (!node.rules().quorum(replicas, replies.keySet())
        && !node.rules().readQuorum(replicas, replies.keySet())) {
      return;
    }
    TreeMap<Ballot, TreeSet<String>> votes = new TreeMap<>();
    for (var each : replies.entrySet()) {
      votes.computeIfAbsent(each.getValue().accepted(), _ -> new TreeSet<>()).add(each.getKey());
    }
    for (var vote : votes.entrySet()) {
      if (node.rules().readQuorum(replicas, vote.getValue())) {
        answerAgreed(vote.getKey());
        return;
      }
    }
    if (askedAt.size() < replicas.all().size()) {
      askTheRest(); // Asking one more is cheaper than writing.
    }
    if (replies.size() + lost.size() >= askedAt.size()) {
      helpAlong(votes.lastKey());
    } else {
      ring(patience(), () -> helpAlong(votes.lastKey()));
    }
  }

  /// How long to wait for those that may still settle it without a write: as long as they usually
  /// take, if they seem to be there.
  private long patience() {
    long patience = node.timing().minHedge().toNanos() / 2;
    for (String id : node.healthyPeers()) {
      if (askedAt.containsKey(id) && !replies.containsKey(id) && !lost.contains(id)) {
        patience = Math.max(patience, node.peer(id).hedgeDelay(node.timing()));
      }
    }
    return patience;
  }

  private void answerAgreed(Ballot agreed) {
    if (agreed.equals(Ballot.ZERO)) {
      finish(new Answer.Absent());
      return;
    }
    Versioned value = bodyOf(agreed);
    if (value == null) {
      identity(); // A quorum holds it, but not the one that was asked for it: that repairs it, too.
    } else {
      version = value.version();
      finish(found(value));
    }
  }

  private static Answer.OfRead found(Versioned value) {
    return value.body() == null
        ? new Answer.Absent()
        : new Answer.Found(value.version(), value.body(), value.expiresAtMillis());
  }

  private @Nullable Versioned bodyOf(Ballot ballot) {
    for (Message.ReadReply each : replies.values()) {
      if (each.accepted().equals(ballot) && each.value() != null) {
        return each.value();
      }
    }
    return null;
  }

  private void helpAlong(Ballot highest) {
    Versioned value = bodyOf(highest);
    if (value == null) {
      identity();
      return;
    }
    if (!node.rules().completesReads()) {
      finish(found(value));
      return;
    }
    node.counters().replays++;
    replayed = value;
    node.endCall(call);
    lost.clear();
    for (var each : replies.entrySet()) {
      if (each.getValue().accepted().equals(highest)) {
        holders.add(each.getKey());
      }
    }
    call = node.newCall(this::onReplayReply, this::onLost, this::onBroken);
    ring(node.timing().phase().toNanos(), this::identity);
    for (String id : replicas.all()) {
      if (!holders.contains(id)) {
        node.send(id, new Message.Accept(scope, call, key, highest, value, Ballot.ZERO));
      }
    }
  }

  private void onReplayReply(String from, Message.Reply reply) {
    if (!(reply instanceof Message.Accepted)) {
      if (reply instanceof Message.Nack(_, var promised)) {
        node.observe(promised.counter());
      }
      identity();
      return;
    }
    holders.add(from);
    Versioned value = replayed;
    if (value != null && node.rules().readQuorum(replicas, holders)) {
      version = value.version();
      finish(found(value));
    }
  }

  private void onLost(String from) {
    lost.add(from);
    if (replayed == null) {
      if (askedAt.size() < replicas.all().size()) {
        askTheRest();
      }
      judge();
    }
    if (!node.stillPossible(replicas, lost)) {
      identity();
    }
  }

  /// What that node was asked counts as lost if it has not answered. It may have been heard all the
  /// same: asking another, or writing, is safe at any time.
  private void onBroken(String to) {
    boolean waits =
        replayed == null
            ? askedAt.containsKey(to) && !replies.containsKey(to)
            : replicas.all().contains(to) && !holders.contains(to);
    if (waits) {
      onLost(to);
    }
  }

  private void ring(long nanos, Runnable action) {
    silence();
    alarm = node.in(nanos, action);
  }

  private void silence() {
    if (alarm != null) {
      alarm.cancel();
      alarm = null;
    }
  }

  private void identity() {
    if (over) {
      return;
    }
    over = true;
    silence();
    node.endCall(call);
    node.counters().identities++;
    node.queue(key)
        .submit(
            new KeyQueue.Attempt(null, deadline, answer -> done.accept((Answer.OfRead) answer)));
  }

  private void finish(Answer.OfRead answer) {
    if (!over) {
      over = true;
      silence();
      node.endCall(call);
      done.accept(answer);
    }
  }
}
