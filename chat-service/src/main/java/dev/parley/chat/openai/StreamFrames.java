package dev.parley.chat.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/// The data of stream frames on their way to a client.
public final class StreamFrames {

  private static final String NULL_USAGE = ",\"usage\":null";

  private StreamFrames() {}

  /// One event, ready to write. Line breaks inside the data, which JSON has only between tokens,
  /// become further `data:` lines.
  public static byte[] frame(byte[] data) {
    String text = new String(data, StandardCharsets.UTF_8);
    return frame(text).getBytes(StandardCharsets.UTF_8);
  }

  private static String frame(String data) {
    return "data: " + data.replace("\n", "\ndata: ") + "\n\n";
  }

  /// A chunk that says `"usage": null`, without that member, for a client that did not ask for
  /// usage. The member's text cannot occur inside a JSON string, where its quotes are escaped.
  public static byte[] withoutNullUsage(byte[] raw, ObjectMapper mapper) {
    String text = new String(raw, StandardCharsets.UTF_8);
    int at = text.indexOf(NULL_USAGE);
    if (at >= 0 && text.indexOf(NULL_USAGE, at + 1) < 0) {
      String without = text.substring(0, at) + text.substring(at + NULL_USAGE.length());
      return without.getBytes(StandardCharsets.UTF_8);
    }
    try {
      JsonNode root = mapper.readTree(raw);
      if (root instanceof ObjectNode object) {
        object.remove("usage");
      }
      return mapper.writeValueAsBytes(root);
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }
}
