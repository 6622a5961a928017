package dev.parley.kv.core.wire;

import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Incarnation;
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
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads what [Encoder] writes. Trusts no length: anything else is a [MalformedBytesException].
public final class Decoder {

  private static final int ENTRY = 1;

  private final byte[] bytes;
  private final int end;
  private int at;

  public Decoder(byte[] bytes) {
    this(bytes, 0, bytes.length);
  }

  public Decoder(byte[] bytes, int from, int to) {
    this.bytes = bytes;
    this.at = from;
    this.end = to;
  }

  public boolean atEnd() {
    return at == end;
  }

  public int position() {
    return at;
  }

  public int u8() {
    need(1);
    return bytes[at++] & 0xff;
  }

  public int i32() {
    need(4);
    int value = (int) BigEndian.I32.get(bytes, at);
    at += 4;
    return value;
  }

  public long i64() {
    need(8);
    long value = (long) BigEndian.I64.get(bytes, at);
    at += 8;
    return value;
  }

  public boolean flag() {
    return switch (u8()) {
      case 0 -> false;
      case 1 -> true;
      default -> throw malformed("a flag");
    };
  }

  public byte[] blob() {
    int length = length();
    at += length;
    return Arrays.copyOfRange(bytes, at - length, at);
  }

  public byte @Nullable [] optionalBlob() {
    int before = at;
    if (i32() == Encoder.ABSENT) {
      return null;
    }
    at = before;
    return blob();
  }

  /// Of the bytes that come next, all of which are there.
  private int length() {
    int length = i32();
    if (length < 0) {
      throw malformed("a length");
    }
    need(length);
    return length;
  }

  public String text() {
    return new String(blob(), StandardCharsets.UTF_8);
  }

  /// Whether a [LogRecord.Entry] comes next.
  public boolean atEntry() {
    need(1);
    return bytes[at] == ENTRY;
  }

  /// The key of the entry that [#atEntry] found; its ballot and its value follow.
  public Key entryKey(Key.Pool pool) {
    at++;
    int length = length();
    at += length;
    try {
      return pool.key(bytes, at - length, at);
    } catch (IllegalArgumentException e) {
      throw malformed("a key");
    }
  }

  /// Leaves out what is before `position`.
  public void skipTo(int position) {
    if (position < at || position > end) {
      throw malformed("another length");
    }
    at = position;
  }

  public LogRecord record() {
    return switch (u8()) {
      case ENTRY -> new LogRecord.Entry(key(), ballot(), versioned());
      case 2 -> meta();
      case 3 -> new LogRecord.Mark();
      case 4 -> new LogRecord.Purged(key(), i64());
      case 5 -> new LogRecord.Installed(layout(), flag(), i64());
      default -> throw malformed("a record type");
    };
  }

