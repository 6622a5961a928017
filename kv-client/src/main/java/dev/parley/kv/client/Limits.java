package dev.parley.kv.client;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/// What every implementation of [KvStore] refuses before it does anything, as the nodes would.
final class Limits {

  private Limits() {}

  /// @throws IllegalArgumentException unless the key is 1 to 512 bytes of UTF-8 that an address can
  ///     carry
  static void requireKey(String key) {
    int bytes = bytes(key);
    if (bytes < 1 || bytes > KvStore.MAX_KEY_BYTES) {
      throw new IllegalArgumentException(
          "a key has 1 to " + KvStore.MAX_KEY_BYTES + " bytes of UTF-8, not " + bytes);
    }
    if (key.charAt(0) == 0) {
      throw new IllegalArgumentException("a key does not begin with NUL");
    }
    for (String part : key.split("/", -1)) {
      if (part.equals(".") || part.equals("..")) {
        throw new IllegalArgumentException(
            "no part of a key between slashes may be . or .., as in " + key);
      }
    }
  }

  /// @throws IllegalArgumentException if the value is larger than a mebibyte
  static void requireValue(byte[] value) {
    if (value.length > KvStore.MAX_VALUE_BYTES) {
      throw new IllegalArgumentException(
          "a value has at most " + KvStore.MAX_VALUE_BYTES + " bytes, not " + value.length);
    }
  }

  /// @throws IllegalArgumentException if no node would answer such a listing
  static void requireListing(String prefix, int limit) {
    if (limit < 1 || limit > 1000) {
      throw new IllegalArgumentException("limit must be 1 to 1000, not " + limit);
    }
    if (bytes(prefix) > KvStore.MAX_KEY_BYTES) {
      throw new IllegalArgumentException(
          "a prefix has at most " + KvStore.MAX_KEY_BYTES + " bytes of UTF-8");
    }
  }

  /// @throws IllegalArgumentException for a delete on condition that there is nothing to delete
  static void requireDeletable(Condition condition) {
    if (condition instanceof Condition.Absent) {
      throw new IllegalArgumentException("a delete cannot require the key to be absent");
    }
  }

  private static int bytes(String text) {
    try {
      ByteBuffer utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
      return utf8.remaining();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("the key is not well-formed Unicode", e);
    }
  }
}
