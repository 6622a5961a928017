package dev.parley.kv.core.wire;

import dev.parley.kv.core.Message;
import java.util.ArrayList;
import java.util.List;

/// What one node posts to another in one go.
///
/// @param boot the sender's boot
public record Batch(String cluster, String from, long boot, List<Message> messages) {

  /// Changes with every change of the encoding. A node refuses any other.
  public static final int VERSION = 2;

  private static final int MAGIC = 0x504b5642;

  public Batch {
    messages = List.copyOf(messages);
  }

  public byte[] encode() {
    return encode(256);
  }

  /// @param expected about how many bytes it will take
  public byte[] encode(int expected) {
    Encoder out = new Encoder(expected).i32(MAGIC).u8(VERSION).text(cluster).text(from).i64(boot);
    out.i32(messages.size());
    for (Message message : messages) {
      out.message(message);
    }
    return out.toByteArray();
  }

  /// @throws MalformedBytesException if the bytes are not a batch of this version
  public static Batch decode(byte[] bytes) {
    if (bytes.length == 0) {
      throw new MalformedBytesException("a batch of messages is missing: the body is empty");
    }
    Decoder in = new Decoder(bytes);
    if (bytes.length <= 4 || in.i32() != MAGIC) {
      throw new MalformedBytesException("not a batch of messages");
    }
    int version = in.u8();
    if (version != VERSION) {
      throw new MalformedBytesException(
          "it speaks protocol version %d, this node %d".formatted(version, VERSION));
    }
    String cluster = in.text();
    String from = in.text();
    long boot = in.i64();
    int count = in.i32();
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      messages.add(in.message());
    }
    if (!in.atEnd()) {
      throw new MalformedBytesException("bytes after the last message");
    }
    return new Batch(cluster, from, boot, messages);
  }
}
