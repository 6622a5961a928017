package dev.parley.kv.core.wire;

import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.Message;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.core.Versioned;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads what [Encoder] writes. Trusts no length: anything else is a [MalformedBytesException].
public final class Decoder {

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
    int value = 0;
    for (int i = 0; i < 4; i++) {
      value = value << 8 | bytes[at++] & 0xff;
    }
    return value;
  }

  public long i64() {
    need(8);
    long value = 0;
    for (int i = 0; i < 8; i++) {
      value = value << 8 | bytes[at++] & 0xff;
    }
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
    byte[] value = optionalBlob();
    if (value == null) {
      throw malformed("a length");
    }
    return value;
  }

  public byte @Nullable [] optionalBlob() {
    int length = i32();
    if (length == -1) {
      return null;
    }
    if (length < 0) {
      throw malformed("a length");
    }
    need(length);
    at += length;
    return Arrays.copyOfRange(bytes, at - length, at);
  }

  public String text() {
    return new String(blob(), StandardCharsets.UTF_8);
  }

  public LogRecord record() {
    return switch (u8()) {
      case 1 -> new LogRecord.Entry(key(), ballot(), versioned());
      case 2 -> new LogRecord.Meta(i64(), i32(), i64(), i64(), i64());
      case 3 -> new LogRecord.Mark();
      default -> throw malformed("a record type");
    };
  }

  public Message message() {
    return switch (u8()) {
      case 1 -> new Message.Prepare(scope(), i64(), key(), ballot());
      case 2 -> new Message.Promise(i64(), ballot(), optionalVersioned(), i64(), flag());
      case 3 -> new Message.Nack(i64(), ballot());
      case 4 -> new Message.Accept(scope(), i64(), key(), ballot(), versioned());
      case 5 -> new Message.Accepted(i64(), ballot());
      case 6 -> new Message.Read(scope(), i64(), key(), flag());
      case 7 -> new Message.ReadReply(i64(), ballot(), i64(), optionalVersioned(), i64());
      case 8 -> new Message.Scan(scope(), i64(), blob(), optionalKey(), i32(), flag());
      case 9 -> {
        long call = i64();
        int count = count();
        List<Message.ScanRow> rows = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
          rows.add(new Message.ScanRow(key(), ballot(), i64(), flag(), optionalBlob()));
        }
        yield new Message.ScanReply(call, rows, flag());
      }
      case 10 -> new Message.Forward(scope(), i64(), key(), mutation(), i64());
      case 11 -> new Message.ForwardReply(i64(), answer());
      case 12 -> new Message.Stale(i64(), i64());
      case 13 -> new Message.Ping(scope(), i64());
      case 14 -> new Message.Pong(i64());
      default -> throw malformed("a message type");
    };
  }

  private Message.Scope scope() {
    return new Message.Scope(i32(), i64());
  }

  private Key key() {
    try {
      return Key.ofUtf8(blob());
    } catch (IllegalArgumentException e) {
      throw malformed("a key");
    }
  }

  private @Nullable Key optionalKey() {
    byte[] utf8 = optionalBlob();
    try {
      return utf8 == null ? null : Key.ofUtf8(utf8);
    } catch (IllegalArgumentException e) {
      throw malformed("a key");
    }
  }

  private Ballot ballot() {
    return new Ballot(i64(), text().intern(), i64());
  }

  private OpId op() {
    return new OpId(i64(), i64());
  }

  private @Nullable Versioned optionalVersioned() {
    return flag() ? versioned() : null;
  }

  private Versioned versioned() {
    long version = i64();
    byte[] body = optionalBlob();
    long windowStart = i64();
    int count = count();
    List<Versioned.Trace> recent = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      recent.add(new Versioned.Trace(op(), i64(), flag()));
    }
    return new Versioned(version, body, List.copyOf(recent), windowStart);
  }

  private Mutation mutation() {
    OpId op = op();
    byte[] body = optionalBlob();
    long base = i64();
    Precondition condition =
        switch (u8()) {
          case 0 -> new Precondition.Always();
          case 1 -> new Precondition.Absent();
          case 2 -> new Precondition.Present();
          case 3 -> new Precondition.At(i64());
          default -> throw malformed("a precondition");
        };
    return new Mutation(op, condition, body, base);
  }

  private Answer.OfWrite answer() {
    return switch (u8()) {
      case 1 -> new Answer.Applied(i64(), flag());
      case 2 -> new Answer.Conflict(i64());
      case 3 -> new Answer.Missing();
      case 4 -> new Answer.NotApplied(text());
      case 5 -> new Answer.NoRoom();
      case 6 -> new Answer.Unknown(text());
      case 7 -> new Answer.Forgotten();
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
