package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.PriorityQueue;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/// One replica's memory of every key: what it accepted (durable) and what it promised.
///
/// Promises are kept in memory only. In their place a *ceiling* is durable, at least as high as
/// every promised counter and raised in big steps; after a restart every key counts as promised up
/// to it. State changes in memory at once; the reply that speaks of it is held back until the
/// record behind it is on disk, so nobody ever hears of what a crash could take away.
///
/// A partition has a *floor*: every key of it without a record counts as promised up to there, and
/// every version made there lies above. It is what remains of the keys that were purged.
public final class Acceptor {

  /// Origins of ballots that are shared. Beyond this some are kept twice.
  private static final int MAX_ORIGINS = 1024;

  /// How far the ceiling jumps ahead. Wide enough that raising it is rare, and counters, having 63
  /// bits, can afford eight thousand million such jumps.
  static final long CEILING_STEP = 1 << 20;

  /// Promises held for keys that have no record. The oldest is forgotten beyond this, and what it
  /// promised then holds for all keys without a record.
  static final int MAX_BARE_PROMISES = 8192;

  /// Leaves of a partition's hash tree. With a million keys on the node, a leaf has sixty.
  static final int LEAVES = 64;

  /// Most bytes of bodies in one scan reply.
  static final int SCAN_BYTES = 2 << 20;

  /// Who made a ballot. Few did, so that the keys share them.
  private record Origin(String node, long boot) {}

  /// What is known of a key. A node may hold a million of them, so the ballots are kept as their
  /// parts, which takes an eighth less memory than with two more objects for each.
  private static final class Slot extends KeyTable.Entry {
    private long promisedCounter;
    private Origin promisedOrigin;
    private long acceptedCounter;
    private Origin acceptedOrigin;
    Versioned value;
    long lsn;

    /// Not 0 if this node itself made the promised ballot, and a quorum of this epoch both accepted
    /// what is accepted here and promised that ballot.
    private int warmEpoch;

    Slot(Key key, Ballot accepted, Origin origin, Versioned value, long lsn) {
      super(key);
      this.promisedCounter = accepted.counter();
      this.promisedOrigin = origin;
      this.acceptedCounter = accepted.counter();
      this.acceptedOrigin = origin;
      this.value = value;
      this.lsn = lsn;
    }

    Ballot promised() {
      return new Ballot(promisedCounter, promisedOrigin.node(), promisedOrigin.boot());
    }

    void promised(Ballot ballot, Origin origin) {
      warmEpoch = 0;
      promisedCounter = ballot.counter();
      promisedOrigin = origin;
    }

    Ballot accepted() {
      return new Ballot(acceptedCounter, acceptedOrigin.node(), acceptedOrigin.boot());
    }

    void accepted(Ballot ballot, Origin origin) {
      warmEpoch = 0;
      acceptedCounter = ballot.counter();
      acceptedOrigin = origin;
    }
  }

  private static final class Partition {
    /// In order, for whoever goes through them.
    final TreeMap<Key, Slot> slots = new TreeMap<>();

    /// The same, to find one. In a million keys the tree takes a dozen steps or more, each to
    /// memory that no cache holds.
    final KeyTable<Slot> byKey = new KeyTable<>();

    /// A Merkle tree of two levels over what was accepted, see [Acceptor#digest].
    final long[] leaves = new long[LEAVES];

    long floor;
  }

  private record Expiry(long atMillis, Key key) implements Comparable<Expiry> {
    @Override
    public int compareTo(Expiry other) {
      int byTime = Long.compare(atMillis, other.atMillis);
      return byTime == 0 ? key.compareTo(other.key) : byTime;
    }
  }

  /// A reply, and the record that must be durable before it leaves.
  record Reply(Message.Reply message, long afterLsn) {}

