package dev.parley.kv.core.wire;

import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Layout;
import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.Message;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.core.Replicas;
import dev.parley.kv.core.Versioned;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;

/// Writes protocol types as bytes, big-endian, every variable part after its length. [Decoder]
/// reads them back.
public final class Encoder {

  /// Stands for the length of bytes that are not there.
  public static final int ABSENT = -1;

  private byte[] bytes;
  private int size;

  public Encoder() {
    this(256);
  }

  /// @param expected about how many bytes will be written, so that none are copied while it grows
  public Encoder(int expected) {
    bytes = new byte[Math.max(16, expected)];
  }

  public int size() {
    return size;
  }

  /// A copy of what was written.
  public byte[] toByteArray() {
    return Arrays.copyOf(bytes, size);
  }

  /// Copies what was written to `target` at `offset`.
  public void copyTo(byte[] target, int offset) {
    System.arraycopy(bytes, 0, target, offset, size);
  }

  /// What was written is the first [#size] bytes of this array, until more is written.
  public byte[] array() {
    return bytes;
  }

  /// Takes back what was written beyond the first `length` bytes.
  public void truncate(int length) {
    size = Math.min(size, length);
  }

  /// Writes `value` over the four bytes at `at`.
  public void setI32(int at, int value) {
    BigEndian.I32.set(bytes, at, value);
  }

  public Encoder u8(int value) {
    room(1);
    bytes[size++] = (byte) value;
    return this;
  }

  public Encoder i32(int value) {
    room(4);
    BigEndian.I32.set(bytes, size, value);
    size += 4;
    return this;
  }

  public Encoder i64(long value) {
    room(8);
    BigEndian.I64.set(bytes, size, value);
    size += 8;
    return this;
  }

  public Encoder flag(boolean value) {
    return u8(value ? 1 : 0);
  }

  public Encoder blob(byte[] value) {
    i32(value.length);
    room(value.length);
    System.arraycopy(value, 0, bytes, size, value.length);
    size += value.length;
    return this;
  }

  public Encoder optionalBlob(byte @Nullable [] value) {
    return value == null ? i32(ABSENT) : blob(value);
  }

  public Encoder text(String value) {
    return blob(value.getBytes(StandardCharsets.UTF_8));
  }

  public Encoder record(LogRecord record) {
    return switch (record) {
      case LogRecord.Entry(var key, var ballot, var value) ->
          u8(1).key(key).ballot(ballot).versioned(value);
      case LogRecord.Meta(var boot, var disk, var ceiling, var floors, var starts) -> {
        u8(2).i64(boot).op(disk).i64(ceiling).i32(floors.size());
        floors.forEach((partition, floor) -> i32(partition).i64(floor));
        i32(starts.size());
        starts.forEach((id, start) -> text(id).i64(start.boot()).i64(start.nonce()));
        yield this;
      }
      case LogRecord.Mark() -> u8(3);
      case LogRecord.Purged(var key, var floor) -> u8(4).key(key).i64(floor);
      case LogRecord.Installed(var layout, var formed, var before) ->
          u8(5).layout(layout).flag(formed).i64(before);
    };
  }

  public Encoder message(Message message) {
    return switch (message) {
      case Message.Prepare(var scope, var call, var key, var ballot, var known) ->
          u8(1).scope(scope).i64(call).key(key).ballot(ballot).ballot(known);
      case Message.Promise(var call, var accepted, var value, var floor, var full) ->
          u8(2).i64(call).ballot(accepted).optionalVersioned(value).i64(floor).flag(full);
      case Message.Nack(var call, var promised) -> u8(3).i64(call).ballot(promised);
      case Message.Accept(var scope, var call, var key, var ballot, var value, var next) ->
          u8(4).scope(scope).i64(call).key(key).ballot(ballot).versioned(value).ballot(next);
      case Message.Accepted(var call, var ballot, var next, var full) ->
          u8(5).i64(call).ballot(ballot).flag(next).flag(full);
      case Message.Read(var scope, var call, var key, var body) ->
          u8(6).scope(scope).i64(call).key(key).flag(body);
      case Message.ReadReply(var call, var accepted, var version, var value, var floor) ->
          u8(7).i64(call).ballot(accepted).i64(version).optionalVersioned(value).i64(floor);
      case Message.Scan(
              var scope,
              var call,
              var partition,
              var prefix,
              var after,
              var limit,
              var bodies) ->
          u8(8)
              .scope(scope)
              .i64(call)
              .i32(partition)
              .blob(prefix)
              .optionalBlob(after == null ? null : after.utf8())
              .i32(limit)
              .u8(bodies.ordinal());
      case Message.ScanReply(var call, var rows, var more, var floor) -> {
        u8(9).i64(call).i32(rows.size());
        for (Message.ScanRow row : rows) {
          key(row.key()).ballot(row.accepted()).i64(row.version()).flag(row.exists());
          optionalBlob(row.body()).i64(row.expiresAtMillis());
        }
        yield flag(more).i64(floor);
      }
      case Message.Forward(var scope, var call, var key, var mutation, var targetBoot) ->
          u8(10).scope(scope).i64(call).key(key).mutation(mutation).i64(targetBoot);
      case Message.ForwardReply(var call, var answer) -> u8(11).i64(call).answer(answer);
      case Message.Stale(var call, var epoch) -> u8(12).i64(call).i64(epoch);
      case Message.Ping(var scope, var call, var disk, var nonce, var digest) ->
          u8(13).scope(scope).i64(call).op(disk).i64(nonce).i64(digest);
      case Message.Pong(var call) -> u8(14).i64(call);
      case Message.Purge(var scope, var call, var key, var ballot) ->
          u8(15).scope(scope).i64(call).key(key).ballot(ballot);
      case Message.Purged(var call) -> u8(16).i64(call);
      case Message.Refused(var call, var boot, var reason) ->
          u8(17).i64(call).i64(boot).text(reason);
      case Message.AskLayout(var scope, var call) -> u8(18).scope(scope).i64(call);
      case Message.Install(var scope, var call, var layout) ->
          u8(19).scope(scope).i64(call).layout(layout);
      case Message.Installed(var call, var epoch, var bound) ->
          u8(20).i64(call).i64(epoch).i64(bound);
      case Message.Raise(var scope, var call, var floor) ->
          u8(30).scope(scope).i64(call).i64(floor);
      case Message.Raised(var call) -> u8(31).i64(call);
      case Message.Digest(var scope, var call, var partition) ->
          u8(32).scope(scope).i64(call).i32(partition);
      case Message.DigestReply(var call, var hashes) -> {
        u8(33).i64(call).i32(hashes.length);
        for (long hash : hashes) {
          i64(hash);
        }
        yield this;
      }
      case Message.Rows(var scope, var call, var partition, var leaf, var after, var limit) ->
          u8(34)
              .scope(scope)
              .i64(call)
              .i32(partition)
              .i32(leaf)
              .optionalBlob(after == null ? null : after.utf8())
              .i32(limit);
      case Message.Tail(var scope, var call, var since, var prefix, var limit) ->
          u8(40).scope(scope).i64(call).i64(since).blob(prefix).i32(limit);
      case Message.TailReply(var call, var rows, var next, var truncated) -> {
        u8(41).i64(call).i32(rows.size());
        for (Message.TailRow row : rows) {
          i64(row.seq()).key(row.key()).ballot(row.ballot()).i64(row.version()).flag(row.exists());
        }
        yield i64(next).flag(truncated);
      }
    };
  }

