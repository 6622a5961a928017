package dev.parley.kv.core.log;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.MemoryDisk;
import dev.parley.kv.core.Records;
import dev.parley.kv.core.Versioned;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SegmentedLogTest {

  private static final int SEGMENT = 32 * 1024;

  private final MemoryDisk disk = new MemoryDisk();
  private final List<String> replayed = new ArrayList<>();

  private SegmentedLog open() throws IOException, DamagedLogException {
    return open("node");
  }

  private SegmentedLog open(String node) throws IOException, DamagedLogException {
    replayed.clear();
    Records records = new Records();
    SegmentedLog log = SegmentedLog.open(disk, "cluster", node, SEGMENT, records);
    records.byLsn().forEach((lsn, record) -> replayed.add(lsn + "=" + name(record)));
    return log;
  }

  private static String name(LogRecord record) {
    return record instanceof LogRecord.Entry(var key, _, _) ? key.toString() : "other";
  }

  private static LogRecord entry(String key, int bytes) {
    return new LogRecord.Entry(
        Key.of(key), new Ballot(1, "node", 1), Versioned.of(1, new byte[bytes], List.of(), 0));
  }

  private static void append(SegmentedLog log, String... keys) throws IOException {
    log.write(List.of(keys).stream().map(key -> entry(key, 100)).toList());
    log.force();
  }

  @Test
  void givesBackWhatWasForcedInOrder() throws Exception {
    SegmentedLog log = open();
    append(log, "a");
    append(log, "b", "c");
    assertEquals(4, log.nextLsn());
    SegmentedLog again = open();
    assertEquals(List.of("1=a", "2=b", "3=c"), replayed);
    append(again, "d");
    open();
    assertEquals(List.of("1=a", "2=b", "3=c", "4=d"), replayed);
  }

  @Test
  void goesOnOverSegmentsAndDropsTheOldest() throws Exception {
    SegmentedLog log = open();
    for (int i = 0; i < 600; i++) {
      append(log, "k" + i);
    }
    assertTrue(log.segmentCount() > 2);
    open();
    assertEquals(600, replayed.size());
    long second = log.secondFirstLsn();
    log.dropBelow(second);
    open();
    assertEquals(second + "=k" + (second - 1), replayed.getFirst());
    assertEquals("600=k599", replayed.getLast());
  }

  @Test
  void wipesTheTornTailThatACrashLeavesAndLosesNothingForced() throws Exception {
    for (int seed = 0; seed < 300; seed++) {
      MemoryDisk torn = new MemoryDisk();
      SplittableRandom random = new SplittableRandom(seed);
      SegmentedLog log = SegmentedLog.open(torn, "c", "n", SEGMENT, new Records());
      int forced = random.nextInt(30);
      for (int i = 0; i < forced; i++) {
        append(log, "k" + i);
      }
      log.write(List.of(entry("torn", 3000), entry("torn", 2000)));
      torn.crash(random);
      for (int start = 0; start < 2; start++) {
        Records records = new Records();
        SegmentedLog again = SegmentedLog.open(torn, "c", "n", SEGMENT, records);
        List<String> found = records.all().stream().map(SegmentedLogTest::name).toList();
        assertTrue(found.size() >= forced, "seed " + seed);
        assertTrue(found.stream().limit(forced).noneMatch("torn"::equals));
        append(again, "after");
        again.prove();
      }
    }
  }

  @Test
  void refusesABitFlipBelowWhatIsDurable() throws Exception {
    SegmentedLog log = open();
    append(log, "a");
    append(log, "b");
    append(log, "c");
    for (int offset = SegmentedLog.SEGMENT_HEADER;
        offset < SegmentedLog.SEGMENT_HEADER + 300;
        offset += 7) {
      disk.flip(1, offset);
      DamagedLogException refused = assertThrows(DamagedLogException.class, this::open);
      assertTrue(String.valueOf(refused.getMessage()).contains("damaged"));
      disk.flip(1, offset);
    }
    open();
    assertEquals(3, replayed.size());
  }

  @Test
  void refusesALostTailOfAnEarlierSegmentAndAMissingSegment() throws Exception {
    SegmentedLog log = open();
    for (int i = 0; i < 600; i++) {
      append(log, "k" + i);
    }
    disk.zeroFrom(1, SEGMENT / 2);
    assertThrows(DamagedLogException.class, this::open);
    disk.delete(2);
    assertThrows(DamagedLogException.class, this::open);
  }

  @Test
  void refusesADirectoryOfAnotherNode() throws Exception {
    append(open(), "a");
    DamagedLogException refused = assertThrows(DamagedLogException.class, () -> open("other"));
    assertTrue(
        String.valueOf(refused.getMessage()).contains("belongs to node node of cluster cluster"));
  }

  @Test
  void forgetsASegmentThatWasOnlyBeingMade() throws Exception {
    append(open(), "a");
    disk.create(2, SEGMENT);
    SegmentedLog log = open();
    assertEquals(List.of("1=a"), replayed);
    assertEquals(1, log.segmentCount());
  }
}
