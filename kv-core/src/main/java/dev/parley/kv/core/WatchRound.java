package dev.parley.kv.core;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// One watch: tells which keys with a prefix changed, each version at least once or a later one of
/// the same key, rising for each key.
///
/// ```
///              every node that matters, or enough of them, said where its log ends
///   Locating ------------------------------------------------------------> Tailing
///      ^                                                                       |
///      `------------- another layout: begin again, and have the client rescan -'
/// ```
///
/// It asks every node that holds a partition in question what it accepted after the place it told
/// last ([Tails]), and passes a version on once it is chosen: when a quorum told of the same
/// ballot, or else when a linearizable read of the key says so.
///
/// **Why nothing is missed.** A chosen version was accepted by a quorum, and the nodes that are
/// heard make up a quorum of every partition, else the watch says that it is stalled; so at least
/// one node that is heard accepted it, and tells of it or of a later change of the key, each node's
/// log being told without a gap. It may tell before the version is chosen, and a read at that time
/// may not see it; therefore what a node told stays open until a version at least as high is known
/// to be chosen, or until the node tells of a later ballot on the key, or until rounds above the
/// ballot have shut it out. The place up to which a node counts as heard stays before what is open.
///
/// **Where it begins.** Whatever begins to be written after the first answer is told. A write under
/// way at that moment is in a listing made after it, or is told. If a node could not be asked where
/// its log ended then, it may have accepted the last part of such a write unheard; so when it
/// answers later, the client is told to list again. The same goes for a node that does not remember
/// as far back as it should, and for all nodes after a change of the layout.
///
/// **What is bounded.** Keys that changed and are not passed on are kept once each, whatever
/// happens to them; when there are too many, the nodes are not asked for more. If the client is
/// slow for so long that a node has forgotten what comes next, it is told to list again. Which
/// versions were passed on is remembered for the latest keys; of others a version may be repeated.
final class WatchRound {

  /// Changed keys that are not settled, beyond which the nodes are not asked for more.
  private static final int MAX_OPEN = 1024;

  /// Reads at once, so that one watch does not take the node from its clients.
  private static final int MAX_READS = 16;

  /// Changes ready to be taken, and the bytes of their values.
  private static final int MAX_READY = 256;

  private static final int MAX_READY_BYTES = 1 << 20;

  /// Larger values do not come with their change, so that a watch cannot hold too much.
  private static final int INLINE_BYTES = 64 << 10;

  /// Keys whose last version is remembered.
  private static final int REMEMBERED = 8192;

  /// How long other nodes may take to tell of the same ballot, before the key is read instead.
  private static final long GRACE_NANOS = 20_000_000L;

  /// Pause before a key is read again that a node holds at a version nobody chose yet. Its write is
  /// most likely still under way.
  private static final long[] AGAIN_NANOS = {
    100_000_000L, 400_000_000L, 1_000_000_000L, 2_000_000_000L, 5_000_000_000L
  };

  /// Reads of such a key before rounds above the ballot end the matter.
  private static final int READS_FIRST = 3;

  /// Rounds that were carried out until the ballot is certainly shut out: the first may have used a
  /// ballot that was reserved before this one was heard of.
  private static final int ROUNDS_TO_SHUT_OUT = 2;

  /// How long an answer may take that is held back for a second at most.
  private static final long ANSWER_NANOS = 2_500_000_000L;

  /// A node that was not heard of for this long is not counted.
  private static final long SILENT_NANOS = 3_000_000_000L;

  /// Pause before a node is asked again that could not be reached.
  private static final long RETRY_NANOS = 250_000_000L;

  /// How long to wait for the last nodes when enough have said where their logs end.
  private static final long LOCATE_NANOS = 500_000_000L;

  /// With nothing to tell, an answer is given all the same after this, so that the place to go on
  /// from does not grow old.
  private static final long IDLE_NANOS = 10_000_000_000L;

  /// The same if nodes told of what was passed on before, so that it is not repeated to one who
  /// comes back.
  private static final long MOVED_NANOS = 1_000_000_000L;

  /// A client that has not asked for more for this long is gone.
  private static final long ABANDONED_NANOS = 60_000_000_000L;

  /// How often the watch looks after itself, at least.
  private static final long LOOK_NANOS = 250_000_000L;

  /// One node that is asked.
  private static final class Source {
    /// All up to here was told; below 0 until that is known.
    long position = -1;
    long call;
    boolean asking;
    long askedAt;
    long askAgainAt = Long.MIN_VALUE;
    long heardAt = Long.MIN_VALUE;
  }

