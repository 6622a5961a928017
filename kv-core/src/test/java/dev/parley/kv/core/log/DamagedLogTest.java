package dev.parley.kv.core.log;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.MemoryDisk;
import dev.parley.kv.core.Records;
import dev.parley.kv.core.Versioned;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/// Whatever happens to the files of a log, it is refused, or everything acknowledged is in it, and
/// never anything that was not written.
class DamagedLogTest {

  private static final int SEGMENT = 8192;

  private static final List<Long> SEGMENTS = List.of(1L, 2L, 3L);

  private static List<LogRecord> group(SplittableRandom random, long lsn) {
    List<LogRecord> group = new ArrayList<>();
    for (int i = 0; i <= random.nextInt(3); i++) {
      byte[] body = new byte[random.nextInt(300)];
      random.nextBytes(body);
      group.add(
          new LogRecord.Entry(
              Key.of("k" + (lsn + i)),
              new Ballot(1, "node", 1),
              Versioned.of(lsn + i, body, List.of(), 0)));
    }
    return group;
  }

  private static String show(LogRecord record) {
    return record instanceof LogRecord.Entry(var key, _, var value)
        ? key + " " + value.version() + " " + new String(body(value), StandardCharsets.ISO_8859_1)
        : record.toString();
  }

  private static byte[] body(Versioned value) {
    byte[] body = value.body();
    return body == null ? new byte[0] : body;
  }

  private static SegmentedLog open(SegmentStorage storage, List<String> replayed)
      throws IOException, DamagedLogException {
    Records records = new Records();
    SegmentedLog log =
        SegmentedLog.open(storage, "cluster", "node", SEGMENT, new SplittableRandom(7), records);
    for (var entry : records.byLsn().entrySet()) {
      assertEquals(replayed.size() + 1, entry.getKey());
      replayed.add(show(entry.getValue()));
    }
    return log;
  }

  /// Appends groups until there are three segments and a half; says what they hold.
  private static List<String> fill(SegmentStorage storage) throws Exception {
    SplittableRandom random = new SplittableRandom(3);
    SegmentedLog log = open(storage, new ArrayList<>());
    List<String> written = new ArrayList<>();
    for (int inThird = 0; inThird < 4; inThird += log.segmentCount() == 3 ? 1 : 0) {
      List<LogRecord> group = group(random, log.nextLsn());
      log.write(group);
      log.force();
      group.forEach(record -> written.add(show(record)));
    }
    assertEquals(3, log.segmentCount());
    return written;
  }

  private record Outcome(int refused, int complete) {}

  /// Opens it, twice if it can be, and checks that nothing proven is missing, nothing is wrong.
  private static boolean opensSoundly(
      FileImages damaged, List<String> written, long proven, String what) throws IOException {
    try {
      for (int time = 0; time < 2; time++) {
        List<String> replayed = new ArrayList<>();
        SegmentedLog log = open(damaged, replayed);
        assertTrue(replayed.size() >= proven, () -> what + " lost what was acknowledged");
        assertEquals(written.subList(0, replayed.size()), replayed, what);
        assertEquals(replayed.size() + 1, log.nextLsn(), what);
      }
      return true;
    } catch (DamagedLogException e) {
      return false;
    }
  }

  private static Outcome flipEverywhere(FileImages image, List<String> written, long proven)
      throws IOException {
    SplittableRandom random = new SplittableRandom(11);
    int refused = 0;
    int complete = 0;
    for (long file : image.list()) {
      int step = file == RecoveryPoint.FILE ? 5 : 1;
      for (int offset = 0; offset < image.size(file); offset += step) {
        int bit = random.nextInt(8);
        FileImages damaged = image.copy();
        damaged.bytes(file)[offset] ^= (byte) (1 << bit);
        boolean opened =
            opensSoundly(
                damaged, written, proven, "bit " + bit + " of byte " + offset + " of " + file);
        refused += opened ? 0 : 1;
        complete += opened ? 1 : 0;
      }
    }
    return new Outcome(refused, complete);
  }

  @Test
  void aFlippedBitAnywhereIsRefusedOrDoesNotMatter() throws Exception {
    FileImages image = new FileImages();
    List<String> written = fill(image);
    Outcome outcome = flipEverywhere(image, written, written.size());
    assertTrue(outcome.refused() > 10_000, outcome.toString());
    // Behind the end, between groups, in the older slot of the recovery point.
    assertTrue(outcome.complete() > 1_000, outcome.toString());
  }

