package dev.parley.kv.core;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The coordinator of one key on this node: one ballot at a time, all waiting operations in it.
///
/// ```
///            +-------- lost the ballot, or no majority in time: pause, new ballot --------+
///            v                                                                            |
///   Idle -> Preparing --majority--> apply the operations to the highest accepted value    |
///                                     |-- something changed --> Accepting --majority--> answers
///                                     |-- nothing changed, all promises equal ---------> answers
///                                     `-- nothing changed, not all equal --> Accepting the same
///                                                             value again (identity), answers
/// ```
///
/// Nothing is answered from a value that is not known to be chosen. A ballot is never used twice,
/// whatever became of it. An operation that was in an Accept may have taken effect, so a later
/// ballot looks for its id in the value's memory before applying it again.
final class KeyQueue {

  /// Most operations in one ballot, and most bytes of new bodies.
  private static final int BATCH = 32;

  private static final int BATCH_BYTES = 2 << 20;

  /// One mutation or (mutation null) read that waits to be decided here.
  static final class Attempt {
    final @Nullable Mutation mutation;
    final long deadline;
    final Consumer<Answer> done;
    long base;
    boolean proposed;
    boolean finished;
    NodeCore.@Nullable Alarm expiry;

    Attempt(@Nullable Mutation mutation, long deadline, Consumer<Answer> done) {
      this.mutation = mutation;
      this.base = mutation == null ? Mutation.NO_BASE : mutation.base();
      this.deadline = deadline;
      this.done = done;
    }

    void finish(Answer answer) {
      if (!finished) {
        finished = true;
        if (expiry != null) {
          expiry.cancel();
        }
        done.accept(answer);
      }
    }
  }

  private enum Phase {
    IDLE,
    PREPARING,
    ACCEPTING,
    RESTING
  }

  private record Decided(Attempt attempt, Answer answer) {}

  private final NodeCore node;
  private final Key key;
  private final ArrayDeque<Attempt> waiting = new ArrayDeque<>();
  private final List<Attempt> batch = new ArrayList<>();
  private final TreeMap<String, Message.Promise> promises = new TreeMap<>();
  private final TreeSet<String> accepted = new TreeSet<>();
  private final TreeSet<String> lost = new TreeSet<>();
  private List<Decided> decided = List.of();
  private Phase phase = Phase.IDLE;
  private Ballot ballot = Ballot.ZERO;
  private long call;
  private NodeCore.@Nullable Alarm alarm;
  private int losses;

  KeyQueue(NodeCore node, Key key) {
    this.node = node;
    this.key = key;
  }

  int size() {
    return waiting.size() + batch.size();
  }

  void submit(Attempt attempt) {
    waiting.add(attempt);
    attempt.expiry = node.at(attempt.deadline, () -> expire(attempt));
    if (phase == Phase.IDLE) {
      prepare();
    }
  }

  private void expire(Attempt attempt) {
    if (attempt.finished) {
      return;
    }
    String reason = "no majority of the nodes answered in time";
    if (attempt.mutation == null) {
      attempt.finish(new Answer.Unavailable(reason));
    } else if (attempt.proposed) {
      attempt.finish(new Answer.Unknown(reason));
    } else {
      attempt.finish(new Answer.NotApplied(reason));
    }
  }

  private void prepare() {
    batch.removeIf(attempt -> attempt.finished);
    int bytes = 0;
    for (Attempt attempt : batch) {
      bytes += weight(attempt);
    }
    while (!waiting.isEmpty() && batch.size() < BATCH && bytes < BATCH_BYTES) {
      Attempt next = waiting.remove();
      if (!next.finished) {
        batch.add(next);
        bytes += weight(next);
      }
    }
    if (batch.isEmpty()) {
      phase = Phase.IDLE;
      silence();
      node.closed(key, this);
      return;
    }
    if (node.rules().reusesBallots() && promises.size() >= node.majority()) {
      decide();
      return;
    }
    phase = Phase.PREPARING;
    ballot = node.nextBallot(BATCH);
    promises.clear();
    beginPhase();
    node.sendAll(new Message.Prepare(node.scope(), call, key, ballot));
  }

  private static int weight(Attempt attempt) {
    return attempt.mutation == null || attempt.mutation.body() == null
        ? 0
        : attempt.mutation.body().length;
  }

  private void beginPhase() {
    node.endCall(call);
    lost.clear();
    accepted.clear();
    call = node.newCall(this::onReply, this::onLost);
    ring(node.timing().phase().toNanos(), this::lose);
  }

  /// Replaces the one alarm this queue has.
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

  private void onReply(String from, Message.Reply reply) {
    switch (reply) {
      case Message.Promise promise when phase == Phase.PREPARING -> {
        promises.put(from, promise);
        if (promises.size() == node.majority()) {
          decide();
        }
      }
      case Message.Accepted _ when phase == Phase.ACCEPTING -> {
        accepted.add(from);
        if (accepted.size() == node.majority()) {
          finish();
        }
      }
      case Message.Nack(_, var promised) -> {
        node.observe(promised.counter());
        onLost(from);
      }
      case Message.Stale(_, var epoch) -> {
        node.observeEpoch(epoch);
        onLost(from);
      }
      default -> {}
    }
  }

  private void onLost(String from) {
    lost.add(from);
    if (lost.size() > node.members().size() - node.majority()) {
      lose();
    }
  }