  /// A key that changed, and what is not settled about it.
  private static final class Open {
    /// The first place in each node's log that this is about.
    final TreeMap<String, Long> since = new TreeMap<>();

    /// The latest thing that each node told.
    final TreeMap<String, Message.TailRow> told = new TreeMap<>();
    long due;
    boolean reading;
    int reads;
    int rounds;

    /// Counts what was told, so that a round is known to have begun after all of it.
    int news;
  }

  /// A change that nobody has taken yet.
  private record Ready(Answer.Change change, TreeMap<String, Long> since) {}

  private record Known(long version, boolean exists) {}

  private final NodeCore node;
  private final long number;
  private final byte[] prefix;
  private final boolean values;
  private final Runnable onEnd;
  private final TreeMap<String, Source> sources = new TreeMap<>();
  private final LinkedHashMap<Key, Open> open = new LinkedHashMap<>();
  private final LinkedHashMap<Key, Ready> ready = new LinkedHashMap<>();
  private final LinkedHashMap<Key, Known> known = new LinkedHashMap<>();
  private final EnumSet<Answer.Signal> signals = EnumSet.noneOf(Answer.Signal.class);
  private List<Replicas> watched = List.of();
  private long epoch;
  private boolean locating = true;
  private boolean begun;
  private boolean stalled;
  private boolean moved;
  private boolean over;
  private int reading;
  private int readyBytes;
  private long locateUntil;
  private long opened;
  private long ticket = -1;
  private long ticketSince;
  private Alarms.@Nullable Alarm alarm;
  private long alarmDue;

  /// @param number by which the client asks for more
  /// @param since where to go on, or null to begin now
  WatchRound(
      NodeCore node,
      long number,
      byte[] prefix,
      boolean values,
      @Nullable WatchPosition since,
      Runnable onEnd) {
    this.node = node;
    this.number = number;
    this.prefix = prefix;
    this.values = values;
    this.onEnd = onEnd;
    locate();
    if (since != null && since.epoch() == epoch) {
      since
          .sequences()
          .forEach(
              (id, sequence) -> {
                Source source = sources.get(id);
                if (source != null) {
                  source.position = Math.max(0, sequence);
                }
              });
      begun = true;
      signals.add(Answer.Signal.READY);
    } else if (since != null) {
      begun = true;
      signals.add(Answer.Signal.RESCAN);
    }
  }

  /// Begins; the first answer comes as soon as it is known from where everything is told.
  void start(long firstTicket) {
    opened = node.now();
    ticket = firstTicket;
    ticketSince = node.now();
    locateUntil = node.now() + LOCATE_NANOS;
    look();
  }

  /// Whoever watches wants the next answer.
  void more(long newTicket) {
    if (ticket >= 0) {
      node.answer(ticket, new Answer.Unavailable("asked twice at once"));
    }
    ticket = newTicket;
    ticketSince = node.now();
    look();
  }

  void end(String reason) {
    if (over) {
      return;
    }
    over = true;
    sources.values().forEach(source -> node.endCall(source.call));
    if (alarm != null) {
      alarm.cancel();
    }
    if (ticket >= 0) {
      node.answer(ticket, new Answer.Unavailable(reason));
      ticket = -1;
    }
    onEnd.run();
  }

  // Who is asked.

  /// Begins anew in the present layout: whoever holds a partition in which the prefix may lie.
  private void locate() {
    Layout layout = node.layout();
    epoch = layout.epoch();
    watched = watched(layout);
    sources.values().forEach(source -> node.endCall(source.call));
    sources.clear();
    open.clear();
    for (Replicas replicas : watched) {
      for (String id : replicas.all()) {
        sources.computeIfAbsent(id, _ -> new Source());
      }
    }
    locating = true;
    locateUntil = node.now() + LOCATE_NANOS;
  }

  /// The sets of replicas in which keys with the prefix may lie.
  private List<Replicas> watched(Layout layout) {
    int first = 0;
    int last = layout.groups().size();
    int slash = 0;
    while (slash < prefix.length && prefix[slash] != '/') {
      slash++;
    }
    if (slash < prefix.length) {
      // The keyspace is whole, so it is known which group holds it.
      String keyspace = Key.ofAnyUtf8(prefix).keyspace();
      first = 0;
      for (int group = 1; group < layout.groups().size(); group++) {
        first = layout.groups().get(group).keyspaces().contains(keyspace) ? group : first;
      }
      last = first + 1;
    }
    int only = Key.partitionOfPrefix(prefix);
    LinkedHashSet<Replicas> found = new LinkedHashSet<>();
    for (int group = first; group < last; group++) {
      for (int partition = 0; partition < Layout.PARTITIONS; partition++) {
        if (only < 0 || only == partition) {
          found.add(layout.partitions().get(group * Layout.PARTITIONS + partition));
        }
      }
    }
    return List.copyOf(found);
  }

