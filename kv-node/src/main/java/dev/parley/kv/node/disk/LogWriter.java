package dev.parley.kv.node.disk;

import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.log.RecordGroup;
import dev.parley.kv.core.log.SegmentedLog;
import io.micrometer.core.instrument.Timer;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The one thread that waits for the disk. It takes all that is queued, writes it as one group,
/// forces it, and reports; while it does so the next group gathers. Under load it gives the next
/// group a moment longer.
///
/// A record is encoded once, by the caller, into the group that gathers. Its bytes are then written
/// from where they lie, and the group is used again.
///
/// A failed write or force ends the process, of the next segment as well: after one, nobody can
/// know what is on disk. Lack of space is no failure: it shows when the next segment is prepared,
/// while the current one still has room. Should that be used up as well, the writer waits for space
/// with what is queued, and [#behind] tells everyone.
public final class LogWriter {

  private static final Logger LOG = Logger.getLogger(LogWriter.class);

  /// More than this queued, and the disk is behind: no new work should be begun. As much as one
  /// group takes, so what is queued is on disk one group later.
  public static final int MAX_BACKLOG = 4 << 20;

  /// How old the durable proof of what was forced may be. A force per second more than the groups
  /// need.
  private static final long PROVE_NANOS = TimeUnit.SECONDS.toNanos(1);

  /// While at least so many records come at a time, forces begin no closer to each other than
  /// [#PACE_NANOS]: one force for more of them leaves more of the processor to everything else, and
  /// a single writer never waits for others. As PostgreSQL's `commit_siblings` and `commit_delay`.
  private static final int PACED_RECORDS = 4;

  private static final long PACE_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  /// How often space for the next segment is looked for when there was none.
  private static final long RETRY_SPARE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  /// Groups kept to be filled again: one gathers while one is written.
  private static final int SPARE_GROUPS = 2;

  /// Ends the process as the writer needs it: without anything else being run.
  public static final Runnable HALT = () -> Runtime.getRuntime().halt(3);

  /// What the disk thread reports.
  ///
  /// @param durable everything up to this record is on disk
  public record Progress(long durable, int segments, long secondFirstLsn) {}

  private final SegmentedLog log;
  private final Spares files;
  private final int segmentBytes;
  private final Consumer<Progress> progress;
  private final Runnable onSpace;
  private final Timer forceTimer;
  private final Runnable halt;
  private final Thread thread;
  private final Thread preparer;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  private final Condition spare = lock.newCondition();
  private final ArrayDeque<RecordGroup> queue = new ArrayDeque<>();
  private final ArrayDeque<RecordGroup> free = new ArrayDeque<>();
  private long dropBelow;
  private boolean stopping;
  /// Whether the writer waits for something to do, and not for the time to do it.
  private boolean idle;

  /// When the next group may be written at the earliest.
  private long notBefore;

  private boolean spareWanted = true;
  private volatile long backlog;
  private volatile boolean spareMissing;

  /// @param log opened, and from now on this writer's alone
  /// @param progress told after every force, on the disk thread
  /// @param onSpace told, on a thread of its own, when [#spareMissing] has changed
  /// @param halt called when the log could not be written, usually [#HALT]
  public LogWriter(
      SegmentedLog log,
      Spares files,
      int segmentBytes,
      Consumer<Progress> progress,
      Runnable onSpace,
      Timer forceTimer,
      Runnable halt) {
    this.log = log;
    this.files = files;
    this.segmentBytes = segmentBytes;
    this.progress = progress;
    this.onSpace = onSpace;
    this.forceTimer = forceTimer;
    this.halt = halt;
    this.thread = Thread.ofPlatform().name("kv-log").unstarted(this::run);
    this.preparer = Thread.ofPlatform().daemon().name("kv-log-spare").unstarted(this::prepare);
  }

  public void start() {
    thread.start();
    preparer.start();
  }

