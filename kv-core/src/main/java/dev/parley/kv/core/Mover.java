package dev.parley.kv.core;

import dev.parley.kv.core.wire.Decoder;
import dev.parley.kv.core.wire.Encoder;
import dev.parley.kv.core.wire.MalformedBytesException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// Changes the members of the running cluster.
///
/// ```
///   change   the register goes from the layout of epoch e to the joint one of e+1, by
///            compare-and-set
///   fence    e+1 is durable at a majority of the old and of the new nodes of everything that
///            moves; nobody gets a quorum in e any more
///   raise    the floors of what moves are raised at the new nodes, above all that was promised
///            in e
///   move     every key that a majority of the old nodes lists, now that e is over, is accepted
///            again under a ballot of e+1, so by a majority of the old nodes and one of the new
///   settle   the register goes to the layout of e+2, in which the new nodes are alone
/// ```
///
/// The first two steps and the last are those of joint consensus [1]. A plain copy instead of new
/// ballots would not do: a value that an old node accepted last, under a high ballot, and that was
/// never chosen, could then outrank what the new nodes choose later under lower ones. The floors
/// are for the same, among keys that no majority lists.
///
/// Everything is looked at again and again rather than remembered: whoever is the first healthy
/// holder of the register carries on with a joint layout from the start, and every step may be
/// taken twice, or by two nodes at once.
///
/// 1. Ongaro, Ousterhout: In Search of an Understandable Consensus Algorithm, 2014, section 6.
final class Mover {

  /// Keys under way at once. Enough to keep the disks busy, few enough to leave room for clients.
  private static final int IN_FLIGHT = 32;

  /// Partitions whose keys are listed at once.
  private static final int LISTINGS = 16;

  /// Keys listed but not moved yet, before more are listed.
  private static final int AHEAD = 1024;

  /// Keys in one page of a listing.
  private static final int PAGE = 256;

  private final NodeCore node;
  private boolean changing;
  private boolean looking;
  private @Nullable Move move;

  Mover(NodeCore node) {
    this.node = node;
  }

  void start() {
    tend();
  }

  Optional<MoveProgress> progress() {
    Move now = move;
    return now == null || now.over ? Optional.empty() : Optional.of(now.progress());
  }

  /// Looks whether there is something to carry on with.
  private void tend() {
    node.in(node.timing().tend().toNanos(), this::tend);
    Layout layout = node.layout();
    Move now = move;
    if (now != null && (now.over || now.layout.epoch() != layout.epoch())) {
      now.stop();
      move = null;
    }
    if (node.waitsFor().isPresent()) {
      return;
    }
    if (layout.joint()) {
      if (move == null && drives(layout)) {
        move = new Move(layout);
        move.start();
      }
    } else if (!looking && !changing && acceptedEpoch() > layout.epoch()) {
      // Somebody changed the register and went away before telling anyone. Whoever holds the
      // change must look, for the node that drives may not hold it.
      looking = true;
      new ReadRound(
              node,
              Key.LAYOUT,
              deadline(),
              answer -> {
                looking = false;
                Layout found = layoutIn(answer);
                if (found != null) {
                  spread(found);
                }
              })
          .start();
    }
  }

  /// Whether this node is the first healthy holder of the register, those that are only about to
  /// become one left aside. Only a hint: nothing goes wrong if two think so.
  private boolean drives(Layout layout) {
    for (String id : layout.placement(Key.LAYOUT)) {
      if (layout.register().current().contains(id)) {
        if (id.equals(node.self())) {
          return true;
        }
        if (node.peer(id).healthy(node.now(), node.timing())) {
          return false;
        }
      }
    }
    return false;
  }

  private long acceptedEpoch() {
    Versioned accepted = node.acceptor().value(Key.LAYOUT);
    Layout layout = accepted == null ? null : decoded(accepted.body());
    return layout == null ? 0 : layout.epoch();
  }