  private final String self;
  private final Rules rules;
  private final Partition[] partitions = new Partition[Layout.PARTITIONS];
  private final LinkedHashMap<Key, Ballot> barePromises = new LinkedHashMap<>();
  private final LinkedHashMap<Key, Integer> tombstones = new LinkedHashMap<>();
  private final TreeSet<Expiry> expiring = new TreeSet<>();
  private final TreeMap<String, Incarnation> starts = new TreeMap<>();
  private Ballot forgottenPromise = Ballot.ZERO;
  private Ballot recovered = Ballot.ZERO;
  private @Nullable Layout layout;
  private boolean formed;
  private OpId disk = new OpId(0, 0);
  private long boot;
  private long ceiling;
  private long metaLsn;
  private long layoutLsn;
  private long fenceLsn;
  private long liveKeys;
  private long liveBytes;
  private int sweep;
  private boolean full;
  private ToLongFunction<LogRecord> append = _ -> 0;
  private final LinkedHashMap<Origin, Origin> origins = new LinkedHashMap<>();
  private final ChangeRing changes = new ChangeRing();

  /// @param self the node whose memory this is
  public Acceptor(String self) {
    this(self, new Rules());
  }

  Acceptor(String self, Rules rules) {
    this.self = self;
    this.rules = rules;
    for (int i = 0; i < partitions.length; i++) {
      partitions[i] = new Partition();
    }
  }

  /// Takes back the log, before the node starts.
  public Replay replay() {
    return new FromLog();
  }

  private final class FromLog implements Replay {

    /// Records whose value is still to be read, counted from `first`.
    private final BitSet unread = new BitSet();

    private long first;

    @Override
    public Key key(byte[] bytes, int from, int to) {
      int hash = Key.hash(bytes, from, to);
      Slot slot = partitions[hash & 0xff].byKey.get(bytes, from, to, hash);
      return slot == null ? Key.ofAnyUtf8(Arrays.copyOfRange(bytes, from, to)) : slot.key;
    }

    @Override
    public void begins(long oldest, long proven) {
      first = oldest;
      changes.replay(oldest, proven);
    }

    @Override
    public void accepted(long lsn, Key key, Ballot ballot, long version, boolean exists) {
      put(key, slot(key), ballot, Versioned.UNREAD, lsn);
      changes.replayed(lsn, key, ballot, version, exists);
    }

    @Override
    public void record(long lsn, LogRecord record) {
      switch (record) {
        case LogRecord.Entry _ ->
            throw new IllegalArgumentException("an entry's value comes with the second reading");
        case LogRecord.Purged(var key, var floor) -> {
          remove(key);
          raise(key.partition(), floor);
        }
        case LogRecord.Meta(
                var itsBoot,
                var itsDisk,
                var itsCeiling,
                var floors,
                var itsStarts) -> {
          boot = itsBoot;
          disk = itsDisk;
          ceiling = itsCeiling;
          floors.forEach(Acceptor.this::raise);
          starts.clear();
          starts.putAll(itsStarts);
          metaLsn = lsn;
        }
        case LogRecord.Installed(var itsLayout, var itsFormed, var before) -> {
          layout = itsLayout;
          formed = itsFormed;
          layoutLsn = lsn;
          wipe(itsLayout, before);
        }
        case LogRecord.Mark() -> {}
      }
    }

    @Override
    public void readOnce(long last) {
      changes.replayedTo(last);
      for (Partition partition : partitions) {
        for (Slot slot : partition.slots.values()) {
          unread.set(Math.toIntExact(slot.lsn - first));
        }
      }
    }

    @Override
    public boolean needs(long lsn) {
      return unread.get(Math.toIntExact(lsn - first));
    }

    @Override
    public void value(long lsn, LogRecord.Entry entry) {
      Slot slot = slot(entry.key());
      if (slot == null || slot.lsn != lsn) {
        throw new IllegalStateException("the record " + lsn + " is of another key than it was");
      }
      uncount(slot.key, slot.value);
      slot.value = entry.value();
      count(slot.key, slot.value);
      unread.clear(Math.toIntExact(lsn - first));
    }

    @Override
    public void readTwice() {
      if (!unread.isEmpty()) {
        throw new IllegalStateException(
            "the value of the record " + (first + unread.nextSetBit(0)) + " was not read again");
      }
    }
  }

  /// Starts a new boot, whose number is durable once the record appended here is.
  ///
  /// @param newDisk the number this disk gets if nothing was ever written to it
  void start(ToLongFunction<LogRecord> appender, OpId newDisk) {
    append = appender;
    if (boot == 0) {
      disk = newDisk;
    }
    boot++;
    recovered = ceiling == 0 ? Ballot.ZERO : Ballot.top(ceiling);
    appendMeta();
  }

