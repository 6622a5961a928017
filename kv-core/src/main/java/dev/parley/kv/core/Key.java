package dev.parley.kv.core;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A key of the store: 1 to 512 bytes of UTF-8, ordered by its unsigned bytes.
public final class Key implements Comparable<Key> {

  public static final int MAX_BYTES = 512;

  /// The register that holds the cluster's [Layout]. Begins with a byte that no other key may.
  static final Key LAYOUT = new Key(new byte[] {0, 'l', 'a', 'y', 'o', 'u', 't'});

  private final byte[] utf8;

  /// The partition in the low eight bits: a key is asked for both very often.
  private final int hash;

  private Key(byte[] utf8) {
    this.utf8 = utf8;
    this.hash = hash(utf8, 0, utf8.length);
  }

  /// Gives the keys that are read somewhere, so that one that is known already need not be made
  /// again.
  public interface Pool {

    /// The key with the bytes from `from` to `to`, which are copied if they are kept.
    ///
    /// @throws IllegalArgumentException as [Key#ofAnyUtf8]
    Key key(byte[] bytes, int from, int to);
  }

  /// @throws IllegalArgumentException unless the text is 1 to 512 bytes of well-formed UTF-8
  public static Key of(String text) {
    try {
      ByteBuffer encoded =
          StandardCharsets.UTF_8
              .newEncoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .encode(java.nio.CharBuffer.wrap(text));
      byte[] bytes = new byte[encoded.remaining()];
      encoded.get(bytes);
      return ofUtf8(bytes);
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("the key is not well-formed Unicode", e);
    }
  }

  /// Takes ownership of `utf8`.
  ///
  /// @throws IllegalArgumentException unless it is 1 to 512 bytes and does not begin with NUL,
  ///     which is reserved
  public static Key ofUtf8(byte[] utf8) {
    if (utf8.length > 0 && utf8[0] == 0) {
      throw new IllegalArgumentException("the key begins with NUL");
    }
    return ofAnyUtf8(utf8);
  }

  /// Like [#ofUtf8], but reserved keys are allowed, as between nodes.
  public static Key ofAnyUtf8(byte[] utf8) {
    if (utf8.length == 0) {
      throw new IllegalArgumentException("the key is empty");
    }
    if (utf8.length > MAX_BYTES) {
      throw new IllegalArgumentException("the key is longer than " + MAX_BYTES + " bytes");
    }
    return new Key(utf8);
  }

  /// The [#hashCode] of the key with these bytes.
  static int hash(byte[] bytes, int from, int to) {
    long all = hash64(bytes, from, to);
    return (int) all & ~0xff | (int) placement(bytes, from, to, all) & 0xff;
  }

  /// Whether the key's bytes are those from `from` to `to`.
  boolean is(byte[] bytes, int from, int to) {
    return Arrays.equals(utf8, 0, utf8.length, bytes, from, to);
  }

  /// The key's own bytes: not to be changed.
  public byte[] utf8() {
    return utf8;
  }

  /// Whether the key begins with these bytes.
  public boolean startsWith(byte[] prefix) {
    return utf8.length >= prefix.length
        && Arrays.equals(utf8, 0, prefix.length, prefix, 0, prefix.length);
  }

  /// Which of the 256 partitions of its group the key lies in.
  public int partition() {
    return hash & 0xff;
  }

  /// The part before the first slash, all of it if there is none.
  public String keyspace() {
    int end = 0;
    while (end < utf8.length && utf8[end] != '/') {
      end++;
    }
    return new String(utf8, 0, end, StandardCharsets.UTF_8);
  }

  /// A hash of the part in the first pair of braces if there is one that is not empty, else of the
  /// whole key, as in Redis Cluster: keys with the same part live together.
  long placementHash() {
    return placement(utf8, 0, utf8.length, hash64(utf8));
  }

  /// @param all the hash of all the bytes
  private static long placement(byte[] bytes, int from, int to, long all) {
    int open = indexOf('{', bytes, from, to);
    int close = open < 0 ? -1 : indexOf('}', bytes, open + 1, to);
    return close > open + 1 ? hash64(bytes, open + 1, close) : all;
  }

  /// The partition of all keys with this prefix, or -1 if they may lie in several: a prefix that
  /// holds a whole part in braces decides it.
  static int partitionOfPrefix(byte[] prefix) {
    int open = indexOf('{', prefix, 0, prefix.length);
    int close = open < 0 ? -1 : indexOf('}', prefix, open + 1, prefix.length);
    return close > open + 1 ? (int) (hash64(prefix, open + 1, close) & 0xff) : -1;
  }

  private static int indexOf(char wanted, byte[] bytes, int from, int to) {
    for (int i = from; i < to; i++) {
      if (bytes[i] == wanted) {
        return i;
      }
    }
    return -1;
  }

  static long hash64(byte[] bytes) {
    return hash64(bytes, 0, bytes.length);
  }

  /// FNV-1a, its bits mixed so that every one depends on every byte.
  private static long hash64(byte[] bytes, int from, int to) {
    long hash = 0xcbf29ce484222325L;
    for (int i = from; i < to; i++) {
      hash = (hash ^ (bytes[i] & 0xff)) * 0x100000001b3L;
    }
    return mix(hash);
  }

  static long mix(long hash) {
    hash = (hash ^ (hash >>> 32)) * 0xd6e8feb86659fd93L;
    hash = (hash ^ (hash >>> 32)) * 0xd6e8feb86659fd93L;
    return hash ^ (hash >>> 32);
  }

  @Override
  public int compareTo(Key other) {
    return Arrays.compareUnsigned(utf8, other.utf8);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Key key && hash == key.hash && Arrays.equals(utf8, key.utf8);
  }

  @Override
  public int hashCode() {
    return hash;
  }

  @Override
  public String toString() {
    return new String(utf8, StandardCharsets.UTF_8);
  }
}
