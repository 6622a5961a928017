package dev.parley.kv.core;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// A whole node as a state machine: [#step] takes what happened and says what to do.
///
/// It is driven by one thread, reads no clock and draws chance only from the generator it is given,
/// so that the simulator can run it exactly as production does and repeat what it saw. The host
/// recovers the log into an [Acceptor] first, then calls [#start] once.
public final class NodeCore {

  /// Requests under way at once. More are refused at the door rather than queued.
  private static final int MAX_REQUESTS = 4096;

  /// Operations waiting for one key.
  private static final int MAX_PER_KEY = 1024;

  /// Keys looked at in one go when the oldest log segment is emptied.
  private static final int REWRITE_SLICE = 64;

  /// Bytes of values that are written again before the disk has caught up with them. Enough that a
  /// force is worth its time, little enough that clients' writes do not wait behind them.
  private static final int MAX_REWRITES_UNFORCED = 1 << 20;

  /// How far the base of a client may lie above all that this node has seen. More than a node can
  /// miss, and far too little to use the versions up.
  private static final long MAX_LEAD = 1L << 32;

  /// Keys purged or expired in one go.
  private static final int SWEEP = 256;

  /// Keys held by others of which a version is remembered.
  private static final int MAX_LEARNED = 8192;

  /// Nodes that are no members but say hello.
  private static final int MAX_CANDIDATES = 16;

  /// After this many times the silence that makes a member suspect, a candidate has gone again.
  private static final int CANDIDACY = 5;

  /// A call number is the boot and this many bits that count.
  private static final int CALL_BITS = 40;

  /// Least round trip that a back-off goes by, about that between machines in one building.
  private static final long ROUND_TRIP_NANOS = 1_000_000;

  private record Local(Message message) {}

  /// @param onBroken the connection to that node broke, so that an answer of it to what was asked
  ///     before will hardly come, if at all
  private record Call(
      ReplyHandler onReply, Consumer<String> onLost, @Nullable Consumer<String> onBroken) {}

  private record Held(String to, Message message) {}

  /// A node that is no member and said hello.
  private record Candidate(OpId disk, long heard) {}

  interface ReplyHandler {
    void handle(String from, Message.Reply reply);
  }

  private final String self;
  private final Layout configured;
  private final Rules rules;
  private final Timing timing;
  private final RandomGenerator random;
  private final Acceptor acceptor;
  private final Counters counters = new Counters();
  private final Tails tails;
  private final Watches watches;
  private final TreeMap<String, Peer> peers = new TreeMap<>();
  private final LinkedHashMap<Key, KeyQueue> queues = new LinkedHashMap<>();
  private final LinkedHashMap<Key, Long> learned = new LinkedHashMap<>();
  private final LinkedHashMap<Long, Call> calls = new LinkedHashMap<>();
  private final TreeMap<Long, List<Held>> held = new TreeMap<>();
  private final Alarms alarms = new Alarms();
  private final ArrayDeque<Local> locals = new ArrayDeque<>();
  private List<Effect> effects = new ArrayList<>();
  private long now;
  private long nextLsn;
  private long durableLsn;
  private long nextCall;
  private long counter;
  private long nonce;
  private long helloWhenDurable;
  private final TreeMap<String, OpId> disks = new TreeMap<>();
  private final TreeMap<String, Long> agreed = new TreeMap<>();
  private final TreeMap<String, Candidate> candidates = new TreeMap<>();
  private final TreeSet<String> introduced = new TreeSet<>();
  private final Mover mover = new Mover(this);
  private final Repairer repairer = new Repairer(this);
  private int requests;

  private Event.LogShape shape = new Event.LogShape(1, 0, 0);
  private boolean cleaning;
  private long cleaningBelow;
  private @Nullable Key cleaned;
  private long appendedBytes;
  private long rewrittenBytes;
  private long rewrittenLsn;
  private long dropWhenDurable;

  public NodeCore(
      String self,
      Layout configured,
      Acceptor recovered,
      long nextLsn,
      Timing timing,
      RandomGenerator random) {
    this(self, configured, recovered, nextLsn, timing, random, new Rules());
  }

