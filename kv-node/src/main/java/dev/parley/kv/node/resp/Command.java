package dev.parley.kv.node.resp;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// One command as it came in: its name and its arguments.
///
/// @param parts the name first; not all of them if the command is refused
/// @param refusal the error to answer instead of carrying it out, or null
/// @param held bytes that count against the node's budget until the command is answered
record Command(List<byte[]> parts, @Nullable String refusal, int held) {

  String name() {
    return text(parts.getFirst()).toLowerCase(Locale.ROOT);
  }

  List<byte[]> arguments() {
    return parts.subList(1, parts.size());
  }

  /// The bytes as text, one character a byte: for names and options, which are ASCII.
  static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }
}
