package dev.parley.benchmarks.kv;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/// Writes every key of a range once.
final class Filler {

  private static final int WRITERS = 64;
  private static final int BATCH_WRITERS = 6;
  private static final int BATCH = 500;
  private static final int TRIES = 10;

  /// A result of a batch that is no success.
  private static final Pattern NOT_WRITTEN = Pattern.compile("\"status\":[345]");

  private Filler() {}

  /// The name that `load.lua` gives to a key's number.
  static String key(int number) {
    return "%07d".formatted(number);
  }

  /// A value of random letters.
  static String value(int bytes) {
    StringBuilder value = new StringBuilder(bytes);
    ThreadLocalRandom random = ThreadLocalRandom.current();
    for (int i = 0; i < bytes; i++) {
      value.append((char) ('a' + random.nextInt(26)));
    }
    return value.toString();
  }

  /// @throws IllegalStateException if a key cannot be written in several tries
  static void fill(Client client, Store store, int keys, int valueBytes)
      throws InterruptedException {
    AtomicInteger next = new AtomicInteger();
    parallel(
        WRITERS,
        writer -> {
          for (int key = next.getAndIncrement(); key < keys; key = next.getAndIncrement()) {
            write(client, store, key, value(valueBytes));
          }
          return key(writer);
        });
  }

  private static void write(Client client, Store store, int key, String value)
      throws InterruptedException {
    insist(
        "key " + key,
        attempt ->
            store.put(
                client,
                (key + attempt) % store.members().size(),
                key(key),
                value,
                "fill-" + key,
                attempt,
                0,
                Duration.ofSeconds(10)));
  }

  /// The same by `POST /v1/batch`, for a million keys in reasonable time.
  ///
  /// @throws IllegalStateException if a batch cannot be written in several tries
  static void fillInBatches(Client client, Store store, int keys, int valueBytes)
      throws InterruptedException {
    AtomicInteger next = new AtomicInteger();
    parallel(
        BATCH_WRITERS,
        writer -> {
          for (int from = next.getAndAdd(BATCH); from < keys; from = next.getAndAdd(BATCH)) {
            StringBuilder json = new StringBuilder("{\"operations\":[");
            for (int key = from; key < Math.min(keys, from + BATCH); key++) {
              json.append(key == from ? "" : ",")
                  .append("{\"op\":\"put\",\"key\":\"bench/")
                  .append(key(key))
                  .append("\",\"value\":\"")
                  .append(value(valueBytes))
                  .append("\"}");
            }
            post(client, store, json.append("]}").toString(), from / BATCH);
          }
          return key(writer);
        });
  }

  private static void post(Client client, Store store, String json, int number)
      throws InterruptedException {
    insist(
        "batch " + number,
        attempt -> {
          Member member = store.members().get((number + attempt) % store.members().size());
          return client.post(member.address(), "/v1/batch", json, Duration.ofSeconds(30));
        });
  }

  /// Sends until all of it is written.
  private static void insist(String what, Work<Client.Answer> sending) throws InterruptedException {
    Client.Answer answer = null;
    for (int attempt = 1; attempt <= TRIES; attempt++) {
      answer = sending.run(attempt);
      if (answer.success() && !NOT_WRITTEN.matcher(answer.text()).find()) {
        return;
      }
      Thread.sleep(attempt * 50L);
    }
    throw new IllegalStateException(what + " cannot be written: " + answer);
  }

  /// What one of several workers does, or one of several attempts.
  interface Work<T> {
    T run(int number) throws InterruptedException;
  }

  /// Runs `count` workers on virtual threads to their ends.
  static <T> List<T> parallel(int count, Work<T> work) throws InterruptedException {
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<T>> calls = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        int number = i;
        calls.add(() -> work.run(number));
      }
      List<T> results = new ArrayList<>();
      for (Future<T> each : threads.invokeAll(calls)) {
        results.add(each.get());
      }
      return results;
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
  }
}