  NodeCore(
      String self,
      Layout configured,
      Acceptor recovered,
      long nextLsn,
      Timing timing,
      RandomGenerator random,
      Rules rules) {
    this.self = self;
    this.configured = configured;
    this.acceptor = recovered;
    this.nextLsn = nextLsn;
    this.durableLsn = nextLsn - 1;
    this.timing = timing;
    this.random = random;
    this.rules = rules;
    this.tails = new Tails(this, recovered.changes());
    this.watches = new Watches(this);
    tails.durable(durableLsn);
  }

  /// Begins a new boot. The host must make the returned appends durable before it lets any other
  /// effect out, so that no ballot ever carries a boot number that could be used again.
  public List<Effect> start(long nowNanos) {
    now = nowNanos;
    acceptor.start(this::append, new OpId(random.nextLong(), random.nextLong()));
    nonce = random.nextLong();
    counter = acceptor.ceiling();
    nextCall = acceptor.boot() << CALL_BITS;
    meet(layout());
    form();
    ping();
    in(timing.purge().toNanos(), this::sweepTombstones);
    mover.start();
    repairer.start();
    return takeEffects();
  }

  /// What follows from `event` at the time `nowNanos`.
  public List<Effect> step(long nowNanos, Event event) {
    now = nowNanos;
    switch (event) {
      case Event.Write(var ticket, var key, var mutation) -> write(ticket, key, mutation);
      case Event.Read(var ticket, var key) -> {
        String refusal = admit();
        if (refusal == null) {
          new ReadRound(this, key, deadline(), answer -> respond(ticket, answer)).start();
        } else {
          effect(new Effect.Respond(ticket, new Answer.Unavailable(refusal)));
        }
      }
      case Event.Scan(var ticket, var prefix, var after, var limit) -> {
        String refusal = admit();
        if (refusal == null) {
          new ScanRound(this, prefix, after, limit, deadline(), answer -> respond(ticket, answer))
              .start();
        } else {
          effect(new Effect.Respond(ticket, new Answer.Unavailable(refusal)));
        }
      }
      case Event.ChangeMembers(var ticket, var change) ->
          mover.change(change, answer -> effect(new Effect.Respond(ticket, answer)));
      case Event.OfWatch watch -> watches.step(watch);
      case Event.Received(var from, var boot, var message) -> received(from, boot, message);
      case Event.Undelivered(var to, var messages) -> {
        Peer peer = peers.get(to);
        if (peer != null) {
          peer.unreachable();
        }
        lost(to, messages);
        broken(to);
      }
      case Event.Dropped(var to, var messages) -> lost(to, messages);
      case Event.Durable(var lsn) -> durable(lsn);
      case Event.LogShape newShape -> shape = newShape;
      case Event.Room(var full) -> acceptor.full(full);
      case Event.Idle() -> append(new LogRecord.Mark());
      case Event.WallClock(var unixMillis) -> expire(unixMillis);
      case Event.Tick() -> {}
    }
    drain();
    while (alarms.ring(now)) {
      drain();
    }
    clean();
    return takeEffects();
  }

  /// When [#step] should be called with a tick at the latest.
  public OptionalLong nextDeadline() {
    return alarms.nextDue();
  }

  public Counters counters() {
    return counters;
  }

  public long boot() {
    return acceptor.boot();
  }

  public long keys() {
    return acceptor.liveKeys();
  }

  /// Deleted keys that not every replica has forgotten yet.
  public int tombstones() {
    return acceptor.tombstones();
  }

  /// About how many bytes the values take in memory.
  public long liveBytes() {
    return acceptor.liveBytes();
  }

  /// The layout this node goes by.
  public Layout layout() {
    Layout known = acceptor.layout();
    return known == null ? configured : known;
  }

