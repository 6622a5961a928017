package dev.parley.benchmarks.kv;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What a node needs for many small keys: memory, time to come back after `kill -9`, time for a
/// page of a listing, and whether a write costs more than with few keys.
final class ManyKeys {

  static final int SMALL = 10_000;
  static final int VALUE = 100;

  /// The least that docs/operations.md gives so many keys: nearly all of it for what stays.
  static final List<String> TIGHT = List.of("-Xms512m", "-Xmx512m", "-Xmn64m");

  /// With room, so that a write costs what the keys make it cost, and not a heap that is full.
  static final List<String> ROOMY = List.of("-Xms1g", "-Xmx1g", "-Xmn256m");

  static final int PAGE = 100;

  private static final int PAGES = 1000;
  private static final Pattern USED = Pattern.compile("used (\\d+)K");
  private static final Pattern NEXT = Pattern.compile("\"next\"\\s*:\\s*\"([^\"]+)\"");
  private static final int LARGEST_PAGE = 1000;

  /// @param keys what a complete listing shows
  /// @param heapMegabytes in use after a full collection, on the node that has most
  /// @param recovery from the start of the killed node's new process until it is ready
  /// @param startWithout the same for a node with [#SMALL] keys: what a start costs anyway
  /// @param logMegabytes on disk, of one node
  /// @param small writes with [#SMALL] keys, in a roomy heap
  /// @param large writes with all keys, in a roomy heap
  /// @param tight the same in a tight one, in which everything else is measured
  record Result(
      long keys,
      long heapMegabytes,
      Duration recovery,
      Duration startWithout,
      long logMegabytes,
      Duration pageMedian,
      Duration pageP99,
      Wrk.Result small,
      Wrk.Result large,
      Wrk.Result tight) {}

  private ManyKeys() {}

  static Result run(Options options, Client client, Wrk wrk)
      throws IOException, InterruptedException {
    int keys = options.bigKeys();
    List<Wrk.Result> few = new ArrayList<>();
    List<Wrk.Result> many = new ArrayList<>();
    Duration startWithout;
    try (Store small = Store.parley(options, "parley-few-keys", ROOMY);
        Store large = Store.parley(options, "parley-many-keys", ROOMY)) {
      fill(options, client, wrk, small, SMALL);
      fill(options, client, wrk, large, keys);
      for (int round = 0; round < options.rounds(); round++) {
        few.add(load(wrk, small, SMALL, options.seconds()));
        many.add(load(wrk, large, keys, options.seconds()));
      }
      startWithout = restart(client, small.members().getFirst());
    }
    try (Store store = Store.parley(options, "parley-many-keys-in-little", TIGHT)) {
      fill(options, client, wrk, store, keys);
      List<Wrk.Result> tight = new ArrayList<>();
      for (int round = 0; round < options.rounds(); round++) {
        tight.add(load(wrk, store, keys, options.seconds()));
      }
      Member first = store.members().getFirst();
      List<Duration> pages = pages(client, first.address(), keys);
      long used = 0;
      for (Member member : store.members()) {
        used = Math.max(used, heapMegabytes(options.java(), member));
      }
      return new Result(
          keys(client, first.address()),
          used,
          restart(client, first),
          startWithout,
          size(first.log().resolveSibling("data")) >> 20,
          pages.get(pages.size() / 2),
          pages.get(pages.size() * 99 / 100),
          Report.median(few),
          Report.median(many),
          Report.median(tight));
    }
  }

  private static void fill(Options options, Client client, Wrk wrk, Store store, int keys)
      throws IOException, InterruptedException {
    store.start(client);
    Filler.fillInBatches(client, store, keys, VALUE);
    load(wrk, store, keys, options.warmup() / 2);
  }

  private static Wrk.Result load(Wrk wrk, Store store, int keys, int seconds)
      throws IOException, InterruptedException {
    return wrk.run(store, "write", keys, VALUE, store.addresses(), seconds);
  }

  private static Duration restart(Client client, Member member)
      throws IOException, InterruptedException {
    member.kill();
    long begun = System.nanoTime();
    member.start();
    member.awaitHealthy(client, Duration.ofMinutes(2));
    return Duration.ofNanos(System.nanoTime() - begun);
  }

  /// Times of single pages that begin at random places, sorted.
  private static List<Duration> pages(Client client, String address, int keys)
      throws InterruptedException {
    List<Duration> times = new ArrayList<>();
    for (int i = 0; i < PAGES; i++) {
      int after = ThreadLocalRandom.current().nextInt(Math.max(1, keys - PAGE - 1));
      String path = "/v1/kv?prefix=bench/&limit=" + PAGE + "&after=bench/" + Filler.key(after);
      long begun = System.nanoTime();
      Client.Answer answer = client.get(address, path, Duration.ofSeconds(10));
      times.add(Duration.ofNanos(System.nanoTime() - begun));
      if (!answer.success() || !answer.text().contains(Filler.key(after + PAGE))) {
        throw new IllegalStateException("a wrong page: " + answer.status());
      }
    }
    List<Duration> warm = new ArrayList<>(times.subList(PAGES / 4, PAGES));
    Collections.sort(warm);
    return warm;
  }

  /// How many keys a complete listing shows.
  private static long keys(Client client, String address) throws InterruptedException {
    long keys = 0;
    String after = "";
    while (true) {
      Client.Answer page =
          client.get(
              address,
              "/v1/kv?prefix=bench/&limit=" + LARGEST_PAGE + "&after=" + after,
              Duration.ofSeconds(10));
      if (!page.success()) {
        throw new IllegalStateException("the listing failed: " + page.status());
      }
      keys += page.text().split("\"key\"", -1).length - 1;
      Matcher next = NEXT.matcher(page.text());
      if (!next.find()) {
        return keys;
      }
      after = next.group(1);
    }
  }

  /// Heap in use after a full collection.
  private static long heapMegabytes(Path java, Member member)
      throws IOException, InterruptedException {
    jcmd(java, member, "GC.run");
    // A serial collector's heap is two generations, a parallel region's one line.
    String info = jcmd(java, member, "GC.heap_info");
    long kilobytes = 0;
    for (String line : info.lines().toList()) {
      Matcher used = USED.matcher(line);
      if (!line.contains("Metaspace") && !line.contains("class space") && used.find()) {
        kilobytes += Long.parseLong(used.group(1));
      }
    }
    if (kilobytes == 0) {
      throw new IllegalStateException("no heap in: " + info);
    }
    return kilobytes >> 10;
  }

  private static String jcmd(Path java, Member member, String what)
      throws IOException, InterruptedException {
    Process jcmd =
        new ProcessBuilder(
                java.resolveSibling("jcmd").toString(), String.valueOf(member.pid()), what)
            .redirectErrorStream(true)
            .start();
    String output = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (jcmd.waitFor() != 0) {
      throw new IllegalStateException("jcmd " + what + " failed: " + output);
    }
    return output;
  }

  private static long size(Path directory) throws IOException {
    long bytes = 0;
    try (var files = Files.walk(directory)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        bytes += Files.size(file);
      }
    }
    return bytes;
  }
}
