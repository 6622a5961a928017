package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/// One replica's memory of every key: what it accepted (durable) and what it promised.
///
/// Promises are kept in memory only. In their place a *ceiling* is durable, at least as high as
/// every promised counter and raised in big steps; after a restart every key counts as promised up
/// to it. State changes in memory at once; the reply that speaks of it is held back until the
/// record behind it is on disk, so nobody ever hears of what a crash could take away.
public final class Acceptor {

  /// How far the ceiling jumps ahead. Wide enough that raising it is rare, and counters, having 63
  /// bits, can afford eight thousand million such jumps.
  static final long CEILING_STEP = 1 << 20;

  /// Promises held for keys that have no record. The oldest is forgotten beyond this, and what it
  /// promised then holds for all keys without a record.
  static final int MAX_BARE_PROMISES = 8192;

  /// Most bytes of bodies in one scan reply.
  static final int SCAN_BYTES = 2 << 20;

  private static final class Slot {
    Ballot promised = Ballot.ZERO;
    Ballot accepted;
    Versioned value;
    long lsn;

    Slot(Ballot accepted, Versioned value, long lsn) {
      this.accepted = accepted;
      this.value = value;
      this.lsn = lsn;
    }
  }

  /// A reply, and the record that must be durable before it leaves.
  record Reply(Message.Reply message, long afterLsn) {}

  private final Rules rules;
  private final int partition;
  private final TreeMap<Key, Slot> slots = new TreeMap<>();
  private final LinkedHashMap<Key, Ballot> barePromises = new LinkedHashMap<>();
  private Ballot forgottenPromise = Ballot.ZERO;
  private Ballot recovered = Ballot.ZERO;
  private long boot;
  private long minEpoch;
  private long floor;
  private long ceiling;
  private long metaLsn;
  private long liveKeys;
  private long liveBytes;
  private boolean full;
  private ToLongFunction<LogRecord> append = _ -> 0;

  public Acceptor(int partition) {
    this(partition, new Rules());
  }

  Acceptor(int partition, Rules rules) {
    this.partition = partition;
    this.rules = rules;
  }

  /// Takes back one record of the log, in order, before the node starts.
  public void restore(long lsn, LogRecord record) {
    switch (record) {
      case LogRecord.Entry(var key, var ballot, var value) -> put(key, ballot, value, lsn);
      case LogRecord.Meta(var b, _, var epoch, var f, var c) -> {
        boot = b;
        minEpoch = epoch;
        floor = f;
        ceiling = c;
        metaLsn = lsn;
      }
      case LogRecord.Mark() -> {}
    }
  }

  /// Starts a new boot, whose number is durable once the record appended here is.
  void start(ToLongFunction<LogRecord> appender, long epoch) {
    append = appender;
    boot++;
    minEpoch = Math.max(minEpoch, epoch);
    recovered = ceiling == 0 ? Ballot.ZERO : Ballot.top(ceiling);
    appendMeta();
  }

  long boot() {
    return boot;
  }

  long ceiling() {
    return ceiling;
  }

  long minEpoch() {
    return minEpoch;
  }

  long metaLsn() {
    return metaLsn;
  }

  long liveKeys() {
    return liveKeys;
  }

  long liveBytes() {
    return liveBytes;
  }

  void full(boolean now) {
    full = now;
  }

  /// The version this replica last accepted for the key, 0 if none. It may be old, or not chosen.
  long localVersion(Key key) {
    Slot slot = slots.get(key);
    return slot == null ? floor : slot.value.version();
  }

  /// Fences every earlier epoch, durably: replies to later ones wait for it.
  void raiseEpoch(long epoch) {
    if (epoch > minEpoch) {
      minEpoch = epoch;
      appendMeta();
    }
  }

  Reply prepare(Message.Prepare message) {
    Slot slot = slots.get(message.key());
    Ballot effective = effectivePromise(message.key(), slot);
    if (!rules.mayPromise(effective, message.ballot())) {
      return new Reply(new Message.Nack(message.call(), effective), 0);
    }
    promise(message.key(), slot, message.ballot());
    boolean tell = slot != null && rules.promiseTellsAccepted();
    Message.Promise promise =
        tell && slot != null
            ? new Message.Promise(message.call(), slot.accepted, slot.value, floor, full)
            : new Message.Promise(message.call(), Ballot.ZERO, null, floor, full);
    return new Reply(promise, rules.replyAfter(Math.max(metaLsn, slot == null ? 0 : slot.lsn)));
  }

  Reply accept(Message.Accept message) {
    Slot slot = slots.get(message.key());
    Ballot accepted = slot == null ? Ballot.ZERO : slot.accepted;
    Ballot ballot = message.ballot();
    if (slot != null && ballot.equals(accepted)) {
      return new Reply(
          new Message.Accepted(message.call(), ballot),
          rules.replyAfter(Math.max(metaLsn, slot.lsn)));
    }
    Ballot effective = effectivePromise(message.key(), slot);
    if (!rules.mayAccept(effective, accepted, ballot)) {
      return new Reply(new Message.Nack(message.call(), effective), 0);
    }
    long lsn = append.applyAsLong(new LogRecord.Entry(message.key(), ballot, message.value()));
    put(message.key(), ballot, message.value(), lsn);
    return new Reply(new Message.Accepted(message.call(), ballot), rules.replyAfter(lsn));
  }