  public Encoder layout(Layout layout) {
    i64(layout.epoch()).i32(layout.members().size());
    for (Layout.Member member : layout.members()) {
      text(member.id()).text(member.url()).i32(member.weight()).text(member.group());
      disk(member.disk());
    }
    i32(layout.groups().size());
    for (Layout.Group group : layout.groups()) {
      text(group.name()).texts(group.keyspaces());
    }
    replicas(layout.register());
    // Many partitions have the same replicas: they are said once, and then by number.
    LinkedHashMap<Holding, Integer> numbers = new LinkedHashMap<>();
    List<Integer> holdings = new ArrayList<>();
    for (int i = 0; i < layout.partitions().size(); i++) {
      Holding holding = new Holding(layout.partitions().get(i), layout.joined().get(i));
      int next = numbers.size();
      holdings.add(numbers.computeIfAbsent(holding, _ -> next));
    }
    i32(numbers.size());
    for (Holding each : numbers.keySet()) {
      replicas(each.replicas()).i32(each.joined().size());
      each.joined().forEach((id, epoch) -> text(id).i64(epoch));
    }
    holdings.forEach(this::i32);
    i32(layout.departed().size());
    for (Layout.Departed each : layout.departed()) {
      text(each.id()).text(each.url()).disk(each.disk());
    }
    return this;
  }

  private record Holding(Replicas replicas, SortedMap<String, Long> joined) {}

  private Encoder disk(@Nullable OpId disk) {
    return disk == null ? u8(0) : u8(1).op(disk);
  }

  private Encoder replicas(Replicas replicas) {
    return texts(replicas.current()).texts(replicas.next());
  }

  private Encoder texts(List<String> texts) {
    i32(texts.size());
    texts.forEach(this::text);
    return this;
  }

  private Encoder scope(Message.Scope scope) {
    return i64(scope.epoch());
  }

  private Encoder key(Key key) {
    return blob(key.utf8());
  }

  private Encoder ballot(Ballot ballot) {
    return i64(ballot.counter()).text(ballot.node()).i64(ballot.boot());
  }

  private Encoder op(OpId op) {
    return i64(op.high()).i64(op.low());
  }

  private Encoder optionalVersioned(@Nullable Versioned value) {
    return value == null ? u8(0) : u8(1).versioned(value);
  }

  private Encoder versioned(Versioned value) {
    i64(value.version()).optionalBlob(value.body()).i64(value.windowStart());
    i64(value.expiresAtMillis()).i32(value.memory().length);
    for (long number : value.memory()) {
      i64(number);
    }
    return this;
  }

  private Encoder mutation(Mutation mutation) {
    op(mutation.op()).optionalBlob(mutation.body()).i64(mutation.base());
    i64(mutation.expiresAtMillis());
    return switch (mutation.condition()) {
      case Precondition.Always() -> u8(0);
      case Precondition.Absent() -> u8(1);
      case Precondition.Present() -> u8(2);
      case Precondition.At(var version) -> u8(3).i64(version);
      case Precondition.Expiring(var version, var atMillis) -> u8(4).i64(version).i64(atMillis);
    };
  }

  private Encoder answer(Answer.OfWrite answer) {
    return switch (answer) {
      case Answer.Applied(var version, var existed) -> u8(1).i64(version).flag(existed);
      case Answer.Conflict(var version) -> u8(2).i64(version);
      case Answer.Missing() -> u8(3);
      case Answer.NotApplied(var reason) -> u8(4).text(reason);
      case Answer.NoRoom() -> u8(5);
      case Answer.Unknown(var reason) -> u8(6).text(reason);
      case Answer.Forgotten(var version) -> u8(7).i64(version);
    };
  }

  private void room(int more) {
    if (bytes.length - size < more) {
      bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, Math.addExact(size, more)));
    }
  }
}