  private boolean covered(TreeSet<String> ids) {
    for (Replicas each : watched) {
      if (!node.rules().quorum(each, ids)) {
        return false;
      }
    }
    return true;
  }

  private void ask(String id, Source source) {
    if (source.asking) {
      node.endCall(source.call);
    }
    source.asking = true;
    source.askedAt = node.now();
    source.call = node.newCall((from, reply) -> answered(from, source, reply), _ -> lost(source));
    node.send(
        id, new Message.Tail(node.scope(), source.call, source.position, prefix, Tails.MAX_ROWS));
  }

  private void lost(Source source) {
    node.endCall(source.call);
    source.asking = false;
    source.askAgainAt = node.now() + RETRY_NANOS;
  }

  private void answered(String from, Source source, Message.Reply reply) {
    if (over || sources.get(from) != source) {
      return;
    }
    if (!(reply instanceof Message.TailReply told)) {
      lost(source);
      look();
      return;
    }
    node.endCall(source.call);
    source.asking = false;
    source.askAgainAt = Long.MIN_VALUE;
    source.heardAt = node.now();
    if (source.position < 0) {
      source.position = told.next();
      if (begun) {
        // It may have accepted the last part of a write of which the others told before.
        signals.add(Answer.Signal.RESCAN);
      }
    } else if (told.truncated()) {
      source.position = told.next();
      signals.add(Answer.Signal.RESCAN);
    } else {
      source.position = Math.max(source.position, told.next());
      for (Message.TailRow row : told.rows()) {
        heard(from, row);
      }
    }
    look();
  }

  // What changed.

  private long knownVersion(Key key) {
    Known last = known.get(key);
    return last == null ? 0 : last.version();
  }

  private void heard(String from, Message.TailRow row) {
    moved = true;
    if (!row.key().startsWith(prefix)) {
      return;
    }
    Open each = open.get(row.key());
    if (row.version() <= knownVersion(row.key())) {
      Ready covering = ready.get(row.key());
      if (covering != null) {
        covering.since().merge(from, row.seq(), Math::min);
      }
      if (each != null) {
        each.told.put(from, row);
        judge(row.key(), each);
      }
      return;
    }
    if (each == null) {
      each = new Open();
      each.due = node.now() + GRACE_NANOS;
      open.put(row.key(), each);
    }
    each.since.putIfAbsent(from, row.seq());
    each.told.put(from, row);
    each.news++;
    each.reads = 0;
    each.rounds = 0;
    judge(row.key(), each);
  }

  /// Finds out whether a quorum told of the same ballot, and whether anything is left to find out.
  private void judge(Key key, Open each) {
    Replicas replicas = node.replicas(key);
    TreeMap<Ballot, TreeSet<String>> votes = new TreeMap<>();
    for (var told : each.told.entrySet()) {
      if (told.getValue().version() > knownVersion(key)) {
        votes.computeIfAbsent(told.getValue().ballot(), _ -> new TreeSet<>()).add(told.getKey());
      }
    }
    if (votes.isEmpty()) {
      settled(key, each);
      return;
    }
    for (var vote : votes.entrySet()) {
      if (!node.rules().readQuorum(replicas, vote.getValue())) {
        continue;
      }
      Message.TailRow row = requireNonNull(each.told.get(vote.getValue().getFirst()));
      Versioned own =
          node.acceptor().accepted(key).equals(row.ballot()) ? node.acceptor().value(key) : null;
      if (!row.exists()) {
        chosen(key, new Answer.Change(key, row.version(), true, null, 0), each);
      } else if (!values) {
        chosen(key, new Answer.Change(key, row.version(), false, null, 0), each);
      } else if (own != null) {
        chosen(key, exists(key, own.version(), own.body(), own.expiresAtMillis()), each);
      } else {
        each.due = Math.min(each.due, node.now());
        continue;
      }
      judge(key, each);
      return;
    }
  }

  /// Nothing is left to find out about the key.
  private void settled(Key key, Open each) {
    if (each.reading) {
      return; // When the read ends, this is looked at again.
    }
    open.remove(key);
    Ready covering = ready.get(key);
    if (covering != null) {
      each.since.forEach((id, sequence) -> covering.since().merge(id, sequence, Math::min));
    }
  }