  /// Goes on in this layout, and tells everybody who is or was in it.
  private void spread(Layout chosen) {
    if (chosen.epoch() <= node.epoch()) {
      return;
    }
    Message.Scope scope = new Message.Scope(chosen.epoch());
    TreeSet<String> concerned = new TreeSet<>(node.layout().ids());
    node.adopt(chosen);
    concerned.addAll(chosen.ids());
    for (String id : concerned) {
      if (!id.equals(node.self())) {
        node.send(id, new Message.Install(scope, node.silentCall(), chosen));
      }
    }
  }

  private long deadline() {
    return node.now() + node.timing().operation().toNanos();
  }

  private static byte[] encoded(Layout layout) {
    return new Encoder().layout(layout).toByteArray();
  }

  private static @Nullable Layout decoded(byte @Nullable [] bytes) {
    try {
      return bytes == null ? null : new Decoder(bytes).layout();
    } catch (MalformedBytesException e) {
      throw new IllegalStateException("the register holds no layout", e);
    }
  }

  private static @Nullable Layout layoutIn(Answer.OfRead answer) {
    return answer instanceof Answer.Found(_, var body, _) ? decoded(body) : null;
  }

  // The change.

  /// Decides a change, or says why not. It is decided once the register holds the joint layout.
  void change(MemberChange change, Consumer<Answer.OfChange> done) {
    Answer.OfChange refused = refusal(change);
    if (refused != null) {
      done.accept(refused);
      return;
    }
    Layout before = node.layout();
    Layout target;
    try {
      target = before.toward(wanted(before, change));
    } catch (IllegalArgumentException e) {
      done.accept(new Answer.Rejected(Answer.Reason.INVALID, String.valueOf(e.getMessage())));
      return;
    }
    Answer.OfChange hopeless = hopeless(target);
    if (hopeless != null) {
      done.accept(hopeless);
      return;
    }
    changing = true;
    new ReadRound(
            node,
            Key.LAYOUT,
            deadline(),
            answer -> {
              changing = false;
              decide(before, target, answer, done);
            })
        .start();
  }

  private Answer.@Nullable OfChange refusal(MemberChange change) {
    Optional<String> waits = node.waitsFor();
    if (waits.isPresent()) {
      return new Answer.Rejected(Answer.Reason.UNAVAILABLE, waits.get());
    }
    Layout layout = node.layout();
    if (layout.joint() || changing) {
      return underWay();
    }
    return switch (change) {
      case MemberChange.Add add -> refusal(layout, add);
      case MemberChange.Remove remove -> refusal(layout, remove.id(), remove.force());
    };
  }

  private Answer.Rejected underWay() {
    String how =
        progress()
            .map(
                now ->
                    ": %d of %d partitions are done, %d keys moved"
                        .formatted(now.partitionsDone(), now.partitions(), now.keysMoved()))
            .orElse("");
    return new Answer.Rejected(
        Answer.Reason.UNDER_WAY, "another change of the members is under way" + how);
  }

  private Answer.@Nullable OfChange refusal(Layout layout, MemberChange.Add add) {
    if (layout.member(add.id()) != null) {
      return new Answer.Rejected(Answer.Reason.ID_IN_USE, add.id() + " is a member already");
    }
    if (layout.departed(add.id()) != null) {
      return new Answer.Rejected(
          Answer.Reason.ID_IN_USE,
          add.id() + " was a member and was removed: ids are not used again, take another");
    }
    if (layout.groups().stream().noneMatch(group -> group.name().equals(add.group()))) {
      return new Answer.Rejected(
          Answer.Reason.INVALID, "there is no group of nodes named " + add.group());
    }
    if (node.candidate(add.id()) == null) {
      return new Answer.Rejected(
          Answer.Reason.NOT_HEARD_OF,
          add.id()
              + " has not been heard of: start it with PARLEY_JOIN=true and this node among its"
              + " PARLEY_PEERS first");
    }
    String replacing = add.replacing();
    if (replacing == null) {
      return null;
    }
    Layout.Member old = layout.member(replacing);
    if (old == null) {
      return unknown(replacing);
    }
    return old.group().equals(add.group()) ? null : refusal(layout, replacing, add.force());
  }

  private static Answer.Rejected unknown(String id) {
    return new Answer.Rejected(Answer.Reason.UNKNOWN_MEMBER, "there is no member " + id);
  }

