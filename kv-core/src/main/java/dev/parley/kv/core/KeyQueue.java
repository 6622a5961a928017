package dev.parley.kv.core;

import java.time.Duration;
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
///            +-------- lost the ballot, or no quorum in time: pause, new ballot ----------+
///            v                                                                            |
///   Idle -> Preparing ---quorum---> apply the operations to the highest accepted value    |
///    |                                |-- something changed --> Accepting ---quorum---> answers
///    |                                |-- nothing changed, all promises equal ---------> answers
///    |                                `-- nothing changed, not all equal --> Accepting the same
///    |                                        value again (identity), answers
///    `-- the last Accept was promised the next ballot by a quorum, too: warm, straight to "apply"
/// ```
///
/// Nothing is answered from a value that is not known to be chosen; a warm ballot knows only what
/// was chosen last by this node, so it always ends in an Accept. A ballot is never used twice,
/// whatever became of it. An operation that was in an Accept may have taken effect, so a later
/// ballot looks for its id in the value's memory before applying it again.
final class KeyQueue {

  /// Most operations in one ballot, and most bytes of new bodies.
  private static final int BATCH = 32;

  private static final int BATCH_BYTES = 2 << 20;

  /// Values beyond this take their time on the way.
  private static final int LARGE = 64 << 10;

  /// One mutation or (mutation null) read, purge or rewrite that waits to be decided here.
  static final class Attempt {
    final @Nullable Mutation mutation;
    final boolean purge;
    final boolean rewrite;
    final long deadline;
    final Consumer<Answer> done;
    long base;

    /// It may be in an Accept of a ballot that is over, of this queue or of a node that is gone.
    boolean proposed;

    boolean finished;
    Alarms.@Nullable Alarm expiry;

    Attempt(@Nullable Mutation mutation, long deadline, Consumer<Answer> done) {
      this(mutation, false, false, deadline, done);
    }

    private Attempt(
        @Nullable Mutation mutation,
        boolean purge,
        boolean rewrite,
        long deadline,
        Consumer<Answer> done) {
      this.mutation = mutation;
      this.purge = purge;
      this.rewrite = rewrite;
      this.base = mutation == null ? Mutation.NO_BASE : mutation.base();
      this.deadline = deadline;
      this.done = done;
    }

    /// Has the key's tombstone forgotten by all replicas, if all are there to do so.
    static Attempt purge(long deadline) {
      return new Attempt(null, true, false, deadline, _ -> {});
    }

