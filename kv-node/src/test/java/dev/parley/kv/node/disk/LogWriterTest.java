package dev.parley.kv.node.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.Records;
import dev.parley.kv.core.Versioned;
import dev.parley.kv.core.log.DamagedLogException;
import dev.parley.kv.core.log.SegmentedLog;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LogWriterTest {

  private static final int SEGMENT = 4 << 20;

  @TempDir private Path directory;

  private final AtomicLong durable = new AtomicLong();
  private final AtomicInteger spaceChanges = new AtomicInteger();
  private final CountDownLatch halted = new CountDownLatch(1);

  private static LogRecord entry(long number, int bytes) {
    return new LogRecord.Entry(
        Key.of("k" + number),
        new Ballot(number, "n", 1),
        Versioned.of(number, new byte[bytes], List.of(), 0));
  }

  private LogWriter start(TestDisk disk) throws IOException, DamagedLogException {
    SegmentedLog log = SegmentedLog.open(disk, "c", "n", SEGMENT, new Records());
    LogWriter writer =
        new LogWriter(
            log,
            disk,
            SEGMENT,
            progress -> durable.set(progress.durable()),
            spaceChanges::incrementAndGet,
            new SimpleMeterRegistry().timer("forces"),
            halted::countDown);
    writer.start();
    return writer;
  }

  private List<Long> recovered() throws IOException, DamagedLogException {
    List<Long> versions = new ArrayList<>();
    try (FileSegments files = new FileSegments(directory)) {
      Records records = new Records();
      SegmentedLog.open(files, "c", "n", SEGMENT, records);
      for (LogRecord record : records.all()) {
        if (record instanceof LogRecord.Entry entry) {
          versions.add(entry.value().version());
        }
      }
    }
    return versions;
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, "not within 30 seconds");
      Thread.sleep(5);
    }
  }

  @Test
  void whatItReportedIsThereAfterwardsInOrderOverSegments() throws Exception {
    LogWriter writer = start(new TestDisk(directory));
    List<Long> appended = new ArrayList<>();
    for (long i = 1; i <= 400; i++) {
      writer.append(entry(i, (int) (i * 7919 % 60_000)));
      appended.add(i);
    }
    await(() -> durable.get() == 400);
    assertEquals(0, writer.backlogBytes());
    writer.stop();
    assertEquals(appended, recovered());
  }

  @Test
  void stopWritesWhatIsQueued() throws Exception {
    LogWriter writer = start(new TestDisk(directory));
    for (long i = 1; i <= 50; i++) {
      writer.append(entry(i, 100_000));
    }
    writer.stop();
    assertEquals(50, durable.get());
    assertEquals(50, recovered().size());
  }

  @Test
  void isBehindWhileADiskThatStallsHasMoreThanTheBoundQueued() throws Exception {
    TestDisk disk = new TestDisk(directory);
    LogWriter writer = start(disk);
    disk.forces().drainPermits();
    writer.append(entry(1, 10));
    await(() -> disk.forces().hasQueuedThreads());
    assertFalse(writer.behind());
    long number = 1;
    while (!writer.behind()) {
      number++;
      writer.append(entry(number, 100_000));
    }
    assertTrue(writer.backlogBytes() >= LogWriter.MAX_BACKLOG);
    assertTrue(writer.backlogBytes() < LogWriter.MAX_BACKLOG + 200_000);
    assertEquals(0, durable.get());
    disk.forces().release(1000);
    await(() -> !writer.behind());
    long last = number;
    await(() -> durable.get() == last);
    assertEquals(0, writer.backlogBytes());
    writer.stop();
    assertEquals(last, recovered().size());
  }

  @Test
  void haltsWhenAForceFailsAndReportsNothingOfIt() throws Exception {
    TestDisk disk = new TestDisk(directory);
    LogWriter writer = start(disk);
    writer.append(entry(1, 10));
    await(() -> durable.get() == 1);
    disk.failForces(true);
    writer.append(entry(2, 10));
    assertTrue(halted.await(30, TimeUnit.SECONDS));
    disk.failForces(false);
    writer.append(entry(3, 10));
    writer.stop();
    assertEquals(1, durable.get());
  }

  @Test
  void haltsWhenAWriteFails() throws Exception {
    TestDisk disk = new TestDisk(directory);
    LogWriter writer = start(disk);
    disk.failWrites();
    writer.append(entry(1, 10));
    assertTrue(halted.await(30, TimeUnit.SECONDS));
    assertEquals(0, durable.get());
    writer.stop();
  }

  @Test
  void haltsWhenTheNextSegmentCannotBeMadeForAnyOtherReasonThanSpace() throws Exception {
    TestDisk disk = new TestDisk(directory);
    disk.failSpares(new IOException("Input/output error"));
    LogWriter writer = start(disk);
    assertTrue(halted.await(30, TimeUnit.SECONDS));
    assertFalse(writer.spareMissing());
    assertEquals(0, spaceChanges.get());
    writer.stop();
  }

  @Test
  void withoutSpaceWritesIntoTheLastSegmentThenWaitsAndGoesOn() throws Exception {
    TestDisk disk = new TestDisk(directory);
    disk.failSpares(new NoRoomException(new IOException("no space")));
    LogWriter writer = start(disk);
    await(writer::spareMissing);
    await(() -> spaceChanges.get() == 1);
    for (long i = 1; i <= 30; i++) {
      writer.append(entry(i, 100_000));
    }
    // Three of four mebibytes: the last resort.
    await(() -> durable.get() == 30);
    long number = 30;
    while (!writer.behind()) {
      number++;
      writer.append(entry(number, 100_000));
    }
    assertEquals(1, halted.getCount());
    assertTrue(durable.get() < number);
    disk.failSpares(null);
    long last = number;
    await(() -> durable.get() == last);
    assertFalse(writer.spareMissing());
    assertEquals(2, spaceChanges.get());
    writer.stop();
    assertEquals(last, recovered().size());
    assertEquals(1, halted.getCount());
  }

  @Test
  void dropsSegmentsThatAreNotNeeded() throws Exception {
    LogWriter writer = start(new TestDisk(directory));
    for (long i = 1; i <= 100; i++) {
      writer.append(entry(i, 100_000));
    }
    await(() -> durable.get() == 100);
    writer.dropBelow(100);
    Path first = directory.resolve("segment-000000000001.log");
    await(() -> !Files.exists(first));
    writer.stop();
    List<Long> left = recovered();
    assertEquals(100, left.getLast());
    assertTrue(left.size() < 50);
  }
}
