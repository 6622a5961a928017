package dev.parley.kv.node;

import dev.parley.kv.core.Acceptor;
import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Availability;
import dev.parley.kv.core.Effect;
import dev.parley.kv.core.Event;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Layout;
import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.MemberChange;
import dev.parley.kv.core.Message;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.NodeCore;
import dev.parley.kv.core.Timing;
import dev.parley.kv.core.WatchPosition;
import dev.parley.kv.core.log.DamagedLogException;
import dev.parley.kv.core.log.SegmentStorage;
import dev.parley.kv.core.log.SegmentedLog;
import dev.parley.kv.core.wire.Batch;
import dev.parley.kv.node.disk.FileSegments;
import dev.parley.kv.node.disk.LogWriter;
import dev.parley.kv.node.peer.PeerLink;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.core.Vertx;
import io.vertx.core.impl.ContextInternal;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// Drives the core: one event loop gives it events and carries out its effects, one thread waits
/// for the disk. Everything else hands its work to that event loop, which costs nothing where it
/// already runs there: with one event loop a node, as is the default, that is every request.
@ApplicationScoped
public class NodeHost {

  private static final Logger LOG = Logger.getLogger(NodeHost.class);

  private static final int STATUS_MILLIS = 200;

  /// How long the event loop may take to close the connections when the node stops.
  private static final int STOP_MILLIS = 1000;

  /// When the connections to a node that is no member any more are closed: longer than an answer.
  private static final int LET_GO_MILLIS = 2000;

  /// How long, and how many, mutations wait for a disk that is behind.
  private static final int PATIENCE_MILLIS = 1500;

  private static final int MAX_WAITING = 1024;

  /// How many bytes of values wait so. A client that goes away gives its room in [Bodies] back, but
  /// its mutation waits on: so this counts for itself.
  private static final int MAX_WAITING_BYTES = 24 << 20;

  /// A slow disk must not look like a dead node: after this an answer is given without waiting for
  /// it, at the next look.
  private static final long MAX_HELD_NANOS = 100_000_000L;

  private final Vertx vertx;
  private final Settings settings;
  private final MeterRegistry meters;
  private final Operations operations;
  private final int patienceMillis;
  private final UnaryOperator<SegmentStorage> disk;
  private final Map<Long, Consumer<Answer>> tickets = new HashMap<>();
  private final Map<String, PeerLink> links = new HashMap<>();
  private final ArrayDeque<Waiting> waitingForLog = new ArrayDeque<>();
  private volatile @Nullable Running running;
  private volatile NodeStatus status = NodeStatus.UNKNOWN;
  private volatile long logBytes;
  private volatile long diskFree = Long.MAX_VALUE;
  private int waitingBytes;
  private long nextTicket = 1;
  private long timer = -1;
  private long timerDue = Long.MAX_VALUE;
  private final ArrayDeque<Runnable> deferred = new ArrayDeque<>();
  private boolean working;
  private boolean stopped;

  /// By peer, in the order in which the batches came.
  private final Map<String, ArrayDeque<HeldAnswer>> heldAnswers = new HashMap<>();

  /// The peer whose batch is being handed to the core.
  private @Nullable String receivingFrom;

  /// The last record that was given to the log.
  private long appended;

  /// What exists once the log is recovered.
  private record Running(ContextInternal loop, NodeCore core, LogWriter writer, FileChannel lock) {}

  /// What is done when the disk is not behind any more.
  private static final class Waiting {
    final int bytes;
    final Runnable action;
    long patience = -1;

    Waiting(int bytes, Runnable action) {
      this.bytes = bytes;
      this.action = action;
    }
  }

  /// The answer to a batch of a peer that is held back until what the batch wrote is on disk:
  /// whatever is to be replied to that peer meanwhile leaves in it.
  private static final class HeldAnswer {
    private final Consumer<@Nullable Batch> give;
    private final long since = System.nanoTime();
    private final List<Message> messages = new ArrayList<>();
    private int bytes;
    private long afterLsn;

    HeldAnswer(Consumer<@Nullable Batch> give) {
      this.give = give;
    }

    /// Requests never ride along: what becomes of an answer is not known, and whether a request
    /// was delivered must be. Neither do large bodies, for which all small ones would wait.
    boolean take(Message message) {
      int weight = PeerLink.weight(message);
      if (!(message instanceof Message.Reply)
          || weight > PeerLink.LARGE
          || bytes + weight > PeerLink.BATCH_BYTES) {
        return false;
      }
      bytes += weight;
      messages.add(message);
      return true;
    }
  }