  /// Whether this node takes part: its cluster is formed, it is a member, and enough others have
  /// confirmed that its start is the latest they know. If not, why not.
  public Optional<String> waitsFor() {
    if (layout().member(self) == null) {
      return Optional.of(
          acceptor.formed() ? "this node was removed from the cluster" : "not yet a member");
    }
    if (!acceptor.formed()) {
      List<String> missing = new ArrayList<>(layout().ids());
      missing.remove(self);
      missing.removeIf(id -> agreed.getOrDefault(id, 0L) == layout().digest());
      List<String> unlike = new ArrayList<>(missing);
      unlike.removeIf(id -> acceptor.layout() == null || agreed.getOrDefault(id, 0L) == 0);
      if (!unlike.isEmpty()) {
        return Optional.of("configured with other members or groups than this node: " + unlike);
      }
      return Optional.of("the new cluster begins when all its members have met: " + missing);
    }
    int wanted = rules.introductions(layout().register().current().size());
    return introduced.size() < wanted
        ? Optional.of("no majority of the nodes has answered since this one started")
        : Optional.empty();
  }

  /// The mutation as it is to be understood from this moment on: with the base that the node knows
  /// now, if its base is [Mutation#ON_RECEIPT]. For hosts that let mutations wait before they ask.
  public Mutation received(Key key, Mutation mutation) {
    return mutation.base() == Mutation.ON_RECEIPT ? mutation.withBase(knownVersion(key)) : mutation;
  }

  /// Nanoseconds since `peer` was heard of, or empty if it never was.
  public OptionalLong silence(String peer, long nowNanos) {
    Peer known = peers.get(peer);
    return known == null || known.heard() == Long.MIN_VALUE
        ? OptionalLong.empty()
        : OptionalLong.of(Math.max(0, nowNanos - known.heard()));
  }

  /// How far the move is that this node drives, or empty if it drives none.
  public Optional<MoveProgress> move() {
    return mover.progress();
  }

  /// In how many partitions `peer` lacks what this node holds, as it seemed when the two last
  /// compared, or empty if they never did. Only a hint.
  public OptionalInt behind(String peer) {
    return repairer.behind(peer);
  }

  /// Nodes that would like to become members and were heard of lately.
  public List<String> candidates() {
    List<String> waiting = new ArrayList<>();
    for (String id : candidates.keySet()) {
      if (candidate(id) != null) {
        waiting.add(id);
      }
    }
    return waiting;
  }

  /// Whether `peer` was heard of lately. Only a hint.
  public boolean reachable(String peer, long nowNanos) {
    return peer.equals(self) || peer(peer).healthy(nowNanos, timing);
  }

  // What the rounds use.

  Rules rules() {
    return rules;
  }

  Timing timing() {
    return timing;
  }

  Acceptor acceptor() {
    return acceptor;
  }

  String self() {
    return self;
  }

  long now() {
    return now;
  }

  long epoch() {
    return layout().epoch();
  }

  Replicas replicas(Key key) {
    return layout().replicas(key);
  }

  /// Whether the replicas that are not lost could still make a quorum.
  boolean stillPossible(Replicas replicas, Set<String> lost) {
    List<String> left = new ArrayList<>(replicas.all());
    left.removeAll(lost);
    return rules.quorum(replicas, left);
  }

  /// A replica said whether it has room for new values.
  void heardFull(String id, boolean full) {
    if (!id.equals(self)) {
      peer(id).full(full);
    }
  }

  /// Whether a quorum has room for new values, as far as this node knows.
  boolean room(Replicas replicas) {
    List<String> roomy = new ArrayList<>();
    for (String id : replicas.all()) {
      if (id.equals(self) ? !acceptor.full() : !peer(id).full()) {
        roomy.add(id);
      }
    }
    return rules.quorum(replicas, roomy);
  }

  /// The highest version of the key that this node has reason to know: whatever is created from
  /// now on lies above it. It may be old.
  long knownVersion(Key key) {
    return Math.max(acceptor.localVersion(key), learned.getOrDefault(key, 0L));
  }

  /// Remembers a version of a key of which this node holds no copy. Without it, a write that comes
  /// here could tell no base that a key which changes often still remembers, and would first be
  /// refused for that.
  void learned(Key key, long version) {
    if (replicas(key).all().contains(self)) {
      return;
    }
    Long before = learned.remove(key);
    learned.put(key, before == null ? version : Math.max(before, version));
    if (learned.size() > MAX_LEARNED) {
      learned.pollFirstEntry();
    }
  }