  /// This change is known to be chosen, and newer than what is known of its key.
  private void chosen(Key key, Answer.Change change, Open each) {
    Ready before = ready.remove(key);
    TreeMap<String, Long> since = new TreeMap<>(each.since);
    if (before != null) {
      readyBytes -= weight(before.change());
      before.since().forEach((id, sequence) -> since.merge(id, sequence, Math::min));
    }
    ready.put(key, new Ready(change, since));
    readyBytes += weight(change);
    long version = Math.max(change.version(), knownVersion(key));
    known.remove(key);
    known.put(key, new Known(version, !change.deleted()));
    if (known.size() > REMEMBERED) {
      known.pollFirstEntry();
    }
  }

  private Answer.Change exists(Key key, long version, byte @Nullable [] body, long expires) {
    boolean inline = values && body != null && body.length <= INLINE_BYTES;
    return new Answer.Change(key, version, false, inline ? body : null, inline ? expires : 0);
  }

  private static int weight(Answer.Change change) {
    return change.key().utf8().length + (change.body() == null ? 0 : change.body().length);
  }

  private void read(Key key, Open each) {
    each.reading = true;
    reading++;
    long began = epoch;
    int news = each.news;
    for (Message.TailRow row : each.told.values()) {
      node.observe(row.ballot().counter());
    }
    if (each.reads >= READS_FIRST) {
      node.queue(key)
          .submit(
              new KeyQueue.Attempt(
                  null,
                  node.deadline(),
                  answer -> {
                    if (each.news == news && !(answer instanceof Answer.Unavailable)) {
                      each.rounds++;
                    }
                    found(began, key, each, answer, 0);
                  }));
      return;
    }
    ReadRound[] round = new ReadRound[1];
    round[0] =
        new ReadRound(
            node,
            key,
            node.deadline(),
            answer -> found(began, key, each, answer, round[0].version()));
    round[0].start();
  }

  private void found(long began, Key key, Open each, Answer answer, long version) {
    each.reading = false;
    reading--;
    if (over || began != epoch || open.get(key) != each) {
      return;
    }
    each.due = node.now() + AGAIN_NANOS[Math.min(each.reads, AGAIN_NANOS.length - 1)];
    each.reads += answer instanceof Answer.Unavailable ? 0 : 1;
    switch (answer) {
      case Answer.Found(var itsVersion, var body, var expires) -> {
        if (itsVersion > knownVersion(key)) {
          chosen(key, exists(key, itsVersion, body, expires), each);
        }
      }
      case Answer.Absent() -> absent(key, each, version);
      default -> {}
    }
    if (each.rounds >= ROUNDS_TO_SHUT_OUT) {
      // Nobody chose it, and a quorum has promised not to any more.
      each.told.clear();
    }
    judge(key, each);
    look();
  }

  /// @param version that of the tombstone, 0 if it is not known
  private void absent(Key key, Open each, long version) {
    Message.TailRow highest = null;
    for (Message.TailRow row : each.told.values()) {
      highest = highest == null || row.version() > highest.version() ? row : highest;
    }
    long deleted = version;
    if (deleted == 0 && highest != null && !highest.exists()) {
      deleted = highest.version(); // Forgotten by the replicas already, or read in another way.
    }
    Known last = known.get(key);
    if (deleted > knownVersion(key) || deleted == 0 && last != null && last.exists()) {
      chosen(key, new Answer.Change(key, deleted, true, null, 0), each);
    }
  }

  // What is told.

  /// Does everything that is due.
  private void look() {
    if (over) {
      return;
    }
    long now = node.now();
    if (ticket < 0 && now - ticketSince > ABANDONED_NANOS) {
      end("nobody asked for more");
      return;
    }
    if (epoch != node.epoch()) {
      if (node.layout().member(node.self()) == null) {
        end("this node was removed from the cluster");
        return;
      }
      locate();
      if (begun) {
        signals.add(Answer.Signal.RESCAN);
      }
    }
    askAround(now);
    if (locating) {
      located(now);
    }
    if (over) {
      return;
    }
    if (begun && !locating) {
      checkStall(now);
    }
    for (Map.Entry<Key, Open> each : List.copyOf(open.entrySet())) {
      if (reading >= MAX_READS || ready.size() >= MAX_READY || readyBytes >= MAX_READY_BYTES) {
        break;
      }
      if (!each.getValue().reading
          && each.getValue().due <= now
          && open.get(each.getKey()) == each.getValue()) {
        read(each.getKey(), each.getValue());
      }
    }
    if (!over) {
      tell(now);
      rearm(now);
    }
  }

