package dev.parley.kv.core;

import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One linearizable read.
///
/// A majority that reports the same accepted ballot holds a chosen value: answer it, one round
/// trip. Otherwise help the highest value seen along by replaying its Accept, under its own ballot,
/// to those that lag; if even that is refused, run an identity round through the key's queue.
final class ReadRound {

  private final NodeCore node;
  private final Key key;
  private final long deadline;
  private final Consumer<Answer.OfRead> done;
  private final TreeMap<String, Message.ReadReply> replies = new TreeMap<>();
  private final TreeSet<String> holders = new TreeSet<>();
  private final TreeSet<String> lost = new TreeSet<>();
  private long call;
  private @Nullable Versioned replayed;
  private Ballot replayedBallot = Ballot.ZERO;
  private NodeCore.@Nullable Alarm alarm;
  private boolean over;

  ReadRound(NodeCore node, Key key, long deadline, Consumer<Answer.OfRead> done) {
    this.node = node;
    this.key = key;
    this.deadline = deadline;
    this.done = done;
  }

  void start() {
    call = node.newCall(this::onReadReply, this::onLost);
    ring();
    for (String member : node.members().ids()) {
      boolean body = member.equals(node.self());
      node.send(member, new Message.Read(node.scope(), call, key, body));
    }
  }

  private void onReadReply(String from, Message.Reply reply) {
    if (!(reply instanceof Message.ReadReply read)) {
      onLost(from);
      return;
    }
    replies.put(from, read);
    if (replies.size() < node.majority()) {
      return;
    }
    TreeMap<Ballot, Integer> votes = new TreeMap<>();
    for (Message.ReadReply each : replies.values()) {
      votes.merge(each.accepted(), 1, Integer::sum);
    }
    for (var vote : votes.entrySet()) {
      if (vote.getValue() >= node.rules().readQuorum(node.members().size())) {
        answerAgreed(vote.getKey());
        return;
      }
    }
    helpAlong(votes.lastKey());
  }

  private void answerAgreed(Ballot agreed) {
    if (agreed.equals(Ballot.ZERO)) {
      finish(new Answer.Absent());
      return;
    }
    Versioned value = bodyOf(agreed);
    if (value == null) {
      identity(); // The majority holds it, this node does not: that repairs it, too.
    } else {
      finish(value.body() == null ? new Answer.Absent() : found(value));
    }
  }

  private static Answer.OfRead found(Versioned value) {
    return value.body() == null
        ? new Answer.Absent()
        : new Answer.Found(value.version(), value.body());
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
    replayedBallot = highest;
    node.endCall(call);
    lost.clear();
    for (var each : replies.entrySet()) {
      if (each.getValue().accepted().equals(highest)) {
        holders.add(each.getKey());
      }
    }
    call = node.newCall(this::onReplayReply, this::onLost);
    ring();
    for (String member : node.members().ids()) {
      if (!holders.contains(member)) {
        node.send(member, new Message.Accept(node.scope(), call, key, replayedBallot, value));
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
    if (value != null && holders.size() >= node.majority()) {
      finish(found(value));
    }
  }

  private void onLost(String from) {
    lost.add(from);
    if (lost.size() > node.members().size() - node.majority()) {
      identity();
    }
  }

  private void ring() {
    silence();
    alarm = node.in(node.timing().phase().toNanos(), this::identity);
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
