package dev.parley.kv.core;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One client's mutation at the node it came to: hand it to the key's first healthy replica, and
/// if that one is slow, propose it here as well. That is the whole failover.
///
/// Both ways carry the same operation id, so at most one takes effect. A forward is carried out at
/// most once (see [Message.Forward]), so its refusal is final; while it is unanswered, only
/// answers that no later execution can contradict are given.
///
/// Both ways also carry the same base, which is what this node knew when the request came. If that
/// is too old for the key, both are refused as [Answer.Forgotten], although nothing was forgotten:
/// of an operation that only this request knows, that tells no more than that it was not proposed
/// yet. Once both ways have ended so, it is new still, and gets a newer base.
final class WriteRequest {

  private static final String SLOW = "the node that coordinates the key did not answer in time";

  private enum Way {
    NOT_TAKEN,
    OPEN,
    CLOSED
  }

  private final NodeCore node;
  private final Key key;
  private final Mutation mutation;
  private final long deadline;
  private final Consumer<Answer.OfWrite> done;
  private long localVersion;
  private Way forward = Way.NOT_TAKEN;
  private Way local = Way.NOT_TAKEN;
  private Answer.@Nullable OfWrite forwardAnswer;
  private Answer.@Nullable OfWrite localAnswer;
  private long call;
  private Alarms.@Nullable Alarm hedge;
  private Alarms.@Nullable Alarm expiry;
  private boolean ended;
  private boolean settling;
  private boolean over;

  WriteRequest(
      NodeCore node, Key key, Mutation mutation, long deadline, Consumer<Answer.OfWrite> done) {
    this.node = node;
    this.key = key;
    this.mutation = mutation;
    this.deadline = deadline;
    this.done = done;
  }

  void start() {
    localVersion = node.knownVersion(key);
    send();
  }

  private void send() {
    Peer target = null;
    for (String member : node.layout().placement(key)) {
      if (member.equals(node.self())) {
        break;
      }
      Peer peer = node.peer(member);
      if (peer.healthy(node.now(), node.timing())) {
        target = peer;
        break;
      }
    }
    if (target == null) {
      propose(mutation);
      return;
    }
    forward(target);
  }

  private void forward(Peer target) {
    forward = Way.OPEN;
    long sent = node.now();
    long boot = target.boot();
    call =
        node.newCall(
            (_, reply) -> {
              if (reply instanceof Message.ForwardReply(_, var answer)) {
                target.measured(node.now() - sent);
                forwarded(answer);
              } else {
                forwarded(new Answer.NotApplied("the coordinating node refused"));
              }
            },
            _ -> forwarded(new Answer.NotApplied("the coordinating node is not connected")),
            broken -> {
              if (broken.equals(target.id())) {
                if (target.boot() > boot) {
                  coordinatorEnded();
                } else {
                  hedge();
                }
              }
            });
    node.send(
        target.id(),
        new Message.Forward(node.scope(), call, key, based(mutation, localVersion), boot));
    hedge = node.in(target.hedgeDelay(node.timing()), this::hedge);
    expiry =
        node.at(
            deadline,
            () -> {
              if (forward == Way.OPEN) {
                forwarded(new Answer.Unknown(SLOW));
              }
            });
  }

  /// Proposes here what was forwarded: its answer is late, or the connection it would come by is
  /// gone. That is safe at any time.
  private void hedge() {
    if (!over && forward == Way.OPEN && local == Way.NOT_TAKEN) {
      node.counters().hedges++;
      propose(based(mutation, localVersion));
    }
  }

  /// The start of the coordinator that alone may carry out the forward is over. It begins no ballot
  /// any more, but one of its ballots may have got the operation accepted somewhere. That is the
  /// state in which a queue is whose own ballot was lost after it was proposed, and is resolved in
  /// the same way: a round that begins only now either finds the operation, or gets something
  /// accepted above it. It cannot come below that ballot: a quorum promised the latter before.
  private void coordinatorEnded() {
    if (over || forward != Way.OPEN) {
      return;
    }
    quit();
    forward = Way.CLOSED;
    ended = true;
    if (local != Way.OPEN) {
      settleWhatEnded();
    } // Else when that one is done: it may have begun too early.
  }

  private void settleWhatEnded() {
    settling = true;
    localAnswer = null;
    KeyQueue.Attempt attempt =
        new KeyQueue.Attempt(based(mutation, localVersion), deadline, this::proposed);
    attempt.proposed = true;
    submit(attempt);
  }