    /// Has the key's value, if it has one, accepted again under a ballot of the present epoch, even
    /// if all promises agree on it: that is how it comes to new replicas.
    static Attempt rewrite(long deadline, Consumer<Answer> done) {
      return new Attempt(null, false, true, deadline, done);
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

  /// What the operations of a ballot are applied to.
  ///
  /// @param ballot the one under which `value` was accepted
  /// @param chosen whether `value` is known to be chosen
  record Basis(@Nullable Versioned value, Ballot ballot, long floor, boolean chosen) {}

  /// The right to use `next` without asking for it again, once.
  record Warm(Ballot next, long epoch, Basis basis) {}

  private final NodeCore node;
  private final Key key;
  private final ArrayDeque<Attempt> waiting = new ArrayDeque<>();
  private final List<Attempt> batch = new ArrayList<>();
  private final TreeMap<String, Message.Promise> promises = new TreeMap<>();
  private final TreeSet<String> accepted = new TreeSet<>();
  private final TreeSet<String> promisedNext = new TreeSet<>();
  private final TreeSet<String> lost = new TreeSet<>();
  private List<Decided> decided = List.of();
  private Phase phase = Phase.IDLE;
  private Replicas replicas;
  private long epoch;
  private Ballot ballot = Ballot.ZERO;
  private Ballot next = Ballot.ZERO;
  private Ballot known = Ballot.ZERO;
  private @Nullable Versioned knownValue;
  private @Nullable Versioned proposal;
  private long floor;
  private boolean purging;
  private long call;
  private long phaseEnds;
  private Alarms.@Nullable Alarm alarm;
  private int losses;
  private int timeouts;

  KeyQueue(NodeCore node, Key key) {
    this.node = node;
    this.key = key;
    this.replicas = node.replicas(key);
  }

  int size() {
    return waiting.size() + batch.size();
  }

  void submit(Attempt attempt) {
    waiting.add(attempt);
    attempt.expiry = node.at(attempt.deadline, () -> expire(attempt));
    if (phase == Phase.IDLE) {
      begin();
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

  /// The next ballot, or rest if nothing waits.
  private void begin() {
    batch.removeIf(attempt -> attempt.finished);
    int bytes = 0;
    for (Attempt attempt : batch) {
      bytes += weight(attempt);
    }
    while (!waiting.isEmpty()
        && batch.size() < BATCH
        && bytes < BATCH_BYTES
        && (batch.isEmpty() || !(waiting.peek().purge || batch.getLast().purge))) {
      Attempt attempt = waiting.remove();
      if (!attempt.finished) {
        batch.add(attempt);
        bytes += weight(attempt);
      }
    }
    if (batch.isEmpty()) {
      phase = Phase.IDLE;
      silence();
      node.rests(key);
      return;
    }
    if (node.rules().reusesBallots() && node.rules().quorum(replicas, promises.keySet())) {
      promised();
      return;
    }
    replicas = node.replicas(key);
    Warm right = node.acceptor().takeWarm(key);
    long highestBase = 0;
    for (Attempt attempt : batch) {
      highestBase = baseIsCondition(attempt) ? highestBase : Math.max(highestBase, attempt.base);
    }
    node.observe(highestBase); // What is created must lie above every base.
    if (right != null && right.epoch() == node.epoch() && right.next().counter() > highestBase) {
      epoch = right.epoch();
      ballot = right.next();
      node.counters().warm++;
      apply(right.basis(), true);
      return;
    }
    epoch = node.epoch();
    phase = Phase.PREPARING;
    ballot = node.nextBallot(BATCH);
    promises.clear();
    known = node.acceptor().accepted(key);
    knownValue = node.acceptor().value(key);
    proposal = null;
    beginPhase();
    sendAll(new Message.Prepare(node.scope(), call, key, ballot, known));
  }

  private static int weight(Attempt attempt) {
    return attempt.mutation == null || attempt.mutation.body() == null
        ? 0
        : attempt.mutation.body().length;
  }

  private void sendAll(Message message) {
    for (String id : replicas.all()) {
      node.send(id, message);
    }
  }

  private void beginPhase() {
    node.endCall(call);
    lost.clear();
    accepted.clear();
    promisedNext.clear();
    call = node.newCall(this::onReply, this::onLost);
    // Large values on a busy network may need longer than a phase: each silence doubles it.
    Versioned heavy = proposal == null ? knownValue : proposal;
    boolean large = heavy != null && heavy.weight() > LARGE;
    Duration patience =
        purging
            ? node.timing().minHedge() // Nobody may have to wait for a purge.
            : node.timing().phase().multipliedBy(large ? 1L << Math.min(timeouts, 2) : 1);
    phaseEnds = node.now() + patience.toNanos();
    ring(
        patience.toNanos(),
        () -> {
          timeouts++;
          lose();
        });
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
        node.heardFull(from, promise.full());
        if (node.rules().quorum(replicas, promises.keySet())) {
          promised();
        }
      }
      case Message.Accepted ack when phase == Phase.ACCEPTING -> {
        accepted.add(from);
        if (ack.next()) {
          promisedNext.add(from);
        }
        node.heardFull(from, ack.full());
        if (purging
            ? node.rules().purgeable(replicas, accepted)
            : node.rules().quorum(replicas, accepted)) {
          finish();
        }
      }
      case Message.Nack(_, var promised) -> {
        node.observe(promised.counter());
        refused(from);
      }
      case Message.Stale _ -> onLost(from);
      default -> {}
    }
  }

  /// A replica promised a higher ballot. The others may still be enough, but if the node that made
  /// that ballot has died, none of them may answer: a ballot that is refused already is not worth
  /// the patience that a first one gets, only the time in which those that are there can answer.
  private void refused(String from) {
    onLost(from);
    if (phase == Phase.PREPARING || phase == Phase.ACCEPTING) {
      long farthest = 0;
      for (Peer peer : node.healthyPeers(replicas)) {
        if (!lost.contains(peer.id())) {
          farthest = Math.max(farthest, peer.roundTrip().high());
        }
      }
      long disk = node.timing().minHedge().toNanos();
      phaseEnds = Math.min(phaseEnds, node.now() + farthest + disk);
      ring(Math.max(0, phaseEnds - node.now()), this::lose);
    }
  }

  private void onLost(String from) {
    lost.add(from);
    if (purging && phase == Phase.ACCEPTING || !node.stillPossible(replicas, lost)) {
      lose();
    }
  }

  /// This ballot is over. Its number is not used again, though its value may still be chosen.
  private void lose() {
    node.endCall(call);
    if (purging) {
      // Not worth a second try now: some replica is away.
      purging = false;
      batch.forEach(attempt -> attempt.finish(new Answer.Unavailable("not every replica answers")));
      batch.clear();
    } else {
      node.counters().conflicts++;
      losses++;
    }
    phase = Phase.RESTING;
    ring(node.jitter(losses, roundTrip()), this::begin);
  }

  /// To the farthest of the other replicas that are there, 0 if nothing is known of any.
  private long roundTrip() {
    return node.healthyPeers(replicas).stream()
        .mapToLong(peer -> peer.roundTrip().mean())
        .max()
        .orElse(0);
  }

  private void promised() {
    batch.removeIf(attempt -> attempt.finished);
    if (epoch != node.epoch()) {
      lose(); // These promises are no quorum of the epoch in which the Accept would be.
      return;
    }
    Message.Promise highest = null;
    long highestFloor = 0;
    for (Message.Promise promise : promises.values()) {
      if (highest == null || promise.accepted().compareTo(highest.accepted()) > 0) {
        highest = promise;
      }
      highestFloor = Math.max(highestFloor, promise.floor());
    }
    Ballot under = highest == null ? Ballot.ZERO : highest.accepted();
    Versioned value = highest == null ? null : highest.value();
    if (value == null && !under.equals(Ballot.ZERO) && under.equals(known)) {
      value = knownValue;
    }
    List<Ballot> seen = promises.values().stream().map(Message.Promise::accepted).toList();
    apply(
        new Basis(
            value, under, highestFloor, under.equals(Ballot.ZERO) || node.rules().known(seen)),
        false);
  }

  /// Applies the batch to `basis` and proposes what comes of it.
  private void apply(Basis basis, boolean isWarm) {
    floor = basis.floor();
    Versioned before = basis.value();
    purging = !batch.isEmpty() && batch.getFirst().purge;
    if (purging && (before == null || before.exists() || replicas.joint())) {
      decided = List.of(new Decided(batch.getFirst(), new Answer.Absent()));
      purging = false;
      phase = Phase.RESTING;
      settle();
      return;
    }
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
    boolean room = node.room(replicas);
    boolean unburied = false;
    for (Attempt attempt : batch) {
      Mutation mutation = attempt.mutation;
      if (mutation == null) {
        answers.add(new Decided(attempt, read(value)));
        continue;
      }
      if (mutation.base() == Mutation.NO_BASE && !attempt.proposed) {
        // Chosen anew for every ballot until it is in one: a base of an earlier ballot, in which it
        // was refused, may be too old by now.
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
    if (!changed && !isWarm && !purging) {
      boolean rewriting = batch.stream().anyMatch(attempt -> attempt.rewrite);
      if (basis.ballot().equals(Ballot.ZERO) || (basis.chosen() && !unburied && !rewriting)) {
        settle();
        return;
      }
    }
    if (value == null) {
      throw new IllegalStateException("nothing to accept for " + key);
    }
    phase = Phase.ACCEPTING;
    proposal = value;
    // Nobody is expected to change a key again because it was purged or moved.
    boolean once = purging || batch.stream().allMatch(attempt -> attempt.rewrite);
    next = once ? Ballot.ZERO : node.nextBallot(BATCH);
    beginPhase();
    sendAll(new Message.Accept(new Message.Scope(epoch), call, key, ballot, value, next));
  }

  /// Whether the operation's base is the very version it demands. Such an operation only ever
  /// creates a version above its base, whatever the ballot; so a made-up one need not, and must
  /// not, drive the ballots up.
  private static boolean baseIsCondition(Attempt attempt) {
    return attempt.mutation != null && attempt.mutation.baseIsCondition(attempt.base);
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
        : new Answer.Found(value.version(), value.body(), value.expiresAtMillis());
  }

  /// Why the mutation does not change `current`, or null if it does.
  private Answer.@Nullable OfWrite refusal(
      @Nullable Versioned current, Mutation mutation, long base, long floor) {
    Versioned.Trace done = node.rules().remembered(current, mutation.op());
    if (done != null) {
      return new Answer.Applied(done.version(), done.existed());
    }
    if (!node.rules().memoryReaches(base, current == null ? floor : current.windowStart())) {
      return new Answer.Forgotten(Math.max(floor, current == null ? 0 : current.version()));
    }
    if (!mutation.condition().holds(current)) {
      return new Answer.Conflict(current != null && current.exists() ? current.version() : 0);
    }
    if (mutation.body() == null && (current == null || !current.exists())) {
      return new Answer.Missing();
    }
    return null;
  }

  /// The Accept has its quorum.
  private void finish() {
    if (purging) {
      purging = false;
      sendAll(new Message.Purge(new Message.Scope(epoch), node.silentCall(), key, ballot));
      node.counters().purges++;
      settle();
      return;
    }
    if (epoch == node.epoch() && node.rules().mayGoOn(replicas, promisedNext)) {
      node.acceptor().keepWarm(key, ballot, next, epoch);
    }
    settle();
  }

  private void settle() {
    node.endCall(call);
    losses = 0;
    timeouts = 0;
    batch.clear();
    promises.clear();
    proposal = null;
    knownValue = null;
    List<Decided> answers = decided;
    decided = List.of();
    node.counters().rounds++;
    // Answer before beginning the next ballot: answers may submit again.
    phase = Phase.RESTING;
    for (Decided each : answers) {
      each.attempt().finish(each.answer());
    }
    begin();
  }
}