  Message.Scope scope() {
    return new Message.Scope(epoch());
  }

  Peer peer(String id) {
    Peer peer = peers.get(id);
    if (peer == null) {
      throw new IllegalArgumentException("no such peer: " + id);
    }
    return peer;
  }

  /// Those of the other replicas that are there, as far as this node knows.
  List<Peer> healthyPeers(Replicas replicas) {
    return replicas.all().stream()
        .map(peers::get)
        .filter(peer -> peer != null && peer.healthy(now, timing))
        .toList();
  }

  KeyQueue queue(Key key) {
    KeyQueue queue = queues.get(key);
    if (queue == null) {
      queue = new KeyQueue(this, key);
      queues.put(key, queue);
    }
    return queue;
  }

  /// A queue has nothing to do.
  void rests(Key key) {
    queues.remove(key);
  }

  long newCall(ReplyHandler onReply, Consumer<String> onLost) {
    return call(new Call(onReply, onLost, null));
  }

  /// A call that need not wait for an answer to be late if the connection it would come by broke.
  long newCall(ReplyHandler onReply, Consumer<String> onLost, Consumer<String> onBroken) {
    return call(new Call(onReply, onLost, onBroken));
  }

  private long call(Call call) {
    long number = nextCall++;
    calls.put(number, call);
    return number;
  }

  /// How many calls wait for an answer.
  int openCalls() {
    return calls.size();
  }

  /// The disk of a node that says hello but is no member, null if none of that id does.
  @Nullable OpId candidate(String id) {
    Candidate candidate = candidates.get(id);
    boolean lately =
        candidate != null && now - candidate.heard() < CANDIDACY * timing.suspect().toNanos();
    return lately && candidate != null ? candidate.disk() : null;
  }

  /// The peers that seem to be there, by id.
  List<String> healthyPeers() {
    List<String> healthy = new ArrayList<>();
    for (Peer peer : peers.values()) {
      if (peer.healthy(now, timing)) {
        healthy.add(peer.id());
      }
    }
    return healthy;
  }

  long random() {
    return random.nextLong();
  }

  /// Goes on in this layout, which is known to be chosen, if it is newer.
  void adopt(Layout chosen) {
    if (chosen.epoch() > epoch() || !acceptor.formed()) {
      acceptor.install(chosen, true);
      // Those that met this node for the first time need not wait for its next ping.
      helloWhenDurable = acceptor.fenceLsn();
      meet(chosen);
    }
  }

  /// The number of a call whose reply nobody waits for.
  long silentCall() {
    return nextCall++;
  }

  void endCall(long call) {
    calls.remove(call);
  }

  /// A ballot that nobody used before, with room for `versions` versions below the next one.
  Ballot nextBallot(int versions) {
    Ballot ballot = new Ballot(counter + 1, self, acceptor.boot());
    counter += versions;
    return ballot;
  }

  /// The next ballot will lie above this counter.
  void observe(long seen) {
    counter = Math.max(counter, seen);
  }

  /// Full jitter: anything from nothing to two round trips, which is what a rival's ballot takes,
  /// and to twice as much at each further loss, up to the bound. Pauses much shorter than a ballot
  /// would only refuse the rival's in their turn.
  ///
  /// @param roundTrip in nanoseconds, 0 if it is not known
  long jitter(int losses, long roundTrip) {
    long most = timing.maxBackoff().toNanos();
    long first = Math.clamp(roundTrip, ROUND_TRIP_NANOS, most);
    return random.nextLong(Math.min(most, first << Math.min(losses, 10)) + 1);
  }

  Alarms.Alarm in(long nanos, Runnable action) {
    return at(now + nanos, action);
  }

  Alarms.Alarm at(long due, Runnable action) {
    return alarms.set(due, action);
  }

  void send(String to, Message message) {
    if (to.equals(self)) {
      locals.add(new Local(message));
    } else {
      effect(new Effect.Send(to, message));
    }
  }