  public Message message() {
    return switch (u8()) {
      case 1 -> new Message.Prepare(scope(), i64(), key(), ballot(), ballot());
      case 2 -> new Message.Promise(i64(), ballot(), optionalVersioned(), i64(), flag());
      case 3 -> new Message.Nack(i64(), ballot());
      case 4 -> new Message.Accept(scope(), i64(), key(), ballot(), versioned(), ballot());
      case 5 -> new Message.Accepted(i64(), ballot(), flag(), flag());
      case 6 -> new Message.Read(scope(), i64(), key(), flag());
      case 7 -> new Message.ReadReply(i64(), ballot(), i64(), optionalVersioned(), i64());
      case 8 -> new Message.Scan(scope(), i64(), i32(), blob(), optionalKey(), i32(), bodies());
      case 9 -> {
        long call = i64();
        int count = count();
        List<Message.ScanRow> rows = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
          rows.add(new Message.ScanRow(key(), ballot(), i64(), flag(), optionalBlob(), i64()));
        }
        yield new Message.ScanReply(call, rows, flag(), i64());
      }
      case 10 -> new Message.Forward(scope(), i64(), key(), mutation(), i64());
      case 11 -> new Message.ForwardReply(i64(), answer());
      case 12 -> new Message.Stale(i64(), i64());
      case 13 -> new Message.Ping(scope(), i64(), op(), i64(), i64());
      case 14 -> new Message.Pong(i64());
      case 15 -> new Message.Purge(scope(), i64(), key(), ballot());
      case 16 -> new Message.Purged(i64());
      case 17 -> new Message.Refused(i64(), i64(), text());
      case 18 -> new Message.AskLayout(scope(), i64());
      case 19 -> new Message.Install(scope(), i64(), layout());
      case 20 -> new Message.Installed(i64(), i64(), i64());
      case 30 -> new Message.Raise(scope(), i64(), i64());
      case 31 -> new Message.Raised(i64());
      case 32 -> new Message.Digest(scope(), i64(), i32());
      case 33 -> {
        long call = i64();
        int count = count();
        if (count > (end - at) / 8) {
          throw malformed("enough bytes");
        }
        long[] hashes = new long[count];
        for (int i = 0; i < count; i++) {
          hashes[i] = i64();
        }
        yield new Message.DigestReply(call, hashes);
      }
      case 34 -> new Message.Rows(scope(), i64(), i32(), i32(), optionalKey(), i32());
      case 40 -> new Message.Tail(scope(), i64(), i64(), blob(), i32());
      case 41 -> {
        long call = i64();
        int count = count();
        List<Message.TailRow> rows = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
          rows.add(new Message.TailRow(i64(), key(), ballot(), i64(), flag()));
        }
        yield new Message.TailReply(call, rows, i64(), flag());
      }
      default -> throw malformed("a message type");
    };
  }

  private Message.Scope scope() {
    return new Message.Scope(i64());
  }

  private Key key() {
    try {
      return Key.ofAnyUtf8(blob());
    } catch (IllegalArgumentException e) {
      throw malformed("a key");
    }
  }

  private @Nullable Key optionalKey() {
    byte[] utf8 = optionalBlob();
    try {
      return utf8 == null ? null : Key.ofAnyUtf8(utf8);
    } catch (IllegalArgumentException e) {
      throw malformed("a key");
    }
  }

  public Ballot ballot() {
    return new Ballot(i64(), node(), i64());
  }

  private String node() {
    int length = length();
    at += length;
    return NodeIds.of(bytes, at - length, at);
  }

  private OpId op() {
    return new OpId(i64(), i64());
  }

  private @Nullable Versioned optionalVersioned() {
    return flag() ? versioned() : null;
  }

  public Versioned versioned() {
    long version = i64();
    byte[] body = optionalBlob();
    long windowStart = i64();
    long expiresAtMillis = i64();
    int count = count();
    if (count > (end - at) / 8) {
      throw malformed("enough bytes");
    }
    if (count % 3 != 0) {
      throw malformed("operations of three numbers");
    }
    long[] memory = new long[count];
    for (int i = 0; i < count; i++) {
      memory[i] = i64();
    }
    return new Versioned(version, body, memory, windowStart, expiresAtMillis);
  }

  private LogRecord.Meta meta() {
    long boot = i64();
    OpId disk = op();
    long ceiling = i64();
    TreeMap<Integer, Long> floors = new TreeMap<>();
    for (int left = count(); left > 0; left--) {
      floors.put(i32(), i64());
    }
    TreeMap<String, Incarnation> starts = new TreeMap<>();
    for (int left = count(); left > 0; left--) {
      starts.put(text(), new Incarnation(i64(), i64()));
    }
    return new LogRecord.Meta(boot, disk, ceiling, floors, starts);
  }

  private Message.Bodies bodies() {
    int ordinal = u8();
    if (ordinal >= Message.Bodies.values().length) {
      throw malformed("which bodies");
    }
    return Message.Bodies.values()[ordinal];
  }

  public Layout layout() {
    long epoch = i64();
    List<Layout.Member> members = new ArrayList<>();
    for (int left = count(); left > 0; left--) {
      String id = text();
      String url = text();
      int weight = i32();
      String group = text();
      members.add(new Layout.Member(id, url, weight, flag() ? op() : null, group));
    }
    List<Layout.Group> groups = new ArrayList<>();
    for (int left = count(); left > 0; left--) {
      groups.add(new Layout.Group(text(), texts()));
    }
    Replicas register = replicas();
    List<Replicas> sets = new ArrayList<>();
    List<SortedMap<String, Long>> joins = new ArrayList<>();
    for (int left = count(); left > 0; left--) {
      sets.add(replicas());
      TreeMap<String, Long> joined = new TreeMap<>();
      for (int more = count(); more > 0; more--) {
        joined.put(text(), i64());
      }
      joins.add(joined);
    }
    List<Replicas> partitions = new ArrayList<>();
    List<SortedMap<String, Long>> joined = new ArrayList<>();
    for (int left = groups.size() * Layout.PARTITIONS; left > 0; left--) {
      int number = i32();
      if (number < 0 || number >= sets.size()) {
        throw malformed("a set of replicas");
      }
      partitions.add(sets.get(number));
      joined.add(joins.get(number));
    }
    List<Layout.Departed> departed = new ArrayList<>();
    for (int left = count(); left > 0; left--) {
      departed.add(new Layout.Departed(text(), text(), flag() ? op() : null));
    }
    try {
      return Layout.stored(epoch, members, groups, register, partitions, joined, departed);
    } catch (IllegalArgumentException e) {
      throw malformed("a layout");
    }
  }

  private Replicas replicas() {
    List<String> current = texts();
    List<String> next = texts();
    return next.isEmpty() ? Replicas.stable(current) : Replicas.joint(current, next);
  }

  private List<String> texts() {
    List<String> texts = new ArrayList<>();
    for (int left = count(); left > 0; left--) {
      texts.add(text());
    }
    return texts;
  }

  private Mutation mutation() {
    OpId op = op();
    byte[] body = optionalBlob();
    long base = i64();
    long expiresAtMillis = i64();
    Precondition condition =
        switch (u8()) {
          case 0 -> new Precondition.Always();
          case 1 -> new Precondition.Absent();
          case 2 -> new Precondition.Present();
          case 3 -> new Precondition.At(i64());
          case 4 -> new Precondition.Expiring(i64(), i64());
          default -> throw malformed("a precondition");
        };
    return new Mutation(op, condition, body, base, expiresAtMillis);
  }

  private Answer.OfWrite answer() {
    return switch (u8()) {
      case 1 -> new Answer.Applied(i64(), flag());
      case 2 -> new Answer.Conflict(i64());
      case 3 -> new Answer.Missing();
      case 4 -> new Answer.NotApplied(text());
      case 5 -> new Answer.NoRoom();
      case 6 -> new Answer.Unknown(text());
      case 7 -> new Answer.Forgotten(i64());
      default -> throw malformed("an answer");
    };
  }

  private int count() {
    int count = i32();
    if (count < 0 || count > end - at) {
      throw malformed("a count");
    }
    return count;
  }

  private void need(int more) {
    if (end - at < more) {
      throw malformed("enough bytes");
    }
  }

  private static MalformedBytesException malformed(String expected) {
    return new MalformedBytesException("expected " + expected);
  }
}