  @Test
  void afterAPowerFailureAFlippedBitTakesAtMostTheLastGroup() throws Exception {
    FileImages image = new FileImages();
    SegmentedLog log = open(image, new ArrayList<>());
    SplittableRandom random = new SplittableRandom(3);
    List<String> written = new ArrayList<>();
    byte[] point = image.bytes(RecoveryPoint.FILE).clone();
    int beforeTheLast = 0;
    for (int i = 0; i < 12; i++) {
      beforeTheLast = written.size();
      List<LogRecord> group = group(random, log.nextLsn());
      log.write(group);
      log.force();
      group.forEach(record -> written.add(show(record)));
      if (i == 8) {
        log.prove();
        point = image.bytes(RecoveryPoint.FILE).clone();
      }
    }
    // The moves of the point since its last force are lost, the groups are not.
    System.arraycopy(point, 0, image.bytes(RecoveryPoint.FILE), 0, point.length);
    assertTrue(opensSoundly(image.copy(), written, written.size(), "nothing"));
    Outcome outcome = flipEverywhere(image, written, beforeTheLast);
    assertTrue(outcome.refused() > 3_000, outcome.toString());
  }

  @Test
  void aFileCutOffAnywhereIsRefused() throws Exception {
    FileImages image = new FileImages();
    List<String> written = fill(image);
    for (long file : image.list()) {
      for (int size = 0; size < image.size(file); size += 512) {
        FileImages damaged = image.copy();
        damaged.truncate(file, size);
        assertFalse(opensSoundly(damaged, written, written.size(), file + " cut at " + size));
      }
    }
  }

  @Test
  void aSegmentWhoseEndIsZeroIsRefusedIfAnythingWasThere() throws Exception {
    FileImages image = new FileImages();
    List<String> written = fill(image);
    for (long segment : SEGMENTS) {
      byte[] bytes = image.bytes(segment);
      int end = bytes.length;
      while (bytes[end - 1] == 0) {
        end--;
      }
      for (int offset = 0; offset < bytes.length; offset += offset < 4096 ? 512 : 8) {
        FileImages damaged = image.copy();
        damaged.zeroFrom(segment, offset);
        assertEquals(
            offset >= end,
            opensSoundly(damaged, written, written.size(), segment + " zeroed from " + offset));
      }
    }
  }

  @Test
  void aMissingFileIsRefused() throws Exception {
    FileImages image = new FileImages();
    fill(image);
    for (long file : image.list()) {
      FileImages damaged = image.copy();
      damaged.delete(file);
      DamagedLogException refused =
          assertThrows(DamagedLogException.class, () -> open(damaged, new ArrayList<>()));
      String message = String.valueOf(refused.getMessage());
      assertTrue(message.contains(file == 3 ? "the disk lost it" : "missing"), message);
    }
    FileImages blank = image.copy();
    for (long segment : SEGMENTS) {
      blank.delete(segment);
    }
    assertThrows(DamagedLogException.class, () -> open(blank, new ArrayList<>()));
  }

  @Test
  void theOldestSegmentIsMissedEvenAfterOthersWereDropped() throws Exception {
    FileImages image = new FileImages();
    fill(image);
    List<String> all = new ArrayList<>();
    SegmentedLog log = open(image, all);
    log.dropBelow(log.secondFirstLsn());
    assertEquals(List.of(0L, 2L, 3L), image.list());
    FileImages damaged = image.copy();
    damaged.delete(2);
    assertThrows(DamagedLogException.class, () -> open(damaged, new ArrayList<>()));
  }

  @Test
  void goesOnDroppingWhereACrashInterruptedIt() throws Exception {
    FileImages image = new FileImages();
    fill(image);
    FailingDisk failing = new FailingDisk(image, Integer.MAX_VALUE);
    SegmentedLog log = open(failing, new ArrayList<>());
    long second = log.secondFirstLsn();
    failing.left = 3; // The recovery point is moved and forced, the deletion fails.
    assertThrows(IOException.class, () -> log.dropBelow(second));
    assertEquals(List.of(0L, 1L, 2L, 3L), image.list());
    Records records = new Records();
    SegmentedLog again = SegmentedLog.open(image, "cluster", "node", SEGMENT, records);
    assertTrue(records.byLsn().firstKey() >= second);
    assertEquals(List.of(0L, 2L, 3L), image.list());
    assertEquals(2, again.segmentCount());
  }

  private static String refusalIf(FileImages image, Runnable betweenReadings) {
    Records records =
        new Records() {
          @Override
          public void readOnce(long last) {
            betweenReadings.run();
          }
        };
    DamagedLogException refused =
        assertThrows(
            DamagedLogException.class,
            () -> SegmentedLog.open(image, "cluster", "node", SEGMENT, records));
    return String.valueOf(refused.getMessage());
  }

  @Test
  void refusesADiskThatReadsTheSamePlaceDifferentlyTheSecondTime() throws Exception {
    FileImages image = new FileImages();
    fill(image);
    String misread =
        "the disk gave something else when it read segment 2 again, at byte "
            + SegmentedLog.SEGMENT_HEADER;
    FileImages flipped = image.copy();
    assertEquals(
        misread, refusalIf(flipped, () -> flipped.bytes(2)[SegmentedLog.SEGMENT_HEADER + 60] ^= 1));
    FileImages other = image.copy();
    assertEquals(
        misread,
        refusalIf(other, () -> System.arraycopy(other.bytes(1), 0, other.bytes(2), 0, SEGMENT)));
  }