  private void askAround(long now) {
    boolean room =
        open.size() < MAX_OPEN && ready.size() < MAX_READY && readyBytes < MAX_READY_BYTES;
    for (var each : sources.entrySet()) {
      Source source = each.getValue();
      if (source.asking && now - source.askedAt > ANSWER_NANOS) {
        lost(source);
        source.askAgainAt = now;
      }
      if (!source.asking && room && source.askAgainAt <= now) {
        ask(each.getKey(), source);
      }
    }
  }

  private void located(long now) {
    TreeSet<String> ids = new TreeSet<>();
    sources.forEach(
        (id, source) -> {
          if (source.position >= 0) {
            ids.add(id);
          }
        });
    if (covered(ids) && (ids.size() == sources.size() || now >= locateUntil)) {
      locating = false;
      if (!begun) {
        begun = true;
        signals.add(Answer.Signal.READY);
      }
    } else if (!begun && now - opened > node.timing().operation().toNanos()) {
      end("no majority of the nodes answered in time");
    } else if (begun && now >= locateUntil + SILENT_NANOS && !stalled) {
      stalled = true;
      signals.add(Answer.Signal.STALLED);
    }
  }

  private void checkStall(long now) {
    TreeSet<String> heard = new TreeSet<>();
    sources.forEach(
        (id, source) -> {
          boolean lately = source.heardAt != Long.MIN_VALUE && now - source.heardAt < SILENT_NANOS;
          // A node is not asked while there is no room for its answer; that is not its fault.
          boolean held = !source.asking && source.heardAt != Long.MIN_VALUE;
          if (source.position >= 0 && (lately || held && source.askAgainAt == Long.MIN_VALUE)) {
            heard.add(id);
          }
        });
    boolean enough = covered(heard) || now - opened < SILENT_NANOS;
    if (stalled == enough) {
      stalled = !enough;
      signals.remove(enough ? Answer.Signal.STALLED : Answer.Signal.RESUMED);
      signals.add(enough ? Answer.Signal.RESUMED : Answer.Signal.STALLED);
    }
  }

  private void tell(long now) {
    if (ticket < 0) {
      return;
    }
    Answer.Signal signal = null;
    if (stalled && signals.contains(Answer.Signal.STALLED)) {
      signal = Answer.Signal.STALLED;
    } else if (!locating && !signals.isEmpty()) {
      // In the order of their declaration; one after the other.
      signal = signals.iterator().next();
    } else if (!ready.isEmpty()
        || begun && !locating && now - ticketSince >= (moved ? MOVED_NANOS : IDLE_NANOS)) {
      signal = Answer.Signal.CHANGES;
    }
    if (signal == null) {
      return;
    }
    signals.remove(signal);
    List<Answer.Change> changes = new ArrayList<>();
    if (signal == Answer.Signal.CHANGES) {
      ready.values().forEach(each -> changes.add(each.change()));
      ready.clear();
      readyBytes = 0;
    }
    moved = !open.isEmpty();
    long taken = ticket;
    ticket = -1;
    ticketSince = now;
    // Whoever comes back with a place from before a rescan that it was not told of has to rescan.
    WatchPosition place =
        signals.contains(Answer.Signal.RESCAN)
            ? new WatchPosition(epoch, new TreeMap<>())
            : position();
    node.answer(taken, new Answer.Watched(number, signal, changes, place));
  }

  /// Up to where each node's log was passed on.
  private WatchPosition position() {
    TreeMap<String, Long> places = new TreeMap<>();
    sources.forEach(
        (id, source) -> {
          if (source.position >= 0) {
            places.put(id, source.position);
          }
        });
    for (Open each : open.values()) {
      each.since.forEach((id, first) -> places.merge(id, first - 1, Math::min));
    }
    for (Ready each : ready.values()) {
      each.since().forEach((id, first) -> places.merge(id, first - 1, Math::min));
    }
    return new WatchPosition(epoch, places);
  }

  /// Wakes when the next thing is due.
  private void rearm(long now) {
    long due = now + LOOK_NANOS;
    if (ready.size() < MAX_READY && reading < MAX_READS) {
      for (Open each : open.values()) {
        due = each.reading ? due : Math.min(due, Math.max(each.due, now + 1_000_000));
      }
    }
    if (alarm != null && alarmDue > now && alarmDue <= due) {
      return;
    }
    if (alarm != null) {
      alarm.cancel();
    }
    alarmDue = due;
    alarm =
        node.at(
            due,
            () -> {
              alarm = null;
              look();
            });
  }
}