  private static Mutation based(Mutation mutation, long version) {
    return mutation.base() == Mutation.NO_BASE ? mutation.withBase(version) : mutation;
  }

  private void forwarded(Answer.OfWrite answer) {
    if (forward != Way.OPEN) {
      return;
    }
    quit();
    forward = Way.CLOSED;
    forwardAnswer = answer;
    if (local == Way.NOT_TAKEN && !over && node.now() < deadline) {
      // The forward's one execution is over and applied nothing, so the operation is still new
      // and may be proposed here with a base of its own.
      if (onlyKnownHere()
          && answer instanceof Answer.Forgotten(var version)
          && version > localVersion) {
        // This node knew of an older version, or of none. Now it knows better.
        localVersion = version;
        node.learned(key, version);
        forwardAnswer = null;
        forward = Way.NOT_TAKEN;
        send();
        return;
      }
      if (answer instanceof Answer.NotApplied) {
        forwardAnswer = null;
        forward = Way.NOT_TAKEN;
        propose(mutation);
        return;
      }
      if (answer instanceof Answer.Unknown) {
        propose(based(mutation, localVersion));
        return;
      }
    }
    settle();
  }

  private void propose(Mutation here) {
    submit(new KeyQueue.Attempt(here, deadline, this::proposed));
  }

  private void submit(KeyQueue.Attempt attempt) {
    local = Way.OPEN;
    node.queue(key).submit(attempt);
  }

  private void proposed(Answer answer) {
    local = Way.CLOSED;
    localAnswer = (Answer.OfWrite) answer;
    if (ended && !settling && !over && !(answer instanceof Answer.Applied)) {
      settleWhatEnded();
    } else {
      settle();
    }
  }

  private void settle() {
    if (over) {
      return;
    }
    for (Answer.OfWrite answer : new Answer.@Nullable OfWrite[] {forwardAnswer, localAnswer}) {
      if (answer instanceof Answer.Applied || answer != null && lasting(answer)) {
        finish(answer);
        return;
      }
    }
    if (forward == Way.OPEN || local == Way.OPEN) {
      return;
    }
    Answer.OfWrite outcome = onlyKnownHere() ? outcomeOfNew() : outcome();
    if (!(onlyKnownHere() && outcome instanceof Answer.Forgotten)) {
      finish(outcome);
    } else if (node.now() < deadline) {
      forward = Way.NOT_TAKEN;
      forwardAnswer = null;
      localAnswer = null;
      propose(mutation);
    } else {
      finish(new Answer.NotApplied(SLOW));
    }
  }

  /// What both ways together came to.
  private Answer.OfWrite outcome() {
    Answer.OfWrite chosen = localAnswer == null ? forwardAnswer : localAnswer;
    for (Answer.OfWrite answer : new Answer.@Nullable OfWrite[] {forwardAnswer, localAnswer}) {
      if (answer instanceof Answer.Unknown || answer instanceof Answer.Forgotten) {
        chosen = answer;
      }
    }
    return chosen == null ? new Answer.Unknown(SLOW) : chosen;
  }

  /// What both ways together came to, of an operation that nobody else ever asks for. A way that
  /// ends in [Answer.Forgotten] did not propose it, so the other one alone decides: what that one
  /// refused was refused, and what became of it there is as little known as there.
  private Answer.OfWrite outcomeOfNew() {
    Answer.OfWrite chosen = new Answer.Forgotten(localVersion);
    for (Answer.OfWrite answer : new Answer.@Nullable OfWrite[] {forwardAnswer, localAnswer}) {
      if (answer instanceof Answer.Unknown) {
        return answer;
      }
      if (answer != null && !(answer instanceof Answer.Forgotten)) {
        chosen = answer;
      }
    }
    return chosen;
  }

  /// Whether the operation's id was made for this request, so that no other can have brought it
  /// here or elsewhere.
  private boolean onlyKnownHere() {
    return mutation.base() == Mutation.NO_BASE;
  }

  /// A version, once passed, never returns: that conflict holds for every later execution too.
  private boolean lasting(Answer.OfWrite answer) {
    return answer instanceof Answer.Conflict && mutation.condition() instanceof Precondition.At;
  }

  private void finish(Answer.OfWrite answer) {
    over = true;
    quit();
    if (answer instanceof Answer.Applied(var version, _)) {
      node.learned(key, version);
    }
    done.accept(answer);
  }

  private void quit() {
    node.endCall(call);
    if (hedge != null) {
      hedge.cancel();
    }
    if (expiry != null) {
      expiry.cancel();
    }
  }
}
