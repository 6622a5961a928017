package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.log.SegmentedLog;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/// However long a node runs, its log holds about twice what lives in it and four segments more:
/// that bounds the disk it takes and the time it needs to start.
class LogBoundTest {

  private static final int SEGMENT = 64 * 1024;

  /// A node alone, with a log of which one group at a time is written: what gathers while one is
  /// forced goes into the next.
  private static final class Node {
    final MemoryDisk disk;
    final NodeCore core;
    final SegmentedLog log;
    final List<LogRecord> queue = new ArrayList<>();
    final List<Answer> answers = new ArrayList<>();
    long now;
    int mostQueued;

    Node(MemoryDisk disk) throws Exception {
      this.disk = disk;
      Acceptor acceptor = new Acceptor("n");
      log = SegmentedLog.open(disk, "c", "n", SEGMENT, acceptor.replay());
      core =
          new NodeCore(
              "n",
              Layout.of(List.of("n")),
              acceptor,
              log.nextLsn(),
              Timing.local(),
              new SplittableRandom(1));
      carryOut(core.start(0));
      settle();
    }

    void step(Event event) throws Exception {
      now += 1_000_000;
      carryOut(core.step(now, event));
    }

    private void carryOut(List<Effect> first) throws Exception {
      ArrayDeque<Effect> effects = new ArrayDeque<>(first);
      while (!effects.isEmpty()) {
        switch (effects.remove()) {
          case Effect.Append(_, var record) -> queue.add(record);
          case Effect.Respond(_, var answer) -> answers.add(answer);
          case Effect.DropBelow(var lsn) -> {
            log.dropBelow(lsn);
            effects.addAll(core.step(now, shape()));
          }
          case Effect.Send _, Effect.LayoutChanged _ -> {}
          case Effect.Halt(var reason) -> throw new AssertionError(reason);
        }
      }
    }

    /// Writes until nothing is queued.
    void settle() throws Exception {
      while (!queue.isEmpty()) {
        mostQueued = Math.max(mostQueued, queue.size());
        List<LogRecord> group = new ArrayList<>();
        int bytes = 0;
        while (!queue.isEmpty()
            && bytes + SegmentedLog.sizeOf(queue.getFirst()) <= log.groupCapacity()) {
          bytes += SegmentedLog.sizeOf(queue.getFirst());
          group.add(queue.removeFirst());
        }
        log.write(group);
        carryOut(core.step(now, new Event.Durable(log.force())));
        carryOut(core.step(now, shape()));
      }
    }

    private Event.LogShape shape() {
      return new Event.LogShape(log.segmentCount(), SEGMENT, log.secondFirstLsn());
    }
  }

  @Test
  void staysWithinTwiceWhatLivesAndFourSegmentsAndLosesNothing() throws Exception {
    SplittableRandom random = new SplittableRandom(5);
    MemoryDisk disk = new MemoryDisk();
    Node node = new Node(disk);
    TreeMap<String, Long> last = new TreeMap<>();
    for (int i = 0; i < 6000; i++) {
      // Some keys are written once and never again, as what makes old segments hard to give up.
      String name = i < 100 ? "cold/" + i : "hot/" + random.nextInt(40);
      byte[] body = new byte[random.nextInt(3000)];
      node.answers.clear();
      Mutation put =
          new Mutation(new OpId(1, i), new Precondition.Always(), body, Mutation.NO_BASE);
      node.step(new Event.Write(1, Key.of(name), put));
      for (int tick = 0; node.answers.isEmpty() && tick < 10; tick++) {
        node.settle();
        node.step(new Event.Tick());
      }
      node.settle();
      last.put(name, ((Answer.Applied) node.answers.getFirst()).version());
      long bound = 2 * node.core.liveBytes() + 4L * SEGMENT;
      // One segment more may have begun while the oldest is being emptied into it.
      long bytes = (long) node.log.segmentCount() * SEGMENT;
      assertTrue(bytes <= bound + SEGMENT, i + ": " + bytes + " bytes, live " + bound);
    }
    assertTrue(disk.list().get(1) > 50, "nothing was dropped");
    // What one turn of emptying the oldest segment appends.
    assertTrue(node.mostQueued < 100, node.mostQueued + " records queued at once");
    Node again = new Node(disk);
    assertEquals(last.size(), again.core.keys());
    for (String name : last.keySet()) {
      again.answers.clear();
      again.step(new Event.Read(1, Key.of(name)));
      for (int tick = 0; again.answers.isEmpty() && tick < 100; tick++) {
        again.settle();
        again.step(new Event.Tick());
      }
      assertEquals(last.get(name), ((Answer.Found) again.answers.getFirst()).version());
    }
  }
}
