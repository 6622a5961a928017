package dev.parley.chat.sse;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Splits a stream of bytes into server-sent events.
///
/// It works on bytes and decodes whole lines only, because a chunk from the network may end inside
/// a UTF-8 sequence, or between the two bytes of `\r\n`. Lines end in `\n`, `\r\n` or `\r`; several
/// `data:` lines join with `\n`; comments are dropped. One instance reads one stream.
public final class SseParser {

  private final int maxBytes;
  private byte[] line = new byte[512];
  private int lineLength;
  private boolean afterCarriageReturn;
  private boolean firstLine = true;
  private boolean overflowed;

  private final ByteArrayOutputStream data = new ByteArrayOutputStream();
  private boolean hasData;
  private String type = "";
  private @Nullable String id;

  /// @param maxBytes most bytes in one line, and in the data of one event
  public SseParser(int maxBytes) {
    this.maxBytes = maxBytes;
  }

  /// Takes the next bytes and hands every event they complete to `sink`.
  ///
  /// @return false once a line or an event has grown beyond the limit; nothing is parsed after that
  public boolean feed(byte[] bytes, Consumer<SseEvent> sink) {
    for (byte b : bytes) {
      if (overflowed) {
        return false;
      }
      if (b == '\n' && afterCarriageReturn) {
        afterCarriageReturn = false;
        continue;
      }
      afterCarriageReturn = b == '\r';
      if (b == '\n' || b == '\r') {
        endLine(sink);
      } else if (lineLength == maxBytes) {
        overflowed = true;
      } else {
        if (lineLength == line.length) {
          line = Arrays.copyOf(line, Math.min(maxBytes, line.length * 2));
        }
        line[lineLength++] = b;
      }
    }
    return !overflowed;
  }

  /// The stream ended. An event whose blank line is missing is dispatched all the same: a server
  /// that closes right after `data: [DONE]` has said what it had to say.
  public void finish(Consumer<SseEvent> sink) {
    if (overflowed) {
      return;
    }
    if (lineLength > 0) {
      endLine(sink);
    }
    dispatch(sink);
  }

  private void endLine(Consumer<SseEvent> sink) {
    int start = 0;
    if (firstLine && startsWithByteOrderMark()) {
      start = 3;
    }
    firstLine = false;
    int length = lineLength - start;
    lineLength = 0;
    if (length == 0) {
      dispatch(sink);
      return;
    }
    int colon = start;
    int end = start + length;
    while (colon < end && line[colon] != ':') {
      colon++;
    }
    if (colon == start) {
      return;
    }
    String field = new String(line, start, colon - start, StandardCharsets.UTF_8);
    int from = Math.min(colon + 1, end);
    if (from < end && line[from] == ' ') {
      from++;
    }
    switch (field) {
      case "data" -> addData(from, end);
      case "event" -> type = new String(line, from, end - from, StandardCharsets.UTF_8);
      case "id" -> id = new String(line, from, end - from, StandardCharsets.UTF_8);
      default -> {
        // Unknown fields, and `retry`, mean nothing to a reader that does not reconnect.
      }
    }
  }

  private void addData(int from, int end) {
    if (data.size() + (end - from) > maxBytes) {
      overflowed = true;
      return;
    }
    if (hasData) {
      data.write('\n');
    }
    data.write(line, from, end - from);
    hasData = true;
  }

  private void dispatch(Consumer<SseEvent> sink) {
    if (hasData) {
      byte[] bytes = data.toByteArray();
      data.reset();
      hasData = false;
      String name = type.isEmpty() ? "message" : type;
      type = "";
      sink.accept(new SseEvent(name, bytes, id));
    }
    type = "";
  }

  private boolean startsWithByteOrderMark() {
    return lineLength >= 3
        && line[0] == (byte) 0xEF
        && line[1] == (byte) 0xBB
        && line[2] == (byte) 0xBF;
  }
}
