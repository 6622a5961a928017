package dev.parley.chat.sse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SseParserTest {

  private static List<String> parse(byte[] bytes, Random random) {
    List<String> events = new ArrayList<>();
    SseParser parser = new SseParser(1 << 16);
    int at = 0;
    while (at < bytes.length) {
      int n = 1 + random.nextInt(Math.min(7, bytes.length - at));
      assertTrue(
          parser.feed(
              Arrays.copyOfRange(bytes, at, at + n),
              event -> events.add(event.type() + "|" + event.text() + "|" + event.id())));
      at += n;
    }
    parser.finish(event -> events.add(event.type() + "|" + event.text() + "|" + event.id()));
    return events;
  }

  private static List<String> parse(String text) {
    List<String> events = new ArrayList<>();
    SseParser parser = new SseParser(1 << 16);
    parser.feed(
        text.getBytes(StandardCharsets.UTF_8),
        event -> events.add(event.type() + "|" + event.text() + "|" + event.id()));
    parser.finish(event -> events.add(event.type() + "|" + event.text() + "|" + event.id()));
    return events;
  }

  @Test
  void aStreamSplitAnywhereGivesTheSameEvents() {
    String[] ends = {"\n", "\r\n", "\r"};
    String[] lines = {
      "data: 成语接龙😀",
      "data:{\"a\":1}",
      ": comment",
      "",
      "",
      "event: x",
      "id: 7",
      "data",
      "data: ",
      "foo: bar"
    };
    for (int seed = 0; seed < 2_000; seed++) {
      Random random = new Random(seed);
      StringBuilder stream = new StringBuilder(random.nextBoolean() ? "\uFEFF" : "");
      for (int i = 0; i < 30; i++) {
        stream.append(lines[random.nextInt(lines.length)]).append(ends[random.nextInt(3)]);
      }
      // "\r" before a line that begins with "\n" would be read as one end of line in both.
      byte[] bytes = stream.toString().getBytes(StandardCharsets.UTF_8);
      assertEquals(parse(stream.toString()), parse(bytes, random), "seed " + seed);
    }
  }

  @Test
  void linesOfDataJoinAndOneSpaceIsDropped() {
    assertEquals(List.of("message|a\n b|null"), parse("data: a\ndata:  b\n\n"));
  }

  @Test
  void everyKindOfLineEndIsOneEnd() {
    assertEquals(
        List.of("message|a|null", "message|b|null", "message|c|null"),
        parse("data: a\r\n\r\ndata: b\n\ndata: c\r\r"));
  }

  @Test
  void commentsAndEmptyEventsAreDropped() {
    assertEquals(List.of(), parse(": hi\n\nevent: x\n\n\n"));
  }

  @Test
  void anEndWithoutABlankLineStillTellsItsEvent() {
    assertEquals(List.of("message|[DONE]|null"), parse("data: [DONE]"));
  }

  @Test
  void aLineBeyondTheLimitEndsTheParsing() {
    SseParser parser = new SseParser(10);
    byte[] longLine = "data: 0123456789\n\n".getBytes(StandardCharsets.UTF_8);
    assertFalse(parser.feed(longLine, _ -> {}));
    assertFalse(parser.feed("data: a\n\n".getBytes(StandardCharsets.UTF_8), _ -> {}));
  }
}