  // The inside.

  long deadline() {
    return now + timing.operation().toNanos();
  }

  /// Why a client's request cannot be taken, or null if it counts as under way from now on.
  private @Nullable String admit() {
    Optional<String> waiting = waitsFor();
    if (waiting.isPresent()) {
      return waiting.get();
    }
    if (requests == MAX_REQUESTS) {
      return "too many requests";
    }
    requests++;
    return null;
  }

  /// Answers a request that does not count as under way.
  void answer(long ticket, Answer answer) {
    effect(new Effect.Respond(ticket, answer));
  }

  private void respond(long ticket, Answer answer) {
    requests--;
    effect(new Effect.Respond(ticket, answer));
  }

  private void write(long ticket, Key key, Mutation mutation) {
    KeyQueue queue = queues.get(key);
    String refusal =
        queue != null && queue.size() >= MAX_PER_KEY ? "too many requests for this key" : admit();
    if (refusal != null) {
      effect(new Effect.Respond(ticket, new Answer.NotApplied(refusal)));
      return;
    }
    if (mutation.base() > counter + MAX_LEAD && !mutation.baseIsCondition(mutation.base())) {
      respond(ticket, new Answer.NotApplied("the base was not made by this cluster"));
      return;
    }
    new WriteRequest(
            this, key, received(key, mutation), deadline(), answer -> respond(ticket, answer))
        .start();
  }

  private void lost(String to, List<Message> messages) {
    for (Message message : messages) {
      Call call = message instanceof Message.Request ? calls.get(message.call()) : null;
      if (call != null) {
        call.onLost().accept(to);
      }
    }
  }

  /// Tells those that wait for an answer of `to`, the oldest first.
  private void broken(String to) {
    for (long number : List.copyOf(calls.keySet())) {
      Call call = calls.get(number);
      Consumer<String> onBroken = call == null ? null : call.onBroken();
      if (onBroken != null) {
        onBroken.accept(to);
      }
    }
  }

  private void received(String from, long boot, Message message) {
    if (message instanceof Message.Ping ping) {
      pinged(from, boot, ping);
      return;
    }
    Peer peer = peers.get(from);
    if (peer != null && boot >= peer.boot()) {
      heard(peer, boot);
      deliver(from, message);
    }
  }

  private void heard(Peer peer, long boot) {
    boolean restarted = boot > peer.boot();
    peer.heard(now, boot);
    if (restarted) {
      broken(peer.id());
    }
  }

  private void deliver(String from, Message message) {
    switch (message) {
      case Message.Ping ping -> pinged(from, acceptor.boot(), ping);
      case Message.AskLayout _ -> tellLayout(from);
      case Message.Install install -> installed(from, install);
      case Message.Request request -> {
        long epoch = request.scope().epoch();
        if (!rules.sameEpoch(epoch, epoch())) {
          if (request instanceof Message.Forward forward
              && (forward.targetBoot() != acceptor.boot()
                  || !peer(from).firstForward(forward.call()))) {
            // Another copy may have been carried out before; nothing may be said of this one. If it
            // is the first, copies that come later are dropped as repeated.
            return;
          }
          reply(from, new Message.Stale(request.call(), epoch()), acceptor.fenceLsn());
          if (epoch > epoch()) {
            askLayout(from);
          }
        } else if (waitsFor().isEmpty()) {
          handle(from, request);
        }
      }
      case Message.Pong(var call) -> {
        if (call >>> CALL_BITS == acceptor.boot()) {
          introduced.add(from);
          peer(from).ponged(call, now);
        }
      }
      case Message.Refused(_, var boot, var reason) -> {
        if (boot == acceptor.boot()) {
          effect(new Effect.Halt(from + " refuses this node: " + reason));
        }
      }
      case Message.Reply reply -> {
        if (reply instanceof Message.Stale(_, var epoch)) {
          if (epoch > epoch()) {
            askLayout(from);
          } else if (epoch < epoch()) {
            tellLayout(from);
          }
        }
        Call call = calls.get(reply.call());
        if (call != null) {
          call.onReply().handle(from, reply);
        }
      }
    }
  }

