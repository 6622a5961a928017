package dev.parley.kv.core;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.PriorityQueue;
import java.util.TreeMap;
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

  /// Forwards remembered, so that a repeated one is not carried out twice.
  private static final int MAX_FORWARDS = 16384;

  /// Keys looked at in one go when the oldest log segment is emptied.
  private static final int REWRITE_SLICE = 64;

  /// The first back-off. About a round trip between machines in one building.
  private static final long ROUND_TRIP_NANOS = 1_000_000;

  private record Local(Message message) {}

  private record Call(ReplyHandler onReply, Consumer<String> onLost) {}

  private record Held(String to, Message message) {}

  /// Something to do later, unless it is cancelled first.
  static final class Alarm {
    private final long due;
    private final long order;
    private @Nullable Runnable action;

    private Alarm(long due, long order, Runnable action) {
      this.due = due;
      this.order = order;
      this.action = action;
    }

    /// Lets go of everything the action would have used.
    void cancel() {
      action = null;
    }

    private void ring() {
      Runnable ringing = action;
      action = null;
      if (ringing != null) {
        ringing.run();
      }
    }
  }

  interface ReplyHandler {
    void handle(String from, Message.Reply reply);
  }

  private final String self;
  private final Members members;
  private final Rules rules;
  private final Timing timing;
  private final RandomGenerator random;
  private final Acceptor acceptor;
  private final Counters counters = new Counters();
  private final TreeMap<String, Peer> peers = new TreeMap<>();
  private final TreeMap<Key, KeyQueue> queues = new TreeMap<>();
  private final TreeMap<Long, Call> calls = new TreeMap<>();
  private final TreeMap<Long, List<Held>> held = new TreeMap<>();
  private final PriorityQueue<Alarm> alarms =
      new PriorityQueue<>(
          Comparator.<Alarm>comparingLong(alarm -> alarm.due)
              .thenComparingLong(alarm -> alarm.order));
  private final ArrayDeque<Local> locals = new ArrayDeque<>();
  private final LinkedHashSet<String> forwardsSeen = new LinkedHashSet<>();
  private List<Effect> effects = new ArrayList<>();
  private long now;
  private long alarmOrder;
  private long nextLsn;
  private long durableLsn;
  private long nextCall;
  private long counter;
  private long epoch = 1;
  private int requests;

  private Event.LogShape shape = new Event.LogShape(1, 0, 0);
  private boolean cleaning;
  private long cleaningBelow;
  private @Nullable Key cleaned;
  private long dropWhenDurable;

  public NodeCore(
      String self,
      Members members,
      Acceptor recovered,
      long nextLsn,
      Timing timing,
      RandomGenerator random) {
    this(self, members, recovered, nextLsn, timing, random, new Rules());
  }

  NodeCore(
      String self,
      Members members,
      Acceptor recovered,
      long nextLsn,
      Timing timing,
      RandomGenerator random,
      Rules rules) {
    if (!members.ids().contains(self)) {
      throw new IllegalArgumentException(self + " is not among the members " + members.ids());
    }
    this.self = self;
    this.members = members;
    this.acceptor = recovered;
    this.nextLsn = nextLsn;
    this.durableLsn = nextLsn - 1;
    this.timing = timing;
    this.random = random;
    this.rules = rules;
    for (String id : members.ids()) {
      if (!id.equals(self)) {
        peers.put(id, new Peer(id));
      }
    }
  }

  /// Begins a new boot. The host must make the returned appends durable before it lets any other
  /// effect out, so that no ballot ever carries a boot number that could be used again.
  public List<Effect> start(long nowNanos) {
    now = nowNanos;
    acceptor.start(this::append, epoch);
    epoch = Math.max(epoch, acceptor.minEpoch());
    counter = acceptor.ceiling();
    nextCall = acceptor.boot() << 40;
    ping();
    return takeEffects();
  }

  /// What follows from `event` at the time `nowNanos`.
  public List<Effect> step(long nowNanos, Event event) {
    now = nowNanos;
    switch (event) {
      case Event.Write(var ticket, var key, var mutation) -> write(ticket, key, mutation);
      case Event.Read(var ticket, var key) -> {
        if (admit()) {
          new ReadRound(this, key, deadline(), answer -> respond(ticket, answer)).start();
        } else {
          effect(new Effect.Respond(ticket, new Answer.Unavailable("too many requests")));
        }
      }
      case Event.Scan(var ticket, var prefix, var after, var limit) -> {
        if (admit()) {
          new ScanRound(this, prefix, after, limit, deadline(), answer -> respond(ticket, answer))
              .start();
        } else {
          effect(new Effect.Respond(ticket, new Answer.Unavailable("too many requests")));
        }
      }
      case Event.Received(var from, var boot, var message) -> {
        Peer peer = peers.get(from);
        if (peer != null && boot >= peer.boot()) {
          peer.heard(now, boot);
          deliver(from, message);
        }
      }
      case Event.Undelivered(var to, var messages) -> {
        peer(to).unreachable();
        lost(to, messages);
      }
      case Event.Dropped(var to, var messages) -> lost(to, messages);
      case Event.Durable(var lsn) -> durable(lsn);
      case Event.LogShape newShape -> shape = newShape;
      case Event.Room(var full) -> acceptor.full(full);
      case Event.Idle() -> append(new LogRecord.Mark());
      case Event.Tick() -> {}
    }
    drain();
    for (Alarm next = alarms.peek(); next != null && next.due <= now; next = alarms.peek()) {
      alarms.remove();
      next.ring();
      drain();
    }
    clean();
    return takeEffects();
  }

  /// When [#step] should be called with a tick at the latest.
  public OptionalLong nextDeadline() {
    while (!alarms.isEmpty() && alarms.peek().action == null) {
      alarms.remove();
    }
    return alarms.isEmpty() ? OptionalLong.empty() : OptionalLong.of(alarms.peek().due);
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

  /// About how many bytes the values take in memory.
  public long liveBytes() {
    return acceptor.liveBytes();
  }

  /// Nanoseconds since `peer` was heard of, or empty if it never was.
  public OptionalLong silence(String peer, long nowNanos) {
    Peer known = peers.get(peer);
    return known == null || known.heard() == Long.MIN_VALUE
        ? OptionalLong.empty()
        : OptionalLong.of(Math.max(0, nowNanos - known.heard()));
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

  Members members() {
    return members;
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

  int majority() {
    return rules.majority(members.size());
  }

  Message.Scope scope() {
    return new Message.Scope(0, epoch);
  }

  Peer peer(String id) {
    Peer peer = peers.get(id);
    if (peer == null) {
      throw new IllegalArgumentException("no such peer: " + id);
    }
    return peer;
  }

  KeyQueue queue(Key key) {
    return queues.computeIfAbsent(key, k -> new KeyQueue(this, k));
  }

  void closed(Key key, KeyQueue queue) {
    queues.remove(key, queue);
  }

  long newCall(ReplyHandler onReply, Consumer<String> onLost) {
    long call = nextCall++;
    calls.put(call, new Call(onReply, onLost));
    return call;
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

  void observeEpoch(long seen) {
    if (seen > epoch) {
      epoch = seen;
      acceptor.raiseEpoch(seen);
    }
  }

  /// Full jitter: anything from nothing to twice as much at each loss, up to the bound.
  long jitter(int losses) {
    long most = Math.min(timing.maxBackoff().toNanos(), ROUND_TRIP_NANOS << Math.min(losses, 20));
    return random.nextLong(most + 1);
  }

  Alarm in(long nanos, Runnable action) {
    return at(now + nanos, action);
  }

  Alarm at(long due, Runnable action) {
    Alarm alarm = new Alarm(due, alarmOrder++, action);
    alarms.add(alarm);
    return alarm;
  }

  void send(String to, Message message) {
    if (to.equals(self)) {
      locals.add(new Local(message));
    } else {
      effect(new Effect.Send(to, message));
    }
  }

  void sendAll(Message message) {
    for (String member : members.ids()) {
      send(member, message);
    }
  }

  // The inside.

  private long deadline() {
    return now + timing.operation().toNanos();
  }

  private boolean admit() {
    if (requests == MAX_REQUESTS) {
      return false;
    }
    requests++;
    return true;
  }

  private void respond(long ticket, Answer answer) {
    requests--;
    effect(new Effect.Respond(ticket, answer));
  }

  private void write(long ticket, Key key, Mutation mutation) {
    KeyQueue queue = queues.get(key);
    if (queue != null && queue.size() >= MAX_PER_KEY || !admit()) {
      effect(new Effect.Respond(ticket, new Answer.NotApplied("too many requests")));
      return;
    }
    new WriteRequest(this, key, mutation, deadline(), answer -> respond(ticket, answer)).start();
  }

  private void lost(String to, List<Message> messages) {
    for (Message message : messages) {
      Call call = message instanceof Message.Request ? calls.get(message.call()) : null;
      if (call != null) {
        call.onLost().accept(to);
      }
    }
  }

  private void deliver(String from, Message message) {
    switch (message) {
      case Message.Request request -> {
        if (request.scope().epoch() < acceptor.minEpoch()) {
          reply(from, new Message.Stale(request.call(), acceptor.minEpoch()), 0);
          return;
        }
        observeEpoch(request.scope().epoch());
        handle(from, request);
      }
      case Message.Reply reply -> {
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
      case Message.Ping ping -> reply(from, new Message.Pong(ping.call()), 0);
      case Message.Forward forward -> coordinate(from, forward);
    }
  }

  private void coordinate(String from, Message.Forward forward) {
    if (!forwardsSeen.add(from + "/" + forward.call())) {
      return;
    }
    if (forwardsSeen.size() > MAX_FORWARDS) {
      forwardsSeen.removeFirst();
    }
    KeyQueue queue = queues.get(forward.key());
    if (forward.targetBoot() != acceptor.boot() || queue != null && queue.size() >= MAX_PER_KEY) {
      Answer.OfWrite refusal = new Answer.NotApplied("addressed to an earlier boot, or busy");
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

  private void reply(String to, Message message, long afterLsn) {
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
    cleaned = acceptor.rewriteOld(cleaned, cleaningBelow, REWRITE_SLICE);
    if (cleaned == null) {
      dropWhenDurable = Math.max(1, nextLsn - 1);
      if (durableLsn >= dropWhenDurable) {
        durable(durableLsn);
      }
    }
  }

  private void ping() {
    for (String id : peers.keySet()) {
      long call = nextCall++;
      send(id, new Message.Ping(scope(), call));
    }
    in(timing.ping().toNanos(), this::ping);
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