  private static Answer.@Nullable OfChange refusal(Layout layout, String leaving, boolean force) {
    Layout.Member member = layout.member(leaving);
    if (member == null) {
      return unknown(leaving);
    }
    int size = layout.size(member.group());
    if (size == 1) {
      return new Answer.Rejected(
          Answer.Reason.TOO_FEW,
          leaving + " is the last member of the group " + member.group() + ": its data would go");
    }
    if (size <= Layout.REPLICATION && !force) {
      return new Answer.Rejected(
          Answer.Reason.TOO_FEW,
          "without %s the group %s has %d members: fewer copies of everything. Add one first, or force it"
              .formatted(leaving, member.group(), size - 1));
    }
    return null;
  }

  private List<Layout.Member> wanted(Layout layout, MemberChange change) {
    List<Layout.Member> members = new ArrayList<>(layout.members());
    switch (change) {
      case MemberChange.Add add -> {
        members.removeIf(member -> member.id().equals(add.replacing()));
        members.add(
            new Layout.Member(
                add.id(), add.url(), add.weight(), node.candidate(add.id()), add.group()));
      }
      case MemberChange.Remove remove ->
          members.removeIf(member -> member.id().equals(remove.id()));
    }
    return members;
  }

  /// A change that could not be completed now would only make everything depend on more nodes.
  private Answer.@Nullable OfChange hopeless(Layout target) {
    TreeSet<String> there = new TreeSet<>(node.healthyPeers());
    there.add(node.self());
    there.addAll(node.candidates());
    List<Replicas> needed = new ArrayList<>(target.distinct());
    needed.removeIf(each -> !each.joint());
    needed.add(target.register());
    for (Replicas each : needed) {
      if (!node.rules().quorum(each, there)) {
        return new Answer.Rejected(
            Answer.Reason.UNAVAILABLE,
            "of the nodes " + each + " no majority answers: the change could not be completed");
      }
    }
    return null;
  }

  private void decide(
      Layout before, Layout target, Answer.OfRead answer, Consumer<Answer.OfChange> done) {
    if (answer instanceof Answer.Unavailable(var reason)) {
      done.accept(new Answer.Rejected(Answer.Reason.UNAVAILABLE, reason));
      return;
    }
    Layout found = layoutIn(answer);
    if (found != null && found.epoch() > node.epoch()) {
      spread(found);
    }
    if (node.epoch() != before.epoch() || changing) {
      done.accept(underWay());
      return;
    }
    changing = true;
    set(
        answer,
        target,
        outcome -> {
          changing = false;
          done.accept(
              switch (outcome) {
                case Answer.Applied _ -> {
                  spread(target);
                  yield new Answer.Begun(target.epoch(), moving(target).size());
                }
                case Answer.Conflict _, Answer.Missing _ -> underWay();
                case Answer.NotApplied(var reason) ->
                    new Answer.Rejected(Answer.Reason.UNAVAILABLE, reason);
                case Answer.NoRoom() ->
                    new Answer.Rejected(
                        Answer.Reason.UNAVAILABLE, "a majority of the nodes has no room left");
                case Answer.Unknown(var reason) -> new Answer.Undecided(reason);
                case Answer.Forgotten _ ->
                    new Answer.Undecided("the register's memory is too short");
              });
        });
  }

  /// Puts `next` into the register if it still holds what was read. A register without a record
  /// stands for the first layout.
  private void set(Answer.OfRead read, Layout next, Consumer<Answer.OfWrite> done) {
    boolean found = read instanceof Answer.Found;
    long version = read instanceof Answer.Found(var at, _, _) ? at : Mutation.NO_BASE;
    Precondition condition = found ? new Precondition.At(version) : new Precondition.Absent();
    OpId op = new OpId(node.random(), node.random());
    node.queue(Key.LAYOUT)
        .submit(
            new KeyQueue.Attempt(
                new Mutation(op, condition, encoded(next), version),
                deadline(),
                answer -> done.accept((Answer.OfWrite) answer)));
  }

  private static List<Integer> moving(Layout layout) {
    List<Integer> moving = new ArrayList<>();
    for (int i = 0; i < layout.partitions().size(); i++) {
      if (layout.partitions().get(i).joint()) {
        moving.add(i);
      }
    }
    return moving;
  }