  private void handle(String from, Message.Request request) {
    switch (request) {
      case Message.Prepare prepare -> reply(from, acceptor.prepare(prepare));
      case Message.Accept accept -> reply(from, acceptor.accept(accept));
      case Message.Read read -> reply(from, acceptor.read(read));
      case Message.Scan scan -> reply(from, acceptor.scan(scan));
      case Message.Purge purge -> reply(from, acceptor.purge(purge));
      case Message.Tail tail -> tails.asked(from, tail);
      case Message.Forward forward -> coordinate(from, forward);
      case Message.Raise raise -> reply(from, acceptor.raise(raise));
      case Message.Digest digest -> reply(from, acceptor.digest(digest));
      case Message.Rows rows -> reply(from, acceptor.rows(rows));
      case Message.Ping _, Message.AskLayout _, Message.Install _ ->
          throw new IllegalStateException("not for the acceptor");
    }
  }

  // Who is who.

  /// A peer says how it started. If it may be who it says it is, it is told so. A new cluster
  /// starts once all its members have told each other of the same disks.
  private void pinged(String from, long boot, Message.Ping ping) {
    Layout layout = layout();
    Layout.Member member = layout.member(from);
    Peer peer = peers.get(from);
    if (member == null || peer == null) {
      if (acceptor.formed() && layout.member(self) != null) {
        stranger(from, boot, ping);
      }
      return;
    }
    OpId disk = member.disk();
    if (disk != null && !disk.equals(ping.disk())) {
      refuse(from, boot, ping, "the cluster knows it with another disk; add it under a new id");
      return;
    }
    Incarnation start = new Incarnation(boot, ping.nonce());
    Incarnation known = acceptor.start(from);
    if (known != null
        && (boot < known.boot() || boot == known.boot() && ping.nonce() != known.nonce())) {
      refuse(from, boot, ping, "its disk is a copy from before start " + known.boot());
      return;
    }
    if (!start.equals(known)) {
      acceptor.started(from, start);
    }
    heard(peer, boot);
    if (!acceptor.formed()) {
      if (acceptor.layout() == null) {
        disks.put(from, ping.disk());
      }
      agreed.put(from, ping.digest());
      form();
      if (!acceptor.formed() && acceptor.layout() != null && ping.digest() == layout().digest()) {
        // It may have formed with somebody who is gone since.
        askLayout(from);
      }
    } else if (ping.scope().epoch() < epoch()) {
      tellLayout(from);
    } else if (ping.scope().epoch() > epoch()) {
      askLayout(from);
    }
    reply(from, new Message.Pong(ping.call()), acceptor.metaLsn());
  }

  /// Somebody who is no member says hello: one that was removed is told so, as often as it asks,
  /// and any other may become a member.
  private void stranger(String from, long boot, Message.Ping ping) {
    Layout.Departed departed = layout().departed(from);
    if (departed == null) {
      candidates.values().removeIf(each -> now - each.heard() > timing.operation().toNanos() * 30);
      if (candidates.size() < MAX_CANDIDATES || candidates.containsKey(from)) {
        candidates.put(from, new Candidate(ping.disk(), now));
      }
    } else if (!ping.disk().equals(departed.disk())) {
      refuse(from, boot, ping, "a node of this id was removed; start this one under a new id");
    } else if (ping.scope().epoch() < epoch()) {
      send(from, new Message.Install(scope(), silentCall(), layout()));
    }
  }

  private void refuse(String from, long boot, Message.Ping ping, String reason) {
    reply(from, new Message.Refused(ping.call(), boot, reason), 0);
  }

  /// Takes a new cluster towards its first layout: first all disks are known here, durably; then
  /// all members are heard to know the same.
  private void form() {
    if (acceptor.formed() || configured.member(self) == null) {
      return;
    }
    if (acceptor.layout() == null) {
      disks.put(self, acceptor.disk());
      if (!disks.keySet().containsAll(configured.ids())) {
        return;
      }
      acceptor.install(configured.withDisks(disks), false);
      helloWhenDurable = acceptor.fenceLsn();
    }
    long digest = layout().digest();
    for (String id : layout().ids()) {
      if (!id.equals(self) && agreed.getOrDefault(id, 0L) != digest) {
        return;
      }
    }
    acceptor.install(layout(), true);
    helloWhenDurable = acceptor.fenceLsn();
  }

