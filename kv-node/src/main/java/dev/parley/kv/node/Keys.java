package dev.parley.kv.node;

import dev.parley.kv.core.Key;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/// The keys a node takes, through whichever door they come: 1 to 512 bytes of UTF-8 of which no
/// part between slashes is `.` or `..`. HTTP clients and proxies resolve such parts before they
/// send a path (RFC 3986, 5.2.4), so a key with one could be written but not reached.
public final class Keys {

  private Keys() {}

  /// Takes ownership of `utf8`.
  ///
  /// @throws IllegalArgumentException saying what is wrong with the key
  public static Key of(byte[] utf8) {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8));
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("the key is not valid UTF-8", e);
    }
    return withoutDots(Key.ofUtf8(utf8));
  }

  /// @throws IllegalArgumentException saying what is wrong with the key
  public static Key of(String text) {
    return withoutDots(Key.of(text));
  }

  private static Key withoutDots(Key key) {
    byte[] utf8 = key.utf8();
    int from = 0;
    for (int i = 0; i <= utf8.length; i++) {
      if (i == utf8.length || utf8[i] == '/') {
        if (i - from == 1 && utf8[from] == '.'
            || i - from == 2 && utf8[from] == '.' && utf8[from + 1] == '.') {
          throw new IllegalArgumentException("no part of a key between slashes may be . or ..");
        }
        from = i + 1;
      }
    }
    return key;
  }
}