  @Test
  void aRefusalChangesNothing() throws Exception {
    FileImages image = new FileImages();
    fill(image);
    image.bytes(3)[SegmentedLog.SEGMENT_HEADER + 60] ^= 1;
    FileImages before = image.copy();
    assertThrows(DamagedLogException.class, () -> open(image, new ArrayList<>()));
    // Readable again once what was lost is back, from a copy of the disk, for instance.
    for (long file : before.list()) {
      if (file != RecoveryPoint.FILE) {
        assertEquals(ByteBuffer.wrap(before.bytes(file)), ByteBuffer.wrap(image.bytes(file)));
      }
    }
    image.bytes(3)[SegmentedLog.SEGMENT_HEADER + 60] ^= 1;
    open(image, new ArrayList<>());
  }

  @Test
  void aDiskThatFailsAtAnyCallLosesNothingAcknowledged() throws Exception {
    for (int failing = 1; failing < 400; failing++) {
      MemoryDisk disk = new MemoryDisk();
      FailingDisk storage = new FailingDisk(disk, failing);
      SplittableRandom random = new SplittableRandom(failing);
      List<String> written = new ArrayList<>();
      int acknowledged = 0;
      boolean failed = false;
      try {
        SegmentedLog log = open(storage, new ArrayList<>());
        for (int i = 0; i < 80; i++) {
          List<LogRecord> group = group(random, log.nextLsn());
          group.forEach(record -> written.add(show(record)));
          log.write(group);
          log.force();
          acknowledged = written.size();
          if (i % 10 == 9) {
            log.prove();
          }
        }
      } catch (IOException e) {
        failed = true;
      }
      assertTrue(failed || failing > 160, "call " + failing);
      disk.crash(random);
      List<String> replayed = new ArrayList<>();
      open(disk, replayed);
      assertTrue(replayed.size() >= acknowledged, "call " + failing);
      assertEquals(written.subList(0, replayed.size()), replayed);
    }
  }

  @Test
  void aValueThatLooksLikeAGroupIsNotTakenForOneBehindATornWrite() throws Exception {
    for (int shift = 0; shift < 8; shift++) {
      MemoryDisk disk = new MemoryDisk();
      SegmentedLog log = open(disk, new ArrayList<>());
      log.write(group(new SplittableRandom(1), 1));
      log.force();
      byte[] fake = new byte[48 + shift];
      ByteBuffer header = ByteBuffer.wrap(fake, shift, 48);
      header.putInt(0x504b4756).putInt(8).putLong(1000).putInt(1).putInt(0).putLong(999);
      CRC32C crc = new CRC32C();
      crc.update(fake, shift, 32);
      crc.update(fake, shift + 36, 12);
      ByteBuffer.wrap(fake).putInt(shift + 32, (int) crc.getValue());
      log.write(
          List.of(
              new LogRecord.Entry(
                  Key.of("fake"), new Ballot(1, "node", 1), Versioned.of(9, fake, List.of(), 0))));
      // The header of its group never reached the disk.
      FileImages image = new FileImages();
      for (long file : disk.list()) {
        image.create(file, disk.size(file));
        image.write(file, 0, disk.read(file, 0, disk.size(file)));
      }
      int second = indexOf(image.bytes(1), 2);
      image.bytes(1)[second] = 0;
      List<String> replayed = new ArrayList<>();
      SegmentedLog again = open(image, replayed);
      assertTrue(again.wipedBytes() > 0);
    }
  }

  /// Where the `n`th group of a segment begins.
  private static int indexOf(byte[] segment, int n) {
    int at = SegmentedLog.SEGMENT_HEADER;
    for (int i = 1; i < n; i++) {
      at += (SegmentedLog.GROUP_HEADER + ByteBuffer.wrap(segment).getInt(at + 4) + 7) & ~7;
    }
    return at;
  }

  /// Fails at the nth change and at every one after it.
  private static final class FailingDisk implements SegmentStorage {
    private final SegmentStorage disk;
    int left;

    FailingDisk(SegmentStorage disk, int failing) {
      this.disk = disk;
      this.left = failing;
    }

    private void change() throws IOException {
      if (--left <= 0) {
        throw new IOException("no space left on device");
      }
    }

    @Override
    public List<Long> list() throws IOException {
      return disk.list();
    }

    @Override
    public void create(long segment, int size) throws IOException {
      change();
      disk.create(segment, size);
    }

    @Override
    public int size(long segment) throws IOException {
      return disk.size(segment);
    }

    @Override
    public byte[] read(long segment, int offset, int length) throws IOException {
      return disk.read(segment, offset, length);
    }

    @Override
    public void write(long segment, int offset, byte[] bytes) throws IOException {
      change();
      disk.write(segment, offset, bytes);
    }

    @Override
    public void force(long segment) throws IOException {
      change();
      disk.force(segment);
    }

    @Override
    public void delete(long segment) throws IOException {
      change();
      disk.delete(segment);
    }
  }
}
