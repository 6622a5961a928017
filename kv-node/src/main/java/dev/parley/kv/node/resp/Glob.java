package dev.parley.kv.node.resp;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;

/// A pattern as in Redis: `*` any bytes, `?` one byte, `[a-c]` and `[^a-c]` one of or none of
/// these, `\` takes the next byte as it is.
///
/// Only the last star is ever gone back to, so that a match takes at most the product of the two
/// lengths; the recursion that Redis uses is exponential in the number of stars.
final class Glob {

  private sealed interface Part {
    record Exactly(byte value) implements Part {}

    record AnyOne() implements Part {}

    record AnyMany() implements Part {}

    /// @param pairs first and last byte of each range
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    record OneOf(boolean negated, byte[] pairs) implements Part {}
  }

  private final List<Part> parts = new ArrayList<>();

  Glob(byte[] pattern) {
    int i = 0;
    while (i < pattern.length) {
      byte c = pattern[i];
      if (c == '*') {
        parts.add(new Part.AnyMany());
      } else if (c == '?') {
        parts.add(new Part.AnyOne());
      } else if (c == '\\' && i + 1 < pattern.length) {
        i++;
        parts.add(new Part.Exactly(pattern[i]));
      } else if (c == '[') {
        i = oneOf(pattern, i + 1);
      } else {
        parts.add(new Part.Exactly(c));
      }
      i++;
    }
  }

  /// Reads a class up to its bracket, or to the end of the pattern, and returns where that is.
  private int oneOf(byte[] pattern, int from) {
    int i = from;
    boolean negated = i < pattern.length && pattern[i] == '^';
    i += negated ? 1 : 0;
    ByteArrayOutputStream pairs = new ByteArrayOutputStream();
    while (i < pattern.length && pattern[i] != ']') {
      if (pattern[i] == '\\' && i + 1 < pattern.length) {
        i++;
      } else if (i + 2 < pattern.length && pattern[i + 1] == '-') {
        boolean rising = (pattern[i] & 0xff) <= (pattern[i + 2] & 0xff);
        pairs.write(pattern[rising ? i : i + 2]);
        pairs.write(pattern[rising ? i + 2 : i]);
        i += 3;
        continue;
      }
      pairs.write(pattern[i]);
      pairs.write(pattern[i]);
      i++;
    }
    parts.add(new Part.OneOf(negated, pairs.toByteArray()));
    return i;
  }

  /// The bytes with which everything that matches begins.
  byte[] prefix() {
    ByteArrayOutputStream prefix = new ByteArrayOutputStream();
    for (Part part : parts) {
      if (!(part instanceof Part.Exactly(var value))) {
        break;
      }
      prefix.write(value);
    }
    return prefix.toByteArray();
  }

  boolean matches(byte[] text) {
    int part = 0;
    int at = 0;
    int star = -1;
    int starAt = 0;
    while (at < text.length) {
      if (part < parts.size() && parts.get(part) instanceof Part.AnyMany) {
        star = part++;
        starAt = at;
      } else if (part < parts.size() && matches(parts.get(part), text[at])) {
        part++;
        at++;
      } else if (star >= 0) {
        part = star + 1;
        at = ++starAt;
      } else {
        return false;
      }
    }
    while (part < parts.size() && parts.get(part) instanceof Part.AnyMany) {
      part++;
    }
    return part == parts.size();
  }

  private static boolean matches(Part part, byte value) {
    return switch (part) {
      case Part.Exactly(var expected) -> expected == value;
      case Part.AnyOne() -> true;
      case Part.AnyMany() -> throw new IllegalStateException("a star is not one byte");
      case Part.OneOf(var negated, var pairs) -> {
        boolean found = false;
        for (int i = 0; i < pairs.length; i += 2) {
          found |= (pairs[i] & 0xff) <= (value & 0xff) && (value & 0xff) <= (pairs[i + 1] & 0xff);
        }
        yield found != negated;
      }
    };
  }
}