  private void askLayout(String from) {
    Peer peer = peers.get(from);
    if (peer != null && peer.mayAsk(now, timing)) {
      send(from, new Message.AskLayout(scope(), silentCall()));
    }
  }

  private void tellLayout(String to) {
    Peer peer = peers.get(to);
    if (acceptor.formed() && peer != null && peer.mayTell(epoch(), now, timing)) {
      send(to, new Message.Install(scope(), silentCall(), layout()));
    }
  }

  private void installed(String from, Message.Install install) {
    Layout offered = install.layout();
    Layout.Member me = offered.member(self);
    boolean newer = !acceptor.formed() || offered.epoch() > epoch();
    if (newer && me != null && !acceptor.disk().equals(me.disk())) {
      effect(
          new Effect.Halt(
              "the cluster knows this node with another disk; add it under a new id instead"));
      return;
    }
    if (newer && (me != null || acceptor.formed())) {
      adopt(offered);
    }
    Message.Installed done =
        new Message.Installed(install.call(), acceptor.formed() ? epoch() : 0, acceptor.bound());
    reply(from, done, Math.max(acceptor.fenceLsn(), acceptor.metaLsn()));
  }

  /// Knows the members of this layout, and no others.
  private void meet(Layout layout) {
    for (String id : layout.ids()) {
      if (!id.equals(self)) {
        peers.computeIfAbsent(id, Peer::new);
      }
    }
    peers.keySet().removeIf(id -> layout.member(id) == null);
    introduced.removeIf(id -> layout.member(id) == null);
    candidates.keySet().removeIf(id -> layout.member(id) != null || layout.departed(id) != null);
    effect(new Effect.LayoutChanged(layout));
  }

  // Tidying up.

  private void sweepTombstones() {
    in(timing.purge().toNanos(), this::sweepTombstones);
    if (waitsFor().isPresent()) {
      return;
    }
    for (Key key : acceptor.oldTombstones(SWEEP)) {
      if (coordinates(key) && allHealthy(replicas(key))) {
        queue(key).submit(KeyQueue.Attempt.purge(deadline()));
      }
    }
  }

  private void expire(long unixMillis) {
    if (waitsFor().isPresent()) {
      return;
    }
    for (Key key : acceptor.expired(unixMillis, SWEEP)) {
      Versioned local = acceptor.value(key);
      if (local != null && coordinates(key)) {
        Mutation delete =
            new Mutation(
                new OpId(random.nextLong(), random.nextLong()),
                new Precondition.Expiring(local.version(), local.expiresAtMillis()),
                null,
                local.version());
        queue(key)
            .submit(
                new KeyQueue.Attempt(
                    delete,
                    deadline(),
                    answer -> counters.expirations += answer instanceof Answer.Applied ? 1 : 0));
      }
    }
  }

  private boolean allHealthy(Replicas replicas) {
    return replicas.all().stream().allMatch(id -> id.equals(self) || peer(id).healthy(now, timing));
  }

  /// Whether this node is the first healthy replica of the key. Only a hint: nothing goes wrong if
  /// two think so.
  private boolean coordinates(Key key) {
    for (String id : layout().placement(key)) {
      if (id.equals(self)) {
        return true;
      }
      if (peer(id).healthy(now, timing)) {
        return false;
      }
    }
    return false;
  }