  long boot() {
    return boot;
  }

  OpId disk() {
    return disk;
  }

  long ceiling() {
    return ceiling;
  }

  /// The layout this replica is in, durable once [#fenceLsn] is; null if it knows of none.
  @Nullable Layout layout() {
    return layout;
  }

  /// What was accepted lately.
  ChangeRing changes() {
    return changes;
  }

  /// Whether all members of the first layout agreed on it.
  boolean formed() {
    return formed;
  }

  /// The record before which nothing may be said: the latest layout or number of the node's own.
  long fenceLsn() {
    return fenceLsn;
  }

  /// The record of the node's own numbers, those of its peers' starts included.
  long metaLsn() {
    return metaLsn;
  }

  long liveKeys() {
    return liveKeys;
  }

  long liveBytes() {
    return liveBytes;
  }

  /// How many tombstones wait to be purged.
  int tombstones() {
    return tombstones.size();
  }

  boolean full() {
    return full;
  }

  void full(boolean now) {
    full = now;
  }

  @Nullable Incarnation start(String peer) {
    return starts.get(peer);
  }

  /// Remembers durably how a peer started.
  void started(String peer, Incarnation start) {
    starts.put(peer, start);
    appendMeta();
  }

  /// The version this replica last accepted for the key, or the floor. It may be old, or not
  /// chosen.
  long localVersion(Key key) {
    Slot slot = slot(key);
    return slot == null ? partition(key).floor : slot.value.version();
  }

  /// The ballot this replica last accepted for the key.
  Ballot accepted(Key key) {
    Slot slot = slot(key);
    return slot == null ? Ballot.ZERO : slot.accepted();
  }

  /// The value this replica last accepted for the key.
  @Nullable Versioned value(Key key) {
    Slot slot = slot(key);
    return slot == null ? null : slot.value;
  }

  /// Remembers that a quorum accepted `ballot` and promised `next`, both of this node and boot, so
  /// that the key's next change may begin with the Accept. The coordinator leaves it here because
  /// the replica has nearly all of it anyway: for a million keys it costs no memory. It is gone as
  /// soon as this replica hears of anything newer, and with the process.
  void keepWarm(Key key, Ballot ballot, Ballot next, long epoch) {
    Slot slot = slot(key);
    if (slot != null
        && epoch <= Integer.MAX_VALUE
        && slot.accepted().equals(ballot)
        && slot.promised().equals(next)) {
      slot.warmEpoch = (int) epoch;
    }
  }

  /// What was left by [#keepWarm], which may be used once: whoever asks has it, and it is gone.
  KeyQueue.@Nullable Warm takeWarm(Key key) {
    Slot slot = slot(key);
    if (slot == null || slot.warmEpoch == 0) {
      return null;
    }
    long epoch = slot.warmEpoch;
    slot.warmEpoch = 0;
    return new KeyQueue.Warm(
        slot.promised(),
        epoch,
        new KeyQueue.Basis(slot.value, slot.accepted(), partition(key).floor, true));
  }

  /// Goes on in this layout, and forgets the keys that this node does not hold in it, or has not
  /// held all the time since: whoever asks in an earlier epoch is refused from now on, so that
  /// nobody relies on them here.
  void install(Layout newLayout, boolean nowFormed) {
    long before = layout == null ? 0 : layout.epoch();
    layout = newLayout;
    formed = nowFormed;
    wipe(newLayout, before);
    layoutLsn = append.applyAsLong(new LogRecord.Installed(newLayout, nowFormed, before));
    fenceLsn = layoutLsn;
  }

  /// A counter that no promise given so far, and no floor, lies above.
  long bound() {
    long bound = ceiling;
    for (Partition partition : partitions) {
      bound = Math.max(bound, partition.floor);
    }
    return bound;
  }

