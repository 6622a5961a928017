package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.log.SegmentedLog;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/// What a replica takes back from its log is what it knew.
class ReplayTest {

  private static final int SEGMENT = 16 * 1024;
  private static final byte[] ALL = {};

  private final MemoryDisk disk = new MemoryDisk();
  private final List<LogRecord> unwritten = new ArrayList<>();
  private final Acceptor live = new Acceptor("n");
  private final SegmentedLog log;
  private long lsn;

  ReplayTest() throws Exception {
    log = SegmentedLog.open(disk, "c", "n", SEGMENT, live.replay());
    lsn = log.nextLsn();
    live.start(this::append, new OpId(1, 2));
    live.install(Layout.of(List.of("n")), true);
    write();
  }

  private long append(LogRecord record) {
    unwritten.add(record);
    return lsn++;
  }

  private void write() throws Exception {
    log.write(unwritten);
    unwritten.clear();
    live.changes().durable(log.force());
  }

  private Acceptor taken() throws Exception {
    Acceptor taken = new Acceptor("n");
    SegmentedLog.open(disk, "c", "n", SEGMENT, taken.replay());
    return taken;
  }

  private void accept(Key key, long counter, Versioned value) {
    Ballot ballot = new Ballot(counter, counter % 2 == 0 ? "n" : "m", 1);
    live.accept(new Message.Accept(new Message.Scope(1), 1, key, ballot, value, Ballot.ZERO));
  }

  @Test
  void aReplicaKnowsAfterARestartWhatItKnewBefore() throws Exception {
    for (int seed = 0; seed < 40; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int keys = 1 + random.nextInt(60);
      Set<Key> used = new HashSet<>();
      for (int i = 0; i < 300; i++) {
        Key key = Key.of("k/{" + random.nextInt(3) + "}/" + random.nextInt(keys));
        used.add(key);
        if (random.nextInt(8) == 0) {
          live.purge(new Message.Purge(new Message.Scope(1), 1, key, live.accepted(key)));
        } else {
          accept(key, lsn, value(random, lsn));
        }
        if (!unwritten.isEmpty() && random.nextInt(4) == 0) {
          write();
        }
      }
      if (!unwritten.isEmpty()) {
        write();
      }
      assertSameKnowledge(live, taken(), used);
      emptyOldestSegment();
      assertSameKnowledge(live, taken(), used);
    }
    assertTrue(log.secondFirstLsn() > 1000, "no segment was ever dropped");
  }

  private static Versioned value(SplittableRandom random, long version) {
    byte[] body = random.nextInt(4) == 0 ? null : new byte[random.nextInt(200)];
    List<Versioned.Trace> traces =
        List.of(new Versioned.Trace(new OpId(version, 1), version, random.nextBoolean()));
    Versioned plain = Versioned.of(version, body, traces, version / 2);
    long expires = body == null || random.nextBoolean() ? 0 : random.nextLong(1, 1000);
    return new Versioned(version, body, plain.memory(), plain.windowStart(), expires);
  }

  private void emptyOldestSegment() throws Exception {
    if (log.segmentCount() > 2) {
      long below = log.secondFirstLsn();
      Key at = null;
      do {
        at = live.rewriteOld(at, below, 20);
        if (!unwritten.isEmpty()) {
          write();
        }
      } while (at != null);
      log.dropBelow(below);
    }
  }

  private static void assertSameKnowledge(Acceptor was, Acceptor is, Set<Key> keys) {
    assertArrayEquals(was.digest(-1), is.digest(-1));
    assertEquals(was.liveKeys(), is.liveKeys());
    assertEquals(was.liveBytes(), is.liveBytes());
    assertEquals(was.tombstones(), is.tombstones());
    assertEquals(was.ceiling(), is.ceiling());
    assertEquals(was.formed(), is.formed());
    assertEquals(was.expired(500, 1000), is.expired(500, 1000));
    assertEquals(was.bound(), is.bound());
    assertEquals(was.boot(), is.boot());
    assertEquals(was.disk(), is.disk());
    assertEquals(String.valueOf(was.layout()), String.valueOf(is.layout()));
    for (Key key : keys) {
      assertEquals(was.accepted(key), is.accepted(key));
      assertEquals(was.localVersion(key), is.localVersion(key));
      Versioned value = was.value(key);
      Versioned itsValue = is.value(key);
      if (value == null) {
        assertNull(itsValue);
      } else {
        assertNotNull(itsValue);
        assertArrayEquals(value.body(), itsValue.body());
        assertArrayEquals(value.memory(), itsValue.memory());
        assertEquals(value.windowStart(), itsValue.windowStart());
        assertEquals(value.expiresAtMillis(), itsValue.expiresAtMillis());
      }
    }
  }

  @Test
  void watchersFindWhatWasAcceptedLast() throws Exception {
    Key last = Key.of("k/last");
    int many = 2 * ChangeRing.CAPACITY;
    for (int i = 0; i < many; i++) {
      accept(Key.of("k/" + i % 10), lsn, Versioned.of(lsn, new byte[1], List.of(), 0));
      if (unwritten.size() == 100) {
        write();
      }
    }
    accept(last, lsn, Versioned.of(lsn, new byte[1], List.of(), 0));
    write();
    ChangeRing ring = taken().changes();
    assertEquals(lsn - 1, ring.durable());
    assertTrue(ring.reaches(lsn - 1 - many));
    assertTrue(!ring.reaches(1));
    List<ChangeRing.Change> found = ring.after(lsn - 1 - many, ALL, 100);
    assertEquals(11, found.size());
    assertEquals(last, found.getLast().key());
  }

  /// Of ten changes of each key, one value is read.
  @Test
  void valuesThatWereReplacedAreNotRead() throws Exception {
    for (int i = 0; i < 500; i++) {
      Versioned value = Versioned.of(lsn, new byte[100], List.of(), 0);
      accept(Key.of("k/" + i % 50), lsn, value);
      write();
    }
    List<Long> read = new ArrayList<>();
    Replay replay = new Acceptor("n").replay();
    Replay counting =
        (Replay)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {Replay.class},
                (_, method, arguments) -> {
                  if (method.getName().equals("value")) {
                    read.add((Long) arguments[0]);
                  }
                  return method.invoke(replay, arguments);
                });
    SegmentedLog.open(disk, "c", "n", SEGMENT, counting);
    assertEquals(LongStream.range(lsn - 50, lsn).boxed().toList(), read);
  }

  @Test
  void aReplicaDoesNotStartWithoutAValue() {
    Replay replay = new Acceptor("n").replay();
    replay.begins(5, 0);
    replay.accepted(5, Key.of("k"), new Ballot(1, "n", 1), 1, true);
    replay.readOnce(5);
    Exception refused = assertThrows(IllegalStateException.class, replay::readTwice);
    assertEquals("the value of the record 5 was not read again", refused.getMessage());
  }

  @Test
  void aKeyThatIsReadAgainIsNotMadeAgain() throws Exception {
    Key key = Key.of("k");
    accept(key, lsn, Versioned.of(1, new byte[1], List.of(), 0));
    byte[] read = {'x', 'k', 'x'};
    assertSame(key, live.replay().key(read, 1, 2));
    assertEquals(Key.of("kx"), live.replay().key(read, 1, 3));
  }
}
