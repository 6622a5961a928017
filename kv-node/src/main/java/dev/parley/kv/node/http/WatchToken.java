package dev.parley.kv.node.http;

import dev.parley.kv.core.WatchPosition;
import dev.parley.kv.core.wire.Decoder;
import dev.parley.kv.core.wire.Encoder;
import dev.parley.kv.core.wire.MalformedBytesException;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import java.util.TreeMap;

/// Where a watch goes on, as clients carry it: text that means nothing to them.
final class WatchToken {

  private static final int VERSION = 1;
  private static final int MAX_CHARACTERS = 8192;
  private static final int MAX_NODES = 256;

  private WatchToken() {}

  /// @param prefix what is watched: a token is good for no other
  static String of(String cluster, byte[] prefix, WatchPosition position) {
    Encoder out = new Encoder().u8(VERSION).text(cluster).i32(Arrays.hashCode(prefix));
    out.i64(position.epoch()).i32(position.sequences().size());
    for (Map.Entry<String, Long> each : position.sequences().entrySet()) {
      out.text(each.getKey()).i64(each.getValue());
    }
    return Base64.getUrlEncoder().withoutPadding().encodeToString(out.toByteArray());
  }

  /// @throws Requests.BadRequestException unless the token was given out by a node of this cluster
  ///     for this prefix
  static WatchPosition parse(String cluster, byte[] prefix, String token) {
    try {
      if (token.length() > MAX_CHARACTERS) {
        throw new IllegalArgumentException("too long");
      }
      Decoder in = new Decoder(Base64.getUrlDecoder().decode(token));
      if (in.u8() != VERSION) {
        throw new IllegalArgumentException("of another version");
      }
      if (!in.text().equals(cluster)) {
        throw bad("since belongs to another cluster");
      }
      if (in.i32() != Arrays.hashCode(prefix)) {
        throw bad("since belongs to a watch of another prefix");
      }
      long epoch = in.i64();
      int count = in.i32();
      if (count < 0 || count > MAX_NODES) {
        throw new IllegalArgumentException("too many nodes");
      }
      TreeMap<String, Long> sequences = new TreeMap<>();
      for (int i = 0; i < count; i++) {
        sequences.put(in.text(), in.i64());
      }
      if (!in.atEnd() || sequences.values().stream().anyMatch(each -> each < 0)) {
        throw new IllegalArgumentException("not a place");
      }
      return new WatchPosition(epoch, sequences);
    } catch (IllegalArgumentException | MalformedBytesException e) {
      throw bad("since is not a place that this store gave");
    }
  }

  private static Requests.BadRequestException bad(String detail) {
    return new Requests.BadRequestException(Problem.BAD_REQUEST, detail);
  }
}