  // The move.

  /// What follows a change, in its one joint epoch.
  private final class Move {

    private enum Phase {
      ASKING,
      FENCING,
      RAISING,
      MOVING,
      SETTLING
    }

    private final Layout layout;
    private final List<Integer> moving;
    private final TreeSet<String> ready = new TreeSet<>();
    private final ArrayDeque<Listing> unlisted = new ArrayDeque<>();
    private final LinkedHashSet<Listing> listings = new LinkedHashSet<>();
    private final ArrayDeque<Arrival> waiting = new ArrayDeque<>();
    private Phase phase = Phase.ASKING;
    private long bound;
    private int inFlight;
    private int done;
    private long keys;
    private long call;
    private Alarms.@Nullable Alarm alarm;
    private boolean over;

    private record Arrival(Key key, @Nullable Listing of) {}

    Move(Layout layout) {
      this.layout = layout;
      this.moving = moving(layout);
    }

    void start() {
      look();
    }

    void stop() {
      over = true;
      node.endCall(call);
      if (alarm != null) {
        alarm.cancel();
      }
      listings.forEach(listing -> node.endCall(listing.call));
      listings.clear();
      waiting.clear();
      unlisted.clear();
    }

    MoveProgress progress() {
      return new MoveProgress(
          layout.epoch(), phase.name().toLowerCase(Locale.ROOT), moving.size(), done, keys);
    }

    /// Whether this is still the present epoch. If not, there is nothing more to do here.
    private boolean current() {
      if (!over && layout.epoch() != node.epoch()) {
        stop();
      }
      return !over;
    }

    private void again(long nanos, Runnable action) {
      if (alarm != null) {
        alarm.cancel();
      }
      alarm =
          node.in(
              nanos,
              () -> {
                if (current()) {
                  action.run();
                }
              });
    }

    /// Reads the register: all this may be over already.
    private void look() {
      new ReadRound(node, Key.LAYOUT, deadline(), this::looked).start();
    }

    private void looked(Answer.OfRead answer) {
      if (!current()) {
        return;
      }
      Layout found = layoutIn(answer);
      if (found == null) {
        again(node.timing().phase().toNanos(), this::look);
      } else if (found.epoch() > layout.epoch()) {
        spread(found);
        stop();
      } else if (phase == Phase.SETTLING) {
        settle(answer);
      } else {
        fence();
      }
    }

    /// Asks everybody for the same until there are quorums of everything that moves.
    private void askAll(
        LongFunction<Message> message, Predicate<Message.Reply> agrees, Runnable then) {
      ready.clear();
      call =
          node.newCall(
              (from, reply) -> {
                if (!current() || !agrees.test(reply)) {
                  return;
                }
                ready.add(from);
                if (everywhere()) {
                  node.endCall(call);
                  then.run();
                }
              },
              _ -> {});
      remind(message);
    }

    private void remind(LongFunction<Message> message) {
      again(node.timing().phase().toNanos(), () -> remind(message));
      for (String id : layout.ids()) {
        if (!ready.contains(id)) {
          node.send(id, message.apply(call));
        }
      }
    }

    private boolean everywhere() {
      for (Replicas each : layout.distinct()) {
        if (each.joint() && !node.rules().quorum(each, ready)) {
          return false;
        }
      }
      return node.rules().quorum(layout.register(), ready);
    }

    private void fence() {
      phase = Phase.FENCING;
      askAll(
          number -> new Message.Install(node.scope(), number, layout),
          reply -> {
            if (!(reply instanceof Message.Installed(_, var epoch, var promised))
                || epoch < layout.epoch()) {
              return false;
            }
            bound = Math.max(bound, promised);
            return true;
          },
          this::raise);
    }

    private void raise() {
      phase = Phase.RAISING;
      long floor = node.rules().floorOfMove(bound);
      askAll(
          number -> new Message.Raise(node.scope(), number, floor),
          reply -> reply instanceof Message.Raised,
          this::moveEverything);
    }

