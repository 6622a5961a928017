package dev.parley.kv.core.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Incarnation;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Layout;
import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.Message;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.core.Versioned;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class EncodingTest {

  private static final Message.Scope SCOPE = new Message.Scope(1);
  private static final Key KEY = Key.of("会话/{c1}/m/1");
  private static final Ballot BALLOT = new Ballot(7, "kv-1", 3);
  private static final Versioned VALUE =
      new Versioned(9, new byte[] {1, 2}, new long[] {1, 2, 19}, 4, 77);
  private static final Versioned TOMBSTONE = Versioned.of(9, null, List.of(), 4);
  private static final Layout LAYOUT =
      Layout.initial(
              List.of(
                  new Layout.Member("a", "http://a:1", 100, new OpId(1, 2), "default"),
                  new Layout.Member("b", "http://b:1", 100, null, "default"),
                  new Layout.Member("c", "http://c:1", 300, null, "catalogue")),
              List.of(
                  new Layout.Group("default", List.of()),
                  new Layout.Group("catalogue", List.of("backends", "registry"))))
          .toward(
              List.of(
                  new Layout.Member("a", "http://a:1", 100, new OpId(1, 2), "default"),
                  new Layout.Member("d", "http://d:1", 100, null, "catalogue")));

  private static final List<Message> MESSAGES =
      List.of(
          new Message.Prepare(SCOPE, 1, KEY, BALLOT, Ballot.ZERO),
          new Message.Promise(2, BALLOT, VALUE, 5, true),
          new Message.Promise(2, Ballot.ZERO, null, 0, false),
          new Message.Nack(3, Ballot.top(4)),
          new Message.Accept(SCOPE, 4, KEY, BALLOT, TOMBSTONE, Ballot.top(8)),
          new Message.Accepted(5, BALLOT, true, false),
          new Message.Read(SCOPE, 6, KEY, true),
          new Message.ReadReply(7, BALLOT, 9, VALUE, 0),
          new Message.Scan(SCOPE, 8, -1, new byte[] {47}, KEY, 10, Message.Bodies.FIRST),
          new Message.Scan(SCOPE, 8, 255, new byte[0], null, 10, Message.Bodies.ALL),
          new Message.ScanReply(
              9, List.of(new Message.ScanRow(KEY, BALLOT, 9, true, new byte[] {5}, 3)), true, 6),
          new Message.Forward(
              SCOPE, 10, KEY, new Mutation(new OpId(3, 4), new Precondition.At(8), null, 2), 6),
          new Message.Forward(
              SCOPE,
              10,
              KEY,
              new Mutation(new OpId(3, 4), new Precondition.Absent(), new byte[] {0}, -1),
              6),
          new Message.ForwardReply(11, new Answer.Applied(12, false)),
          new Message.ForwardReply(11, new Answer.Conflict(12)),
          new Message.ForwardReply(11, new Answer.Missing()),
          new Message.ForwardReply(11, new Answer.NotApplied("why")),
          new Message.ForwardReply(11, new Answer.NoRoom()),
          new Message.ForwardReply(11, new Answer.Unknown("why")),
          new Message.ForwardReply(11, new Answer.Forgotten(8)),
          new Message.Stale(12, 2),
          new Message.Ping(SCOPE, 13, new OpId(5, 6), 7, 8),
          new Message.Pong(14),
          new Message.Purge(SCOPE, 15, KEY, BALLOT),
          new Message.Purged(16),
          new Message.Refused(17, 3, "why"),
          new Message.AskLayout(SCOPE, 18),
          new Message.Install(SCOPE, 19, LAYOUT),
          new Message.Installed(20, 9, 10),
          new Message.Raise(SCOPE, 30, 11),
          new Message.Raised(31),
          new Message.Digest(SCOPE, 32, -1),
          new Message.DigestReply(33, new long[] {1, -2}),
          new Message.Rows(SCOPE, 34, 255, 63, KEY, 12),
          new Message.Rows(SCOPE, 34, 0, 0, null, 12),
          new Message.Tail(SCOPE, 40, -1, new byte[] {47}, 256),
          new Message.TailReply(
              41, List.of(new Message.TailRow(7, KEY, BALLOT, 9, true)), 12, false),
          new Message.TailReply(41, List.of(), 12, true));

  @Test
  void everyMessageSurvivesTheWay() {
    byte[] once = new Batch("cluster", "kv-1", 3, MESSAGES).encode();
    Batch back = Batch.decode(once);
    assertEquals(MESSAGES.size(), back.messages().size());
    assertEquals("cluster kv-1 3", back.cluster() + " " + back.from() + " " + back.boot());
    assertArrayEquals(once, back.encode());
  }

  @Test
  void everyRecordSurvivesTheDisk() {
    List<LogRecord> records =
        List.of(
            new LogRecord.Entry(KEY, BALLOT, VALUE),
            new LogRecord.Meta(
                1,
                new OpId(2, 3),
                4,
                new TreeMap<>(Map.of(5, 6L)),
                new TreeMap<>(Map.of("b", new Incarnation(7, 8)))),
            new LogRecord.Installed(LAYOUT, true, 1),
            new LogRecord.Installed(LAYOUT.settled(), true),
            new LogRecord.Purged(KEY, 9),
            new LogRecord.Mark());
    for (LogRecord record : records) {
      byte[] once = new Encoder().record(record).toByteArray();
      assertArrayEquals(once, new Encoder().record(new Decoder(once).record()).toByteArray());
    }
  }

  @Test
  void noTruncationOrBitFlipDoesMoreThanBeRefused() {
    byte[] whole = new Batch("cluster", "kv-1", 3, MESSAGES).encode();
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThrows(MalformedBytesException.class, () -> Batch.decode(cut));
    }
    for (int bit = 0; bit < whole.length * 8; bit++) {
      byte[] flipped = whole.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      try {
        Batch.decode(flipped);
      } catch (MalformedBytesException e) {
        // Refused, as it should be; a flip inside a body cannot be noticed here.
      }
    }
  }

  @Test
  void anotherVersionIsRefused() {
    byte[] batch = new Batch("cluster", "kv-1", 3, List.of()).encode();
    batch[4]--;
    assertThrows(MalformedBytesException.class, () -> Batch.decode(batch));
  }
}