  /// Raises the floor of every partition that is moving, whoever holds it: where it is not held,
  /// the floor tells a new operation's base.
  Reply raise(Message.Raise message) {
    Layout now = layout;
    boolean raised = false;
    if (now != null) {
      for (int i = 0; i < now.partitions().size(); i++) {
        int partition = i % Layout.PARTITIONS;
        if (now.partitions().get(i).joint() && partitions[partition].floor < message.floor()) {
          raise(partition, message.floor());
          raised = true;
        }
      }
    }
    if (raised) {
      appendMeta();
    }
    return after(null, new Message.Raised(message.call()));
  }

  /// What is accepted here, summed up: one number for every partition, or for every leaf of one.
  /// Equal numbers mean equal keys at equal ballots, but for a chance of one in 2^64.
  ///
  /// @param partition -1 for all
  long[] digest(int partition) {
    if (partition >= 0) {
      return partitions[partition].leaves.clone();
    }
    long[] roots = new long[partitions.length];
    for (int i = 0; i < roots.length; i++) {
      for (int leaf = 0; leaf < LEAVES; leaf++) {
        roots[i] = Key.mix(roots[i] + leaf) ^ partitions[i].leaves[leaf];
      }
    }
    return roots;
  }

  Reply digest(Message.Digest message) {
    return after(
        null,
        new Message.DigestReply(
            message.call(), digest(Math.min(message.partition(), partitions.length - 1))));
  }

  /// Up to `limit` keys of one leaf after `after`, with what was accepted.
  Reply rows(Message.Rows message) {
    List<Message.ScanRow> rows = new ArrayList<>();
    boolean more = false;
    long lsn = 0;
    int number = Math.clamp(message.partition(), 0, partitions.length - 1);
    TreeMap<Key, Slot> slots = partitions[number].slots;
    Key after = message.after();
    for (Map.Entry<Key, Slot> entry :
        (after == null ? slots : slots.tailMap(after, false)).entrySet()) {
      Key key = entry.getKey();
      if (key.equals(Key.LAYOUT) || leaf(key) != message.leaf()) {
        continue;
      }
      if (rows.size() == message.limit()) {
        more = true;
        break;
      }
      Slot slot = entry.getValue();
      rows.add(
          new Message.ScanRow(
              key,
              slot.accepted(),
              slot.value.version(),
              slot.value.exists(),
              null,
              slot.value.expiresAtMillis()));
      lsn = Math.max(lsn, slot.lsn);
    }
    return new Reply(
        new Message.ScanReply(message.call(), rows, more, partitions[number].floor),
        rules.replyAfter(Math.max(lsn, Math.max(metaLsn, fenceLsn))));
  }

  private static int leaf(Key key) {
    return (int) (Key.hash64(key.utf8()) >>> 58);
  }

  /// Takes the key at this ballot into the hash tree, or out of it again.
  private void toggle(Key key, Ballot accepted) {
    if (key.equals(Key.LAYOUT)) {
      return; // Nodes that share no partition hold it, too.
    }
    long hash = Key.hash64(key.utf8());
    long stamp =
        Key.mix(accepted.counter() * 0x9e3779b97f4a7c15L + accepted.boot())
            ^ accepted.node().hashCode();
    partition(key).leaves[(int) (hash >>> 58)] ^= Key.mix(hash ^ stamp);
  }

  Reply prepare(Message.Prepare message) {
    Key key = message.key();
    Slot slot = slot(key);
    Ballot effective = effectivePromise(key, slot);
    if (!rules.mayPromise(effective, message.ballot())) {
      return new Reply(new Message.Nack(message.call(), effective), 0);
    }
    promise(key, slot, message.ballot());
    boolean tell = slot != null && rules.promiseTellsAccepted();
    long floor = partition(key).floor;
    Message.Promise promise =
        tell && slot != null
            ? new Message.Promise(
                message.call(),
                slot.accepted(),
                slot.accepted().equals(message.known()) ? null : slot.value,
                floor,
                full)
            : new Message.Promise(message.call(), Ballot.ZERO, null, floor, full);
    return after(slot, promise);
  }