    private void moveEverything() {
      phase = Phase.MOVING;
      if (alarm != null) {
        alarm.cancel();
      }
      waiting.add(new Arrival(Key.LAYOUT, null));
      if (node.rules().transfers()) {
        moving.forEach(index -> unlisted.add(new Listing(index)));
      } else {
        done = moving.size();
      }
      pump();
    }

    /// Lists and moves as much at once as is allowed.
    private void pump() {
      while (!over && listings.size() < LISTINGS && waiting.size() < AHEAD) {
        Listing next = unlisted.poll();
        if (next == null) {
          break;
        }
        listings.add(next);
        next.page();
      }
      while (!over && inFlight < IN_FLIGHT && !waiting.isEmpty()) {
        Arrival next = waiting.remove();
        inFlight++;
        node.queue(next.key())
            .submit(KeyQueue.Attempt.rewrite(deadline(), answer -> arrived(next, answer)));
      }
      if (!over
          && phase == Phase.MOVING
          && inFlight == 0
          && waiting.isEmpty()
          && listings.isEmpty()
          && unlisted.isEmpty()) {
        phase = Phase.SETTLING;
        look();
      }
    }

    private void arrived(Arrival arrival, Answer answer) {
      inFlight--;
      if (!current()) {
        return;
      }
      if (answer instanceof Answer.Unavailable) {
        waiting.add(arrival); // Its deadline was pause enough.
      } else {
        keys++;
        node.counters().moved++;
        if (arrival.of() != null) {
          arrival.of().arrived();
        }
      }
      pump();
    }

    private void settle(Answer.OfRead register) {
      Layout settled = layout.settled();
      set(
          register,
          settled,
          answer -> {
            if (answer instanceof Answer.Applied) {
              spread(settled);
              stop();
            } else if (current()) {
              again(node.timing().minHedge().toNanos(), this::look);
            }
          });
    }

    /// The keys of one moving partition, page by page from a majority of its old nodes.
    private final class Listing {
      private final int index;
      private final Replicas replicas;
      private final TreeMap<String, Message.ScanReply> pages = new TreeMap<>();
      private @Nullable Key after;
      private boolean listed;
      private int pending;
      private long call;

      Listing(int index) {
        this.index = index;
        this.replicas = layout.partitions().get(index);
      }

      void page() {
        if (!current()) {
          return;
        }
        node.endCall(call);
        pages.clear();
        call = node.newCall(this::onReply, _ -> {});
        for (String id : replicas.current()) {
          node.send(
              id,
              new Message.Scan(
                  node.scope(),
                  call,
                  index % Layout.PARTITIONS,
                  new byte[0],
                  after,
                  PAGE,
                  Message.Bodies.NONE));
        }
        long asked = call;
        node.in(
            node.timing().phase().toNanos(),
            () -> {
              if (!over && call == asked && listings.contains(this)) {
                page();
              }
            });
      }

      private void onReply(String from, Message.Reply reply) {
        if (!(reply instanceof Message.ScanReply page) || !current()) {
          return;
        }
        pages.put(from, page);
        if (!node.rules().listed(replicas, pages.keySet())) {
          return;
        }
        node.endCall(call);
        Key bound = null;
        for (Message.ScanReply each : pages.values()) {
          Key last = each.more() ? each.rows().getLast().key() : null;
          bound = last != null && (bound == null || last.compareTo(bound) < 0) ? last : bound;
        }
        TreeSet<Key> found = new TreeSet<>();
        for (Message.ScanReply each : pages.values()) {
          for (Message.ScanRow row : each.rows()) {
            boolean moves = layout.replicas(row.key()).joint() && !row.key().equals(Key.LAYOUT);
            if (moves && (bound == null || row.key().compareTo(bound) <= 0)) {
              found.add(row.key());
            }
          }
        }
        pending += found.size();
        found.forEach(key -> waiting.add(new Arrival(key, this)));
        listings.remove(this);
        if (bound == null) {
          listed = true;
          finishIfDone();
        } else {
          after = bound;
          unlisted.addFirst(this);
        }
        pump();
      }

      void arrived() {
        pending--;
        finishIfDone();
      }

      private void finishIfDone() {
        if (listed && pending == 0) {
          done++;
        }
      }
    }
  }
}
