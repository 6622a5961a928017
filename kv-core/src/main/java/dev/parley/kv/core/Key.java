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

  private final byte[] utf8;

  private Key(byte[] utf8) {
    this.utf8 = utf8;
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
  /// @throws IllegalArgumentException unless it is 1 to 512 bytes
  public static Key ofUtf8(byte[] utf8) {
    if (utf8.length == 0) {
      throw new IllegalArgumentException("the key is empty");
    }
    if (utf8.length > MAX_BYTES) {
      throw new IllegalArgumentException("the key is longer than " + MAX_BYTES + " bytes");
    }
    return new Key(utf8);
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

  /// What placement hashes: the part in the first pair of braces if it is not empty, else all.
  byte[] placementPart() {
    for (int open = 0; open < utf8.length; open++) {
      if (utf8[open] == '{') {
        for (int close = open + 1; close < utf8.length; close++) {
          if (utf8[close] == '}') {
            return close == open + 1 ? utf8 : Arrays.copyOfRange(utf8, open + 1, close);
          }
        }
        return utf8;
      }
    }
    return utf8;
  }

  @Override
  public int compareTo(Key other) {
    return Arrays.compareUnsigned(utf8, other.utf8);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Key key && Arrays.equals(utf8, key.utf8);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(utf8);
  }

  @Override
  public String toString() {
    return new String(utf8, StandardCharsets.UTF_8);
  }
}