  Reply accept(Message.Accept message) {
    Key key = message.key();
    Slot slot = slot(key);
    Ballot accepted = slot == null ? Ballot.ZERO : slot.accepted();
    Ballot ballot = message.ballot();
    Ballot next = message.next();
    Ballot effective = effectivePromise(key, slot);
    if (slot != null && ballot.equals(accepted)) {
      boolean promised = rules.mayPromiseNext(effective, next);
      if (promised) {
        promise(key, slot, next);
      }
      return after(slot, new Message.Accepted(message.call(), ballot, promised, full));
    }
    if (!rules.mayAccept(effective, accepted, ballot)) {
      return new Reply(new Message.Nack(message.call(), effective), 0);
    }
    Versioned value = message.value();
    long lsn = append.applyAsLong(new LogRecord.Entry(key, ballot, value));
    changes.accepted(lsn, key, ballot, value.version(), value.exists());
    slot = put(key, slot, ballot, value, lsn);
    boolean asked = !next.equals(Ballot.ZERO);
    if (asked) {
      promise(key, slot, next);
    }
    return after(slot, new Message.Accepted(message.call(), ballot, asked, full));
  }

  Reply read(Message.Read message) {
    Slot slot = slot(message.key());
    long floor = partition(message.key()).floor;
    if (slot == null) {
      return after(null, new Message.ReadReply(message.call(), Ballot.ZERO, 0, null, floor));
    }
    return after(
        slot,
        new Message.ReadReply(
            message.call(),
            slot.accepted(),
            slot.value.version(),
            message.body() ? slot.value : null,
            floor));
  }

  /// Forgets a key of which every replica holds the tombstone of this ballot.
  Reply purge(Message.Purge message) {
    Key key = message.key();
    Slot slot = slot(key);
    Message.Purged done = new Message.Purged(message.call());
    if (slot == null || !slot.accepted().equals(message.ballot()) || slot.value.exists()) {
      return new Reply(done, 0);
    }
    long floor =
        rules.floorAfterPurge(
            partition(key).floor, slot.accepted(), slot.value.version(), slot.promised());
    remove(key);
    raise(key.partition(), floor);
    fenceLsn = append.applyAsLong(new LogRecord.Purged(key, floor));
    return after(null, done);
  }

  /// Up to `limit` keys whose tombstones are older than the sweep before this one.
  List<Key> oldTombstones(int limit) {
    sweep++;
    List<Key> old = new ArrayList<>();
    for (Map.Entry<Key, Integer> each : tombstones.entrySet()) {
      if (sweep - each.getValue() < 2 || old.size() == limit) {
        break;
      }
      old.add(each.getKey());
    }
    // To the end of the line, so that one that cannot be purged does not hold up the others.
    for (Key key : old) {
      tombstones.remove(key);
      tombstones.put(key, sweep - 2);
    }
    return old;
  }

  /// Up to `limit` keys whose value was to expire before `unixMillis`.
  List<Key> expired(long unixMillis, int limit) {
    List<Key> found = new ArrayList<>();
    for (Expiry each : expiring) {
      if (each.atMillis() > unixMillis || found.size() == limit) {
        break;
      }
      found.add(each.key());
    }
    return found;
  }

  Reply scan(Message.Scan message) {
    byte[] prefix = message.prefix();
    int only = message.partition() >= 0 ? message.partition() : Key.partitionOfPrefix(prefix);
    List<Message.ScanRow> rows = new ArrayList<>();
    boolean more = false;
    int bytes = 0;
    long lsn = 0;
    Cursor cursor = new Cursor(prefix, message.after(), only);
    for (Map.Entry<Key, Slot> entry = cursor.next(); entry != null; entry = cursor.next()) {
      if (rows.size() == message.limit() || bytes > SCAN_BYTES) {
        more = true;
        break;
      }
      Key key = entry.getKey();
      Slot slot = entry.getValue();
      byte[] body = sendsBody(message.bodies(), key) ? slot.value.body() : null;
      rows.add(
          new Message.ScanRow(
              key,
              slot.accepted(),
              slot.value.version(),
              slot.value.exists(),
              body,
              slot.value.expiresAtMillis()));
      bytes += body == null ? 0 : body.length;
      lsn = Math.max(lsn, slot.lsn);
    }
    long floor = 0;
    for (int i = 0; i < partitions.length; i++) {
      floor = only < 0 || only == i ? Math.max(floor, partitions[i].floor) : floor;
    }
    return new Reply(
        new Message.ScanReply(message.call(), rows, more, floor),
        rules.replyAfter(Math.max(lsn, Math.max(metaLsn, fenceLsn))));
  }