  /// This ballot is over. Its number is not used again, though its value may still be chosen.
  private void lose() {
    node.endCall(call);
    node.counters().conflicts++;
    losses++;
    phase = Phase.RESTING;
    ring(node.jitter(losses), this::prepare);
  }

  private void decide() {
    batch.removeIf(attempt -> attempt.finished);
    Message.Promise highest = null;
    long floor = 0;
    int withRoom = 0;
    for (Message.Promise promise : promises.values()) {
      if (highest == null || promise.accepted().compareTo(highest.accepted()) > 0) {
        highest = promise;
      }
      floor = Math.max(floor, promise.floor());
      withRoom += promise.full() ? 0 : 1;
    }
    Versioned before = highest == null ? null : highest.value();
    Ballot beforeBallot = highest == null ? Ballot.ZERO : highest.accepted();
    long above = Math.max(floor, before == null ? 0 : before.version());
    for (Attempt attempt : batch) {
      if (!baseIsCondition(attempt)) {
        above = Math.max(above, attempt.base);
      }
    }
    if (ballot.counter() <= above) {
      // A version made under this ballot would not lie above every base. Begin again higher.
      node.observe(above);
      lose();
      return;
    }

    Versioned value = before;
    List<Decided> answers = new ArrayList<>();
    boolean room = withRoom >= node.majority();
    boolean unburied = false;
    for (Attempt attempt : batch) {
      Mutation mutation = attempt.mutation;
      if (mutation == null) {
        answers.add(new Decided(attempt, read(value)));
        continue;
      }
      if (attempt.base == Mutation.NO_BASE) {
        attempt.base = Math.max(floor, value == null ? 0 : value.version());
      }
      Answer.OfWrite refused = refusal(value, mutation, attempt.base, floor);
      if (refused == null && !room && mutation.body() != null && !attempt.proposed) {
        refused = new Answer.NoRoom();
      }
      if (refused != null) {
        if (attempt.proposed && !(refused instanceof Answer.Applied)) {
          unburied = true;
          refused = afterProposal(refused, value);
        }
        answers.add(new Decided(attempt, refused));
        continue;
      }
      boolean existed = value != null && value.exists();
      long version = node.rules().nextVersion(ballot, value == null ? 0 : value.version(), floor);
      node.observe(version);
      value = node.rules().after(value, mutation, version, floor);
      attempt.proposed = true;
      answers.add(new Decided(attempt, new Answer.Applied(version, existed)));
    }
    decided = answers;
    boolean changed = value != before;
    if (!changed) {
      List<Ballot> seen = promises.values().stream().map(Message.Promise::accepted).toList();
      if (beforeBallot.equals(Ballot.ZERO) || (node.rules().known(seen) && !unburied)) {
        finish();
        return;
      }
    }
    if (value == null) {
      throw new IllegalStateException("nothing to accept for " + key);
    }
    phase = Phase.ACCEPTING;
    beginPhase();
    node.sendAll(new Message.Accept(node.scope(), call, key, ballot, value));
  }

  /// Whether the operation's base is the very version it demands. Such an operation only ever
  /// creates a version above its base, whatever the ballot; so a made-up one need not, and must
  /// not, drive the ballots up.
  private static boolean baseIsCondition(Attempt attempt) {
    return attempt.mutation != null
        && attempt.mutation.condition() instanceof Precondition.At(var version)
        && version == attempt.base;
  }

  /// What a refusal means for an operation that was in an Accept before. One acceptor may still
  /// hold it, and a later ballot might find it there and complete it, unless this ballot gets
  /// something accepted above it; of a key without a record there is nothing to get accepted. And
  /// if the key's memory is too short, it may have been completed already.
  private static Answer.OfWrite afterProposal(Answer.OfWrite refused, @Nullable Versioned current) {
    return current == null || refused instanceof Answer.Forgotten
        ? new Answer.Unknown("the write was proposed, and what became of it is not known")
        : refused;
  }

  private static Answer.OfRead read(@Nullable Versioned value) {
    return value == null || value.body() == null
        ? new Answer.Absent()
        : new Answer.Found(value.version(), value.body());
  }

  /// Why the mutation does not change `current`, or null if it does.
  private Answer.@Nullable OfWrite refusal(
      @Nullable Versioned current, Mutation mutation, long base, long floor) {
    Versioned.Trace done = node.rules().remembered(current, mutation.op());
    if (done != null) {
      return new Answer.Applied(done.version(), done.existed());
    }
    if (!node.rules().memoryReaches(base, current == null ? floor : current.windowStart())) {
      return new Answer.Forgotten();
    }
    if (!mutation.condition().holds(current)) {
      return new Answer.Conflict(current != null && current.exists() ? current.version() : 0);
    }
    if (mutation.body() == null && (current == null || !current.exists())) {
      return new Answer.Missing();
    }
    return null;
  }

  private void finish() {
    node.endCall(call);
    losses = 0;
    batch.clear();
    promises.clear();
    List<Decided> answers = decided;
    decided = List.of();
    node.counters().rounds++;
    // Answer before beginning the next ballot: answers may submit again.
    phase = Phase.RESTING;
    for (Decided each : answers) {
      each.attempt().finish(each.answer());
    }
    prepare();
  }
}