  Reply read(Message.Read message) {
    Slot slot = slots.get(message.key());
    if (slot == null) {
      return new Reply(new Message.ReadReply(message.call(), Ballot.ZERO, 0, null, floor), metaLsn);
    }
    return new Reply(
        new Message.ReadReply(
            message.call(),
            slot.accepted,
            slot.value.version(),
            message.body() ? slot.value : null,
            floor),
        rules.replyAfter(Math.max(metaLsn, slot.lsn)));
  }

  Reply scan(Message.Scan message) {
    List<Message.ScanRow> rows = new ArrayList<>();
    boolean more = false;
    int bytes = 0;
    long lsn = metaLsn;
    for (Map.Entry<Key, Slot> entry : from(message.prefix(), message.after()).entrySet()) {
      Key key = entry.getKey();
      if (!key.startsWith(message.prefix())) {
        break;
      }
      if (rows.size() == message.limit() || bytes > SCAN_BYTES) {
        more = true;
        break;
      }
      Slot slot = entry.getValue();
      byte[] body = message.bodies() ? slot.value.body() : null;
      rows.add(
          new Message.ScanRow(key, slot.accepted, slot.value.version(), slot.value.exists(), body));
      bytes += body == null ? 0 : body.length;
      lsn = Math.max(lsn, slot.lsn);
    }
    return new Reply(new Message.ScanReply(message.call(), rows, more), rules.replyAfter(lsn));
  }

  /// Appends again up to `limit` of the keys after `after` whose record is older than `below`, and
  /// says where it stopped, or null at the end. This empties the oldest segment of the log.
  @Nullable Key rewriteOld(@Nullable Key after, long below, int limit) {
    int looked = 0;
    var rest = after == null ? slots : slots.tailMap(after, false);
    for (Map.Entry<Key, Slot> entry : rest.entrySet()) {
      if (looked++ == limit) {
        return after;
      }
      after = entry.getKey();
      Slot slot = entry.getValue();
      if (slot.lsn < below) {
        slot.lsn = append.applyAsLong(new LogRecord.Entry(after, slot.accepted, slot.value));
      }
    }
    if (metaLsn < below) {
      appendMeta();
    }
    return null;
  }

  private NavigableMap<Key, Slot> from(byte[] prefix, @Nullable Key after) {
    if (prefix.length == 0) {
      return after == null ? slots : slots.tailMap(after, false);
    }
    Key first = Key.ofUtf8(prefix);
    return after == null || after.compareTo(first) < 0
        ? slots.tailMap(first, true)
        : slots.tailMap(after, false);
  }

  private Ballot effectivePromise(Key key, @Nullable Slot slot) {
    if (slot != null) {
      return rules.effectivePromise(slot.promised, slot.accepted, recovered, null);
    }
    Ballot bare = barePromises.getOrDefault(key, Ballot.ZERO);
    Ballot absent = floor == 0 ? forgottenPromise : Ballot.max(Ballot.top(floor), forgottenPromise);
    return rules.effectivePromise(bare, Ballot.ZERO, recovered, absent);
  }

  private void promise(Key key, @Nullable Slot slot, Ballot ballot) {
    if (ballot.counter() > ceiling) {
      ceiling = ballot.counter() + CEILING_STEP;
      appendMeta();
    }
    if (slot != null) {
      slot.promised = ballot;
      return;
    }
    barePromises.remove(key);
    barePromises.put(key, ballot);
    if (barePromises.size() > MAX_BARE_PROMISES) {
      var oldest = barePromises.pollFirstEntry();
      forgottenPromise = Ballot.max(forgottenPromise, oldest.getValue());
    }
  }

  private void put(Key key, Ballot ballot, Versioned value, long lsn) {
    Slot slot = slots.get(key);
    if (slot == null) {
      slot = new Slot(ballot, value, lsn);
      Ballot bare = barePromises.remove(key);
      slot.promised = Ballot.max(ballot, bare == null ? Ballot.ZERO : bare);
      slots.put(key, slot);
      liveBytes += key.utf8().length;
    } else {
      liveBytes -= slot.value.weight();
      liveKeys -= slot.value.exists() ? 1 : 0;
      slot.promised = Ballot.max(slot.promised, ballot);
      slot.accepted = ballot;
      slot.value = value;
      slot.lsn = lsn;
    }
    liveBytes += value.weight();
    liveKeys += value.exists() ? 1 : 0;
  }

  private void appendMeta() {
    metaLsn = append.applyAsLong(new LogRecord.Meta(boot, partition, minEpoch, floor, ceiling));
  }
}