  private boolean sendsBody(Message.Bodies bodies, Key key) {
    return switch (bodies) {
      case NONE -> false;
      case ALL -> true;
      case FIRST -> layout != null && layout.placement(key).getFirst().equals(self);
    };
  }

  /// The keys with a prefix in order, merged from the partitions.
  private final class Cursor {

    private static final class Head implements Comparable<Head> {
      private final java.util.Iterator<Map.Entry<Key, Slot>> rest;
      private Map.Entry<Key, Slot> entry;

      private Head(java.util.Iterator<Map.Entry<Key, Slot>> rest) {
        this.rest = rest;
        this.entry = rest.next();
      }

      @Override
      public int compareTo(Head other) {
        return entry.getKey().compareTo(other.entry.getKey());
      }
    }

    private final byte[] prefix;
    private final PriorityQueue<Head> heads = new PriorityQueue<>();

    Cursor(byte[] prefix, @Nullable Key after, int only) {
      this.prefix = prefix;
      for (int i = 0; i < partitions.length; i++) {
        if (only < 0 || only == i) {
          var iterator = from(partitions[i].slots, prefix, after).entrySet().iterator();
          if (iterator.hasNext()) {
            heads.add(new Head(iterator));
          }
        }
      }
    }

    Map.@Nullable Entry<Key, Slot> next() {
      Head head = heads.poll();
      if (head == null || !head.entry.getKey().startsWith(prefix)) {
        return null;
      }
      Map.Entry<Key, Slot> entry = head.entry;
      if (head.rest.hasNext()) {
        head.entry = head.rest.next();
        heads.add(head);
      }
      return entry;
    }
  }

  private static NavigableMap<Key, Slot> from(
      TreeMap<Key, Slot> slots, byte[] prefix, @Nullable Key after) {
    if (prefix.length == 0) {
      return after == null ? slots : slots.tailMap(after, false);
    }
    Key first = Key.ofAnyUtf8(prefix);
    return after == null || after.compareTo(first) < 0
        ? slots.tailMap(first, true)
        : slots.tailMap(after, false);
  }

  /// Appends again up to `limit` of the keys after `after` whose record is older than `below`, and
  /// says where it stopped, or null at the end. This empties the oldest segment of the log.
  @Nullable Key rewriteOld(@Nullable Key after, long below, int limit) {
    int looked = 0;
    for (int i = after == null ? 0 : after.partition(); i < partitions.length; i++) {
      TreeMap<Key, Slot> slots = partitions[i].slots;
      boolean resumed = after != null && after.partition() == i;
      for (Map.Entry<Key, Slot> entry :
          (resumed ? slots.tailMap(after, false) : slots).entrySet()) {
        if (looked++ == limit) {
          return after;
        }
        after = entry.getKey();
        Slot slot = entry.getValue();
        if (slot.lsn < below) {
          slot.lsn = append.applyAsLong(new LogRecord.Entry(after, slot.accepted(), slot.value));
        }
      }
    }
    if (metaLsn < below) {
      appendMeta();
    }
    if (layout != null && layoutLsn < below) {
      layoutLsn = append.applyAsLong(new LogRecord.Installed(layout, formed));
    }
    return null;
  }

  /// The one object for the ballot's origin, most often that which `near` has already.
  private Origin origin(Ballot ballot, @Nullable Slot near) {
    if (near != null && made(ballot, near.promisedOrigin)) {
      return near.promisedOrigin;
    }
    if (origins.size() == MAX_ORIGINS) {
      origins.clear();
    }
    return origins.computeIfAbsent(new Origin(ballot.node(), ballot.boot()), origin -> origin);
  }

  private static boolean made(Ballot ballot, Origin origin) {
    return ballot.boot() == origin.boot() && ballot.node().equals(origin.node());
  }

  private Partition partition(Key key) {
    return partitions[key.partition()];
  }

  private @Nullable Slot slot(Key key) {
    return partition(key).byKey.get(key);
  }