  @Inject
  NodeHost(Vertx vertx, Settings settings, MeterRegistry meters) {
    this(vertx, settings, meters, PATIENCE_MILLIS, files -> files);
  }

  /// @param disk what the log is to see of its files
  NodeHost(
      Vertx vertx,
      Settings settings,
      MeterRegistry meters,
      int patienceMillis,
      UnaryOperator<SegmentStorage> disk) {
    this.patienceMillis = patienceMillis;
    this.disk = disk;
    this.vertx = vertx;
    this.settings = settings;
    this.meters = meters;
    this.operations = new Operations(meters);
  }

  void start(@Observes StartupEvent event) {
    try {
      recover();
    } catch (DamagedLogException | IOException e) {
      throw new CannotStartException(
          "cannot use the data directory " + settings.dataDir() + ": " + e.getMessage());
    }
  }

  void stop(@Observes ShutdownEvent event) throws InterruptedException, IOException {
    Running now = running;
    if (now != null) {
      now.writer().stop();
      now.lock().close();
      CountDownLatch closed = new CountDownLatch(1);
      now.loop()
          .runOnContext(
              _ -> {
                stopped = true;
                links.values().forEach(PeerLink::close);
                closed.countDown();
              });
      // What Vert.x closes next is not used any more.
      var _ = closed.await(STOP_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  /// The latest look at the node, from any thread.
  public NodeStatus status() {
    return status;
  }

  /// Asks for a mutation; the answer comes on the core's event loop. From any thread.
  ///
  /// While the disk is behind the mutation waits at the door, but not for long.
  public void write(Key key, Mutation mutation, Consumer<Answer> answer) {
    if (!logBehind()) {
      ask(ticket -> new Event.Write(ticket, key, mutation), timed(Operations.Kind.WRITE, answer));
      return;
    }
    Consumer<Answer> answered = timed(Operations.Kind.WRITE, answer);
    work(
        () -> {
          Answer refusal = new Answer.NotApplied("the disk is behind");
          int bytes = mutation.body() == null ? 0 : mutation.body().length;
          if (waitingForLog.size() >= MAX_WAITING || waitingBytes + bytes > MAX_WAITING_BYTES) {
            answered.accept(refusal);
            return;
          }
          Mutation received = running().core().received(key, mutation);
          Waiting waiting =
              new Waiting(
                  bytes, () -> ask(ticket -> new Event.Write(ticket, key, received), answered));
          await(waiting);
          waiting.patience =
              vertx.setTimer(
                  patienceMillis,
                  _ -> {
                    if (forget(waiting)) {
                      answered.accept(refusal);
                    }
                  });
        });
  }

  private void await(Waiting waiting) {
    waitingForLog.add(waiting);
    waitingBytes += waiting.bytes;
  }

  /// False if it waits no more.
  private boolean forget(Waiting waiting) {
    if (!waitingForLog.remove(waiting)) {
      return false;
    }
    waitingBytes -= waiting.bytes;
    if (waiting.patience >= 0) {
      vertx.cancelTimer(waiting.patience);
    }
    return true;
  }

  /// How many mutations and peers wait for the disk. On the core's event loop.
  int waiting() {
    return waitingForLog.size();
  }

  /// Asks for a linearizable read.
  public void read(Key key, Consumer<Answer> answer) {
    ask(ticket -> new Event.Read(ticket, key), timed(Operations.Kind.READ, answer));
  }

  /// Asks for one page of a listing.
  public void scan(byte[] prefix, @Nullable Key after, int limit, Consumer<Answer> answer) {
    ask(
        ticket -> new Event.Scan(ticket, prefix, after, limit),
        timed(Operations.Kind.LIST, answer));
  }

  private Consumer<Answer> timed(Operations.Kind kind, Consumer<Answer> answer) {
    long begun = System.nanoTime();
    return given -> {
      operations.answered(kind, given, System.nanoTime() - begun);
      answer.accept(given);
    };
  }

  /// Begins to watch the keys with a prefix: the answer is an [Answer.Watched], or why not.
  ///
  /// @param since where to go on, or null to begin now
  public void watch(
      byte[] prefix, boolean values, @Nullable WatchPosition since, Consumer<Answer> answer) {
    ask(ticket -> new Event.Watch(ticket, prefix, values, since), answer);
  }

  /// Asks for what is to be told next, once; it may take as long as nothing happens.
  public void watchMore(long watch, Consumer<Answer> answer) {
    ask(ticket -> new Event.WatchMore(ticket, watch), answer);
  }

  /// Ends a watch.
  public void unwatch(long watch) {
    Running now = running;
    if (now != null) {
      now.loop().runOnContext(_ -> step(new Event.Unwatch(watch)));
    }
  }

  /// Asks for other members.
  public void change(MemberChange change, Consumer<Answer> answer) {
    ask(ticket -> new Event.ChangeMembers(ticket, change), answer);
  }

  /// Whether the disk is so far behind that nothing new should be begun. From any thread.
  public boolean logBehind() {
    Running now = running;
    return now != null && now.writer().behind();
  }

  /// Runs `action` on the core's event loop as soon as the disk is not behind.
  public void whenLogHasRoom(Runnable action) {
    running()
        .loop()
        .runOnContext(
            _ -> {
              if (logBehind()) {
                await(new Waiting(0, action));
              } else {
                action.run();
              }
            });
  }

  /// Hands a peer's batch to the core. `answer` gets, on the core's event loop, what there is to
  /// reply to that peer, or null: at once if the batch wrote nothing, else when that is on disk. So
  /// replies need no batch of their own, and what comes next gathers on the other side meanwhile.
  public void receive(Batch batch, Consumer<@Nullable Batch> answer) {
    if (running == null) {
      answer.accept(null);
      return;
    }
    work(
        () -> {
          ArrayDeque<HeldAnswer> all =
              heldAnswers.computeIfAbsent(batch.from(), _ -> new ArrayDeque<>());
          while (all.size() >= PeerLink.BATCHES_AT_ONCE) {
            // It is of a large message, or came by a connection that is gone.
            give(all.removeFirst());
          }
          HeldAnswer held = new HeldAnswer(answer);
          all.addLast(held);
          long before = appended;
          receivingFrom = batch.from();
          try {
            received(batch);
          } finally {
            receivingFrom = null;
          }
          held.afterLsn = appended;
          if (appended == before) {
            all.removeLast();
            give(held);
          }
        });
  }

  private void give(HeldAnswer held) {
    held.give.accept(
        held.messages.isEmpty()
            ? null
            : new Batch(
                settings.cluster(), settings.self(), running().core().boot(), held.messages));
  }

  private void giveHeld(Predicate<HeldAnswer> which) {
    for (ArrayDeque<HeldAnswer> all : List.copyOf(heldAnswers.values())) {
      while (!all.isEmpty() && which.test(all.getFirst())) {
        give(all.removeFirst());
      }
    }
  }

  /// Hands a peer's batch to the core; all replies go their own way.
  public void receive(Batch batch) {
    if (running != null) {
      work(() -> received(batch));
    }
  }

  private void received(Batch batch) {
    for (Message message : batch.messages()) {
      advance(new Event.Received(batch.from(), batch.boot(), message));
    }
  }

  private interface Asking {
    Event event(long ticket);
  }

  private void ask(Asking asking, Consumer<Answer> answer) {
    Running now = running;
    if (now == null) {
      answer.accept(new Answer.NotApplied("the node is starting"));
      return;
    }
    work(
        () -> {
          long ticket = nextTicket++;
          tickets.put(ticket, answer);
          advance(asking.event(ticket));
        });
  }

  /// Runs `task` on the core's event loop: at once if this is it. A task that begins while another
  /// is under way, as when the end of one response lets the next request in, waits for its turn:
  /// the effects of one step are carried out before those of the next.
  private void work(Runnable task) {
    running()
        .loop()
        .emit(
            task,
            first -> {
              deferred.add(first);
              if (working) {
                return;
              }
              working = true;
              try {
                for (Runnable next = deferred.poll(); next != null; next = deferred.poll()) {
                  next.run();
                }
              } finally {
                working = false;
              }
              rearm();
            });
  }

  private void recover() throws IOException, DamagedLogException {
    Path directory = settings.dataDir();
    Files.createDirectories(directory);
    FileChannel lock = lock(directory);
    FileSegments files = new FileSegments(directory);
    Acceptor acceptor = new Acceptor(settings.self());
    SegmentedLog log =
        SegmentedLog.open(
            disk.apply(files),
            settings.cluster(),
            settings.self(),
            settings.segmentBytes(),
            new SecureRandom(),
            acceptor.replay());
    NodeCore core =
        new NodeCore(
            settings.self(),
            settings.layout(),
            acceptor,
            log.nextLsn(),
            Timing.local(),
            new SplittableRandom(new SecureRandom().nextLong()));

    // The new boot's number must be durable before anything of it is seen.
    List<Effect> later = new ArrayList<>();
    List<LogRecord> records = new ArrayList<>();
    for (Effect effect : core.start(System.nanoTime())) {
      if (effect instanceof Effect.Append(_, var record)) {
        records.add(record);
      } else {
        later.add(effect);
      }
    }
    log.write(records);
    long durable = log.force();
    diskFree = Files.getFileStore(directory).getUsableSpace();

    ContextInternal loop = (ContextInternal) vertx.getOrCreateContext();
    Timer forces =
        Timer.builder("parley.kv.log.force")
            .description("Time one flush of the log took")
            .publishPercentileHistogram(false)
            .register(meters);
    LogWriter writer =
        new LogWriter(
            log,
            files,
            settings.segmentBytes(),
            progress -> loop.runOnContext(_ -> progressed(progress)),
            () -> loop.runOnContext(_ -> look()),
            forces,
            LogWriter.HALT);
    logBytes = (long) log.segmentCount() * settings.segmentBytes();
    running = new Running(loop, core, writer, lock);
    writer.start();
    LOG.infof(
        "node %s of cluster %s: boot %d, %d keys recovered from %d segments%s",
        settings.self(),
        settings.cluster(),
        core.boot(),
        core.keys(),
        log.segmentCount(),
        log.wipedBytes() == 0 ? "" : ", the torn tail of an unacknowledged write was wiped");
    LogWriter.Progress begun =
        new LogWriter.Progress(durable, log.segmentCount(), log.secondFirstLsn());
    loop.runOnContext(
        _ -> {
          carryOut(later);
          progressed(begun);
          look();
          vertx.setPeriodic(STATUS_MILLIS, _ -> look());
          vertx.setPeriodic(2000, _ -> measureDisk());
          vertx.setPeriodic(1000, _ -> step(new Event.WallClock(System.currentTimeMillis())));
        });
  }

  private PeerLink.Listener listener(String peer) {
    return new PeerLink.Listener() {
      @Override
      public void undelivered(List<Message> messages) {
        step(new Event.Undelivered(peer, messages));
      }

      @Override
      public void dropped(List<Message> messages) {
        step(new Event.Dropped(peer, messages));
      }

      @Override
      public void replied(Batch batch) {
        work(() -> received(batch));
      }
    };
  }

  private FileChannel lock(Path directory) throws IOException, DamagedLogException {
    FileChannel channel =
        FileChannel.open(
            directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      channel.close();
      throw new DamagedLogException("another process is using it");
    }
    return channel;
  }

  private void progressed(LogWriter.Progress progress) {
    logBytes = (long) progress.segments() * settings.segmentBytes();
    step(new Event.Durable(progress.durable()));
    step(
        new Event.LogShape(
            progress.segments(), settings.segmentBytes(), progress.secondFirstLsn()));
    giveHeld(held -> held.afterLsn <= progress.durable());
    while (!waitingForLog.isEmpty() && !logBehind()) {
      Waiting next = waitingForLog.element();
      forget(next);
      next.action.run();
    }
  }

  private Running running() {
    Running now = running;
    if (now == null) {
      throw new IllegalStateException("the node has not started");
    }
    return now;
  }

  private void step(Event event) {
    work(() -> advance(event));
  }

  /// Only from within [#work].
  private void advance(Event event) {
    carryOut(running().core().step(System.nanoTime(), event));
  }

  private void carryOut(List<Effect> effects) {
    for (Effect effect : effects) {
      switch (effect) {
        case Effect.Append(var lsn, var record) -> {
          running().writer().append(record);
          appended = lsn;
        }
        case Effect.DropBelow(var lsn) -> running().writer().dropBelow(lsn);
        case Effect.Send(var to, var message) -> send(to, message);
        case Effect.LayoutChanged(var layout) -> link(layout);
        case Effect.Halt(var reason) -> halt(reason);
        case Effect.Respond(var ticket, var answer) -> {
          Consumer<Answer> asker = tickets.remove(ticket);
          if (asker != null) {
            asker.accept(answer);
          }
        }
      }
    }
  }

  /// Has a connection to every other member, and to nobody else. The configuration may name another
  /// address for one than the cluster does: this node then sees it there.
  private void link(Layout layout) {
    for (Layout.Member member : layout.members()) {
      if (!member.id().equals(settings.self())) {
        link(member.id(), member.url());
      }
    }
    for (String id : List.copyOf(links.keySet())) {
      if (layout.member(id) == null) {
        PeerLink gone = links.remove(id);
        // What it was sent last may still reach it.
        vertx.setTimer(LET_GO_MILLIS, _ -> gone.close());
      }
    }
    heldAnswers
        .entrySet()
        .removeIf(each -> each.getValue().isEmpty() && layout.member(each.getKey()) == null);
    if (layout.member(settings.self()) == null && layout.epoch() > 1) {
      LOG.warnf(
          "this node was removed from the cluster in epoch %d: it has forgotten its keys and"
              + " answers no more requests; stop it and delete %s",
          layout.epoch(), settings.dataDir());
    } else if (layout.epoch() > 1) {
      LOG.infof("now in %s", layout);
    }
  }

  private PeerLink link(String id, String url) {
    return links.computeIfAbsent(
        id,
        _ ->
            new PeerLink(
                running().loop(),
                id,
                settings.urls().getOrDefault(id, URI.create(url)),
                settings.cluster(),
                settings.self(),
                settings.bearer(),
                () -> running().core().boot(),
                listener(id)));
  }

  /// A member is linked already; one that was removed is told so when it asks, and then let go.
  private void send(String to, Message message) {
    if (stopped) {
      return;
    }
    // What a batch is told at once goes with its own answer, what became durable with the first.
    ArrayDeque<HeldAnswer> held = heldAnswers.get(to);
    HeldAnswer riding =
        held == null ? null : to.equals(receivingFrom) ? held.peekLast() : held.peekFirst();
    if (riding != null && riding.take(message)) {
      return;
    }
    PeerLink link = links.get(to);
    if (link != null) {
      link.send(message);
      return;
    }
    for (Layout.Departed departed : running().core().layout().departed()) {
      if (departed.id().equals(to)) {
        link(to, departed.url()).send(message);
      }
    }
  }

  /// The data directory is not the one the cluster relies on. Nothing may be said from it.
  private static void halt(String reason) {
    LOG.fatalf("halting: %s", reason);
    Runtime.getRuntime().halt(4);
  }

  /// Keeps one timer set for the core's next deadline.
  private void rearm() {
    OptionalLong next = running().core().nextDeadline();
    if (next.isEmpty() || next.getAsLong() >= timerDue) {
      return;
    }
    if (timer >= 0) {
      vertx.cancelTimer(timer);
    }
    timerDue = next.getAsLong();
    long millis = Math.max(1, (timerDue - System.nanoTime() + 999_999) / 1_000_000);
    timer =
        running()
            .loop()
            .setTimer(
                millis,
                _ -> {
                  timer = -1;
                  timerDue = Long.MAX_VALUE;
                  step(new Event.Tick());
                });
  }

  private void measureDisk() {
    vertx
        .executeBlocking(() -> Files.getFileStore(settings.dataDir()).getUsableSpace(), false)
        .onSuccess(free -> diskFree = free);
  }

  private void look() {
    NodeCore core = running().core();
    long now = System.nanoTime();
    giveHeld(held -> now - held.since > MAX_HELD_NANOS);
    List<NodeStatus.Member> members = new ArrayList<>();
    int reachable = 0;
    Layout layout = core.layout();
    for (Layout.Member member : layout.members()) {
      String id = member.id();
      boolean up = core.reachable(id, now);
      OptionalLong silence = core.silence(id, now);
      long seen =
          id.equals(settings.self()) ? 0 : silence.isEmpty() ? -1 : silence.getAsLong() / 1_000_000;
      members.add(
          new NodeStatus.Member(
              id,
              member.url(),
              up,
              seen,
              member.group(),
              member.weight(),
              layout.joint() && !layout.stays(id),
              core.behind(id).orElse(-1)));
      reachable += up ? 1 : 0;
    }
    boolean full =
        core.liveBytes() > settings.maxLiveBytes()
            || diskFree < settings.minFreeBytes()
            || running().writer().spareMissing();
    if (full != status.full()) {
      if (full) {
        LOG.error("no room for new values: they are refused, deletes are not");
      }
      step(new Event.Room(full));
    }
    status =
        new NodeStatus(
            members,
            layout.epoch(),
            core.waitsFor().orElse(null),
            layout.register().current().size() / 2 + 1,
            reachable,
            Availability.of(layout, id -> core.reachable(id, now)),
            core.keys(),
            core.tombstones(),
            core.liveBytes(),
            logBytes,
            running().writer().backlogBytes(),
            diskFree,
            full,
            core.counters().copy(),
            new NodeStatus.Change(
                layout.joint(),
                core.move().orElse(null),
                core.candidates(),
                layout.departed().stream().anyMatch(each -> each.id().equals(settings.self()))));
  }
}
