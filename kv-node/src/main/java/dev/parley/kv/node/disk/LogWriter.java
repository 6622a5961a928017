package dev.parley.kv.node.disk;

import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.log.SegmentedLog;
import io.micrometer.core.instrument.Timer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The one thread that waits for the disk. It takes all that is queued, writes it as one group,
/// forces it, and reports; while it does so the next group gathers.
///
/// A failed write or force ends the process: after one, nobody can know what is on disk.
public final class LogWriter {

  private static final Logger LOG = Logger.getLogger(LogWriter.class);

  /// After this long without work, the last group is proven durable by an empty one behind it.
  private static final long IDLE_MILLIS = 1000;

  /// What the disk thread reports.
  ///
  /// @param durable everything up to this record is on disk
  public record Progress(long durable, int segments, long secondFirstLsn) {}

  private sealed interface Order {
    record Append(LogRecord record, int size) implements Order {}

    record Drop(long below) implements Order {}

    record Mark() implements Order {}

    record Stop() implements Order {}
  }

  private final SegmentedLog log;
  private final FileSegments files;
  private final int segmentBytes;
  private final Consumer<Progress> progress;
  private final Runnable onIdle;
  private final Timer forceTimer;
  private final LinkedBlockingQueue<Order> orders = new LinkedBlockingQueue<>();
  private final Thread thread;
  private final Thread preparer;
  private volatile boolean stopping;
  private volatile boolean spareMissing;

  /// @param onIdle asked for a mark: the caller appends one, so that it gets its number in order
  public LogWriter(
      SegmentedLog log,
      FileSegments files,
      int segmentBytes,
      Consumer<Progress> progress,
      Runnable onIdle,
      Timer forceTimer) {
    this.log = log;
    this.files = files;
    this.segmentBytes = segmentBytes;
    this.progress = progress;
    this.onIdle = onIdle;
    this.forceTimer = forceTimer;
    this.thread = Thread.ofPlatform().name("kv-log").unstarted(this::run);
    this.preparer = Thread.ofPlatform().daemon().name("kv-log-spare").unstarted(this::prepare);
  }

  public void start() {
    thread.start();
    preparer.start();
  }

  /// Queues a record. The core's own limits bound how much can be under way.
  public void append(LogRecord record) {
    orders.add(new Order.Append(record, SegmentedLog.sizeOf(record)));
  }

  public void dropBelow(long lsn) {
    orders.add(new Order.Drop(lsn));
  }

  /// Whether the next segment could not be made: no room on the disk.
  public boolean spareMissing() {
    return spareMissing;
  }

  /// Writes what is queued, then stops.
  public void stop() throws InterruptedException {
    stopping = true;
    orders.add(new Order.Stop());
    preparer.interrupt();
    thread.join(5000);
  }

  private void run() {
    boolean marked = true;
    @Nullable Order carried = null;
    List<LogRecord> group = new ArrayList<>();
    try {
      while (true) {
        Order first = carried != null ? carried : orders.poll(IDLE_MILLIS, TimeUnit.MILLISECONDS);
        carried = null;
        if (first == null) {
          if (!marked) {
            marked = true;
            onIdle.run();
          }
          continue;
        }
        int size = 0;
        Order next = first;
        while (next instanceof Order.Append(var record, var bytes)
            && (group.isEmpty() || size + bytes <= log.groupCapacity())) {
          group.add(record);
          size += bytes;
          next = orders.poll();
        }
        carried = next;
        if (!group.isEmpty()) {
          marked = group.getLast() instanceof LogRecord.Mark;
          int before = log.segmentCount();
          log.write(group);
          long begun = System.nanoTime();
          long durable = log.force();
          forceTimer.record(System.nanoTime() - begun, TimeUnit.NANOSECONDS);
          group.clear();
          report(durable);
          if (log.segmentCount() != before) {
            LOG.debugf("began a new segment, there are now %d", log.segmentCount());
          }
        }
        if (carried instanceof Order.Drop(var below)) {
          log.dropBelow(below);
          report(log.nextLsn() - 1);
          carried = null;
        } else if (carried instanceof Order.Stop) {
          files.close();
          return;
        }
      }
    } catch (IOException | RuntimeException e) {
      halt(e);
    } catch (InterruptedException e) {
      halt(e);
    }
  }

  private void report(long durable) {
    progress.accept(new Progress(durable, log.segmentCount(), log.secondFirstLsn()));
  }

  private static void halt(Exception cause) {
    LOG.fatal("the log cannot be written; halting, for nothing after this could be trusted", cause);
    Runtime.getRuntime().halt(3);
  }

  /// Keeps the next segment ready on a thread of its own, so that the log never waits for it.
  private void prepare() {
    while (!stopping) {
      try {
        if (!files.spareReady(segmentBytes)) {
          files.prepareSpare(segmentBytes);
        }
        spareMissing = false;
      } catch (IOException e) {
        if (!stopping && !spareMissing) {
          LOG.errorf("no room for the next segment of the log: %s", e.getMessage());
        }
        spareMissing = true;
      }
      try {
        Thread.sleep(500);
      } catch (InterruptedException e) {
        return;
      }
    }
  }
}