  /// Queues a record. It is never refused: what the core decided must be written. The caller keeps
  /// the queue short by giving the core no new work while the log is [#behind].
  public void append(LogRecord record) {
    lock.lock();
    try {
      RecordGroup last = queue.peekLast();
      int before = last == null ? 0 : last.bytes();
      if (last == null || !last.add(record)) {
        RecordGroup used = free.poll();
        last = used == null ? new RecordGroup(log.groupCapacity()) : used;
        before = 0;
        last.add(record);
        queue.add(last);
      }
      backlog += last.bytes() - before;
      if (idle) {
        work.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  /// Gives up the segments that hold only records below `lsn`, all of them superseded by durable
  /// ones.
  public void dropBelow(long lsn) {
    lock.lock();
    try {
      dropBelow = Math.max(dropBelow, lsn);
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  /// Bytes of records that are queued; those being written at the moment are not counted.
  public long backlogBytes() {
    return backlog;
  }

  /// Whether so much is queued that nothing new should be begun.
  public boolean behind() {
    return backlog >= MAX_BACKLOG;
  }

  /// Whether the next segment could not be made: no room on the disk. What is left of the current
  /// segment is then for deletes and for the node's own records.
  public boolean spareMissing() {
    return spareMissing;
  }

  /// Writes what is queued, then stops. What still waits for space after five seconds is lost, as
  /// nobody was told that it was written.
  public void stop() throws InterruptedException {
    lock.lock();
    try {
      stopping = true;
      work.signal();
      spare.signalAll();
    } finally {
      lock.unlock();
    }
    thread.join(5000);
    preparer.join(1000);
  }

  @SuppressWarnings("CatchingUnchecked") // An error leaves the log as unknown as an I/O error does.
  private void run() {
    try {
      long proven = System.nanoTime();
      while (true) {
        RecordGroup group;
        long drop;
        lock.lock();
        try {
          long early = notBefore - System.nanoTime();
          while (early > 0 && !stopping && !behind()) {
            early = work.awaitNanos(early);
          }
          idle = true;
          long left = PROVE_NANOS;
          while (queue.isEmpty() && dropBelow == 0 && !stopping && left > 0) {
            left = work.awaitNanos(left);
          }
          idle = false;
          group = queue.poll();
          backlog -= group == null ? 0 : group.bytes();
          drop = dropBelow;
          dropBelow = 0;
          if (group == null && drop == 0 && stopping) {
            break;
          }
        } finally {
          lock.unlock();
        }
        if (group != null && !write(group)) {
          break;
        }
        if (drop > 0) {
          log.dropBelow(drop);
          report(log.nextLsn() - 1);
        }
        if (System.nanoTime() - proven >= PROVE_NANOS) {
          log.prove();
          proven = System.nanoTime();
        }
      }
      log.prove();
      files.close();
    } catch (Throwable e) {
      LOG.fatal("the log cannot be written; halting, for nothing after this could be trusted", e);
      halt.run();
    }
  }

  /// False if it stopped waiting for space.
  private boolean write(RecordGroup group) throws IOException, InterruptedException {
    if (log.beginsSegment(group) && !awaitSpare()) {
      return false;
    }
    int segments = log.segmentCount();
    log.write(group);
    if (log.segmentCount() != segments) {
      LOG.debugf("began a new segment, there are now %d", log.segmentCount());
      wantSpare();
    }
    long begun = System.nanoTime();
    long durable = log.force();
    notBefore = group.records() < PACED_RECORDS ? begun : begun + PACE_NANOS;
    forceTimer.record(System.nanoTime() - begun, TimeUnit.NANOSECONDS);
    recycle(group);
    report(durable);
    return true;
  }

  /// Waits until the next segment is there. False if that was not to be before the stop.
  private boolean awaitSpare() throws IOException, InterruptedException {
    lock.lock();
    try {
      boolean told = false;
      while (!files.spareReady(segmentBytes)) {
        if (stopping && !spareMissing) {
          return true; // Nobody prepares it any more: beginning the segment makes it.
        }
        if (stopping) {
          LOG.error("stopped without space for the last, unacknowledged records");
          return false;
        }
        if (spareMissing && !told) {
          told = true;
          LOG.error(
              "the last segment is full and there is no room for another: writing has to wait");
        }
        spare.await(RETRY_SPARE_NANOS, TimeUnit.NANOSECONDS);
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  private void recycle(RecordGroup group) {
    group.clear();
    lock.lock();
    try {
      if (free.size() < SPARE_GROUPS) {
        free.add(group);
      }
    } finally {
      lock.unlock();
    }
  }

  private void report(long durable) {
    progress.accept(new Progress(durable, log.segmentCount(), log.secondFirstLsn()));
  }

  private void wantSpare() {
    lock.lock();
    try {
      spareWanted = true;
      spare.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /// Keeps the next segment ready on a thread of its own, so that the log never waits for it.
  @SuppressWarnings("CatchingUnchecked") // As for the writer itself.
  private void prepare() {
    try {
      while (awaitWanted()) {
        @Nullable NoRoomException problem = null;
        try {
          if (!files.spareReady(segmentBytes)) {
            files.prepareSpare(segmentBytes);
          }
        } catch (NoRoomException e) {
          problem = e;
        }
        prepared(problem);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (Throwable e) {
      LOG.fatal(
          "the next segment of the log cannot be prepared; halting, as for the log itself", e);
      halt.run();
    }
  }

  /// Waits until a spare is wanted, or may be had now. False at the stop.
  private boolean awaitWanted() throws InterruptedException {
    lock.lock();
    try {
      while (!stopping && !spareWanted) {
        if (spareMissing) {
          spareWanted = spare.awaitNanos(RETRY_SPARE_NANOS) <= 0;
        } else {
          spare.await();
        }
      }
      spareWanted = false;
      return !stopping;
    } finally {
      lock.unlock();
    }
  }

  private void prepared(@Nullable NoRoomException problem) {
    boolean missing = problem != null;
    boolean changed = missing != spareMissing;
    lock.lock();
    try {
      spareMissing = missing;
      spare.signalAll();
    } finally {
      lock.unlock();
    }
    if (changed) {
      if (problem != null) {
        LOG.errorf("no room for the next segment of the log: %s", problem.getMessage());
      } else {
        LOG.info("there is room for the next segment of the log again");
      }
      onSpace.run();
    }
  }
}
