package dev.parley.benchmarks.kv;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/// `kill -9` of a member in the middle of writes. Each of 64 clients writes keys of its own, one
/// write at a time, to all members in turn, and tries a failed write once more at the next one.
/// Afterwards every key is read back.
final class Failover {

  private static final int CLIENTS = 64;
  private static final int KEYS_PER_CLIENT = 100;

  /// An attempt that hangs counts as failed after this.
  private static final Duration ATTEMPT = Duration.ofSeconds(5);

  private static final Duration BEFORE = Duration.ofSeconds(3);
  private static final Duration AFTER = Duration.ofSeconds(6);

  /// One write as its client saw it, in nanoseconds of one clock.
  private record Write(long begun, long ended, boolean retried, boolean succeeded) {}

  /// What became of one key: the last value acknowledged, and all whose outcome is not known.
  private static final class Fate {
    String acknowledged = "";
    final Set<String> uncertain = new HashSet<>();

    /// The last version its client knew, which tells a retry from an operation long past.
    long version;
  }

  /// What the clients saw after the kill, and in an equally loaded time before it.
  ///
  /// @param member what was killed
  /// @param silence longest time in which no write succeeded
  /// @param longestWait of one client for one write, its retry included
  /// @param longestWaitBefore the same before the kill: what load alone costs
  /// @param failed writes that failed at two members
  /// @param lost acknowledged writes that were gone when read back
  record Result(
      String member,
      Duration silence,
      Duration longestWait,
      Duration longestWaitBefore,
      long writes,
      long retried,
      long failed,
      long lost) {}

  private Failover() {}

  /// @param turn which kill of this store it is
  static Result run(Client client, Store store, int turn, int valueBytes)
      throws IOException, InterruptedException {
    AtomicBoolean over = new AtomicBoolean();
    AtomicLong killedAt = new AtomicLong(Long.MAX_VALUE);
    AtomicReference<String> failure = new AtomicReference<>("");
    int victim = store.memberToKill(client, turn);
    List<Map<String, Fate>> fates = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      fates.add(new HashMap<>());
    }
    Thread killer =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    Thread.sleep(BEFORE);
                    killedAt.set(System.nanoTime());
                    store.members().get(victim).kill();
                    Thread.sleep(AFTER);
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  } finally {
                    over.set(true);
                  }
                });
    String value = Filler.value(valueBytes);
    List<Write> writes = new ArrayList<>();
    for (List<Write> each :
        Filler.parallel(
            CLIENTS,
            number ->
                write(client, store, number, turn, value, fates.get(number), failure, over))) {
      writes.addAll(each);
    }
    killer.join();
    int survivor = (victim + 1) % store.members().size();
    long lost =
        Filler.parallel(CLIENTS, number -> lost(client, store, survivor, fates.get(number)))
            .stream()
            .mapToLong(Long::longValue)
            .sum();
    store.members().get(victim).start();
    store.members().get(victim).awaitHealthy(client, Duration.ofSeconds(60));
    if (!"".equals(failure.get())) {
      System.out.println("the first write that failed: " + failure.get());
    }
    return summary(store.members().get(victim).address(), writes, killedAt.get(), lost);
  }

  private static List<Write> write(
      Client client,
      Store store,
      int number,
      int turn,
      String padding,
      Map<String, Fate> fates,
      AtomicReference<String> failure,
      AtomicBoolean over)
      throws InterruptedException {
    List<Write> writes = new ArrayList<>();
    int members = store.members().size();
    // As the client library does it: a base is the last version known of the key, or else the
    // highest of any.
    long highest = store.get(client, 0, Filler.key(number * KEYS_PER_CLIENT), ATTEMPT).version();
    for (int i = 0; !over.get(); i++) {
      String key = Filler.key(number * KEYS_PER_CLIENT + i % KEYS_PER_CLIENT);
      String value = "%d-%d-%d-".formatted(turn, number, i) + padding;
      String operation = UUID.randomUUID().toString();
      int member = (number + i) % members;
      Fate fate = fates.computeIfAbsent(key, _ -> new Fate());
      long base = fate.version == 0 ? highest : fate.version;
      long begun = System.nanoTime();
      Client.Answer answer = store.put(client, member, key, value, operation, 1, base, ATTEMPT);
      boolean retried = !answer.success();
      if (retried) {
        int next = (member + 1) % members;
        answer = store.put(client, next, key, value, operation, 2, base, ATTEMPT);
      }
      writes.add(new Write(begun, System.nanoTime(), retried, answer.success()));
      if (answer.success()) {
        fate.acknowledged = value;
        fate.version = answer.version();
        highest = Math.max(highest, fate.version);
      } else {
        fate.uncertain.add(value);
        failure.compareAndSet("", store.api() + " answered " + answer);
      }
    }
    return writes;
  }

  /// How many of the keys hold neither the last acknowledged value nor one of unknown outcome.
  private static long lost(Client client, Store store, int member, Map<String, Fate> fates)
      throws InterruptedException {
    long lost = 0;
    for (Map.Entry<String, Fate> entry : fates.entrySet()) {
      Fate fate = entry.getValue();
      if (!fate.acknowledged.isEmpty() && !holds(client, store, member, entry.getKey(), fate)) {
        lost++;
      }
    }
    return lost;
  }

  private static boolean holds(Client client, Store store, int member, String key, Fate fate)
      throws InterruptedException {
    Client.Answer answer = Client.Answer.NONE;
    for (int attempt = 0; attempt < 20 && !answer.success() && answer.status() != 404; attempt++) {
      answer = store.get(client, member, key, ATTEMPT);
    }
    if (answer.status() == 404) {
      return false;
    }
    if (!answer.success()) {
      throw new IllegalStateException("key " + key + " cannot be read back: " + answer);
    }
    // The value is the body, or one field of it; no value is a part of another.
    String text = answer.text();
    return text.contains(fate.acknowledged) || fate.uncertain.stream().anyMatch(text::contains);
  }

  private static Result summary(String member, List<Write> writes, long killedAt, long lost) {
    long firstBegun = writes.stream().mapToLong(Write::begun).min().orElse(killedAt);
    // The first second is for connections and warming up.
    long settled = firstBegun + Duration.ofSeconds(1).toNanos();
    long waitBefore = 0;
    long waitAfter = 0;
    long retried = 0;
    long failed = 0;
    List<Long> successes = new ArrayList<>();
    for (Write write : writes) {
      long waited = write.ended() - write.begun();
      retried += write.retried() ? 1 : 0;
      failed += write.succeeded() ? 0 : 1;
      if (write.ended() >= killedAt) {
        waitAfter = Math.max(waitAfter, waited);
      } else if (write.begun() >= settled) {
        waitBefore = Math.max(waitBefore, waited);
      }
      if (write.succeeded() && write.ended() >= killedAt) {
        successes.add(write.ended());
      }
    }
    successes.sort(null);
    long silence = 0;
    long previous = killedAt;
    for (long success : successes) {
      silence = Math.max(silence, success - previous);
      previous = success;
    }
    if (successes.isEmpty()) {
      silence = AFTER.toNanos();
    }
    return new Result(
        member,
        Duration.ofNanos(silence),
        Duration.ofNanos(waitAfter),
        Duration.ofNanos(waitBefore),
        writes.size(),
        retried,
        failed,
        lost);
  }
}