  private void coordinate(String from, Message.Forward forward) {
    if (!peer(from).firstForward(forward.call())) {
      return;
    }
    KeyQueue queue = queues.get(forward.key());
    boolean earlier = forward.targetBoot() != acceptor.boot();
    if (earlier || queue != null && queue.size() >= MAX_PER_KEY) {
      // The boot it was addressed to may have carried out another copy of it.
      Answer.OfWrite refusal =
          earlier
              ? new Answer.Unknown("addressed to an earlier boot")
              : new Answer.NotApplied("too many requests for this key");
      reply(from, new Message.ForwardReply(forward.call(), refusal), 0);
      return;
    }
    queue(forward.key())
        .submit(
            new KeyQueue.Attempt(
                forward.mutation(),
                deadline(),
                answer ->
                    reply(
                        from,
                        new Message.ForwardReply(forward.call(), (Answer.OfWrite) answer),
                        0)));
  }

  private void reply(String to, Acceptor.Reply reply) {
    reply(to, reply.message(), reply.afterLsn());
  }

  void reply(String to, Message message, long afterLsn) {
    if (afterLsn <= durableLsn) {
      send(to, message);
    } else {
      held.computeIfAbsent(afterLsn, _ -> new ArrayList<>()).add(new Held(to, message));
    }
  }

  private void durable(long lsn) {
    durableLsn = Math.max(durableLsn, lsn);
    var ready = held.headMap(durableLsn, true);
    for (List<Held> replies : ready.values()) {
      for (Held reply : replies) {
        send(reply.to(), reply.message());
      }
    }
    ready.clear();
    tails.durable(durableLsn);
    if (helloWhenDurable != 0 && durableLsn >= helloWhenDurable) {
      helloWhenDurable = 0;
      hello();
    }
    if (dropWhenDurable != 0 && durableLsn >= dropWhenDurable) {
      dropWhenDurable = 0;
      cleaning = false;
      effect(new Effect.DropBelow(cleaningBelow));
      // Wait for the new shape of the log before looking again.
      shape = new Event.LogShape(1, shape.segmentBytes(), 0);
    }
  }

  private void drain() {
    for (Local local = locals.poll(); local != null; local = locals.poll()) {
      deliver(self, local.message());
    }
  }

  private long append(LogRecord record) {
    long lsn = nextLsn++;
    appendedBytes += record instanceof LogRecord.Entry entry ? entry.value().weight() : 0;
    effect(new Effect.Append(lsn, record));
    return lsn;
  }

  /// Empties the oldest segment when the log is much larger than what lives in it: its live records
  /// are appended again, a slice at a time, and once they are durable it can go.
  private void clean() {
    if (dropWhenDurable != 0) {
      return;
    }
    if (!cleaning) {
      long bytes = shape.segments() * shape.segmentBytes();
      long wanted = 2 * acceptor.liveBytes() + 4 * shape.segmentBytes();
      if (shape.secondFirstLsn() == 0 || bytes <= wanted) {
        return;
      }
      cleaning = true;
      cleaningBelow = shape.secondFirstLsn();
      cleaned = null;
    }
    if (durableLsn >= rewrittenLsn) {
      rewrittenBytes = 0;
    } else if (rewrittenBytes > MAX_REWRITES_UNFORCED) {
      return;
    }
    long before = appendedBytes;
    cleaned = acceptor.rewriteOld(cleaned, cleaningBelow, REWRITE_SLICE);
    if (appendedBytes > before) {
      rewrittenBytes += appendedBytes - before;
      rewrittenLsn = nextLsn - 1;
    }
    if (cleaned == null) {
      dropWhenDurable = Math.max(1, nextLsn - 1);
      if (durableLsn >= dropWhenDurable) {
        durable(durableLsn);
      }
    }
  }

  private void ping() {
    hello();
    in(timing.ping().toNanos(), this::ping);
  }

  private void hello() {
    // What is not on disk yet is not said.
    long digest =
        acceptor.layout() == null || acceptor.fenceLsn() > durableLsn ? 0 : layout().digest();
    for (Peer peer : peers.values()) {
      long call = silentCall();
      peer.pinged(call, now);
      send(peer.id(), new Message.Ping(scope(), call, acceptor.disk(), nonce, digest));
    }
  }

  private void effect(Effect effect) {
    effects.add(effect);
  }

  private List<Effect> takeEffects() {
    List<Effect> taken = effects;
    effects = new ArrayList<>();
    return taken;
  }
}