  private Reply after(@Nullable Slot slot, Message.Reply message) {
    long lsn = Math.max(metaLsn, fenceLsn);
    return new Reply(message, rules.replyAfter(slot == null ? lsn : Math.max(lsn, slot.lsn)));
  }

  private Ballot effectivePromise(Key key, @Nullable Slot slot) {
    if (slot != null) {
      return rules.effectivePromise(slot.promised(), slot.accepted(), recovered, null);
    }
    Ballot bare = barePromises.getOrDefault(key, Ballot.ZERO);
    long floor = partition(key).floor;
    Ballot absent = floor == 0 ? forgottenPromise : Ballot.max(Ballot.top(floor), forgottenPromise);
    return rules.effectivePromise(bare, Ballot.ZERO, recovered, absent);
  }

  private void promise(Key key, @Nullable Slot slot, Ballot ballot) {
    if (ballot.counter() > ceiling) {
      ceiling = ballot.counter() + CEILING_STEP;
      appendMeta();
    }
    if (slot != null) {
      slot.promised(ballot, origin(ballot, slot));
      return;
    }
    barePromises.remove(key);
    barePromises.put(key, ballot);
    if (barePromises.size() > MAX_BARE_PROMISES) {
      var oldest = barePromises.pollFirstEntry();
      forgottenPromise = Ballot.max(forgottenPromise, oldest.getValue());
    }
  }

  private Slot put(Key key, @Nullable Slot slot, Ballot ballot, Versioned value, long lsn) {
    if (slot == null) {
      slot = new Slot(key, ballot, origin(ballot, null), value, lsn);
      Ballot bare = barePromises.remove(key);
      if (bare != null && bare.compareTo(ballot) > 0) {
        slot.promised(bare, origin(bare, slot));
      }
      partition(key).slots.put(key, slot);
      partition(key).byKey.add(slot);
      liveBytes += key.utf8().length;
    } else {
      uncount(key, slot.value);
      toggle(key, slot.accepted());
      Origin origin = origin(ballot, slot);
      if (ballot.compareTo(slot.promised()) > 0) {
        slot.promised(ballot, origin);
      }
      slot.accepted(ballot, origin);
      slot.value = value;
      slot.lsn = lsn;
    }
    toggle(key, ballot);
    count(key, value);
    return slot;
  }

  private void remove(Key key) {
    Slot slot = partition(key).slots.remove(key);
    if (slot != null) {
      partition(key).byKey.remove(slot);
      uncount(key, slot.value);
      toggle(key, slot.accepted());
      liveBytes -= key.utf8().length;
    }
  }

  private void count(Key key, Versioned value) {
    liveBytes += value.weight();
    if (value.exists()) {
      liveKeys++;
      if (value.expiresAtMillis() != 0) {
        expiring.add(new Expiry(value.expiresAtMillis(), key));
      }
    } else {
      tombstones.put(key, sweep);
    }
  }

  private void uncount(Key key, Versioned value) {
    liveBytes -= value.weight();
    if (value.exists()) {
      liveKeys--;
      if (value.expiresAtMillis() != 0) {
        expiring.remove(new Expiry(value.expiresAtMillis(), key));
      }
    } else {
      tombstones.remove(key);
    }
  }

  private void wipe(Layout now, long before) {
    boolean holdsAll = now.distinct().stream().allMatch(each -> each.all().contains(self));
    boolean neverAway =
        now.joined().stream().allMatch(each -> each.getOrDefault(self, 0L) <= before);
    if (holdsAll && neverAway) {
      return;
    }
    for (Partition partition : partitions) {
      for (Key key : List.copyOf(partition.slots.keySet())) {
        if (!now.counts(self, key, before)) {
          remove(key);
        }
      }
    }
  }

  private void raise(int partition, long floor) {
    partitions[partition].floor = Math.max(partitions[partition].floor, floor);
  }

  private void appendMeta() {
    TreeMap<Integer, Long> floors = new TreeMap<>();
    for (int i = 0; i < partitions.length; i++) {
      if (partitions[i].floor > 0) {
        floors.put(i, partitions[i].floor);
      }
    }
    metaLsn =
        append.applyAsLong(new LogRecord.Meta(boot, disk, ceiling, floors, new TreeMap<>(starts)));
  }
}
