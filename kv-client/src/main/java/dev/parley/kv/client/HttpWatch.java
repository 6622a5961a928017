package dev.parley.kv.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/// A watch over HTTP, on a virtual thread of its own: reads the events of one node, and goes on at
/// the next one, from the place that the last event named, when that node refuses, ends or falls
/// silent. Which nodes there are it sees anew each time.
final class HttpWatch implements AutoCloseable {

  /// A node shows that it is there every five seconds. One that has not for this long is left.
  private static final Duration SILENCE = Duration.ofSeconds(8);

  /// The pause before the next node is asked is anything up to this, doubled with every failure.
  private static final long FIRST_PAUSE_MILLIS = 50;

  private static final long LONGEST_PAUSE_MILLIS = 2_000;

  /// Longest line: a value of 64 KiB, each byte written as six characters, and a key.
  private static final int MAX_LINE = 1 << 20;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http;
  private final BiFunction<URI, String, HttpRequest.Builder> asking;
  private final Members members;
  private final Runnable onTrouble;
  private final String query;
  private final WatchListener listener;
  private final Duration silence;
  private final Thread reader;
  private final Thread watchdog;
  private URI node;
  private int failures;
  private boolean live;
  private boolean begun;
  private @Nullable String token;
  private volatile long heardNanos = System.nanoTime();
  private volatile @Nullable InputStream current;
  private volatile boolean busy;
  private volatile boolean closed;

  /// @param asking begins a request to a node, of a path with its query
  /// @param onTrouble told when a node refuses or can be heard no more
  /// @param query what to watch, as the node reads it
  HttpWatch(
      HttpClient http,
      BiFunction<URI, String, HttpRequest.Builder> asking,
      Members members,
      Runnable onTrouble,
      String query,
      WatchListener listener) {
    this(http, asking, members, onTrouble, query, listener, SILENCE);
  }

  HttpWatch(
      HttpClient http,
      BiFunction<URI, String, HttpRequest.Builder> asking,
      Members members,
      Runnable onTrouble,
      String query,
      WatchListener listener,
      Duration silence) {
    this.http = http;
    this.asking = asking;
    this.members = members;
    this.onTrouble = onTrouble;
    this.query = query;
    this.listener = listener;
    this.silence = silence;
    List<URI> likely = members.addresses();
    this.node = likely.get(ThreadLocalRandom.current().nextInt(likely.size()));
    this.reader = Thread.ofVirtual().name("kv-watch").unstarted(this::run);
    this.watchdog = Thread.ofVirtual().name("kv-watch-silence").unstarted(this::guard);
  }

  void start() {
    reader.start();
    watchdog.start();
  }

  @Override
  public void close() {
    closed = true;
    reader.interrupt();
    watchdog.interrupt();
    letGo();
  }

  private void run() {
    while (!closed) {
      try {
        watch();
      } catch (IOException | InterruptedException | RuntimeException e) {
        if (!(e instanceof IOException)) {
          token = null; // The listener failed: nobody knows what it has done with what it was told.
          begun = false;
        }
      }
      if (closed) {
        return;
      }
      onTrouble.run();
      try {
        live(false);
        long most = Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS << Math.min(failures++, 10));
        Thread.sleep(ThreadLocalRandom.current().nextLong(most + 1));
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        begun = false;
      }
      List<URI> all = members.addresses(null);
      node = all.get((all.indexOf(node) + 1) % all.size());
    }
  }

  /// Reads one node's events until there are no more.
  private void watch() throws IOException, InterruptedException {
    String path = "/v1/watch?" + query;
    String from = token;
    HttpRequest.Builder request = asking.apply(node, path).GET().timeout(Duration.ofSeconds(5));
    if (from != null) {
      request.header("Last-Event-ID", from);
    }
    HttpResponse<InputStream> response = http.send(request.build(), BodyHandlers.ofInputStream());
    try (InputStream body = response.body()) {
      if (response.statusCode() != 200) {
        if (response.statusCode() == 400 && from != null) {
          token = null; // Of a cluster that is no more.
          begun = false;
        }
        throw new IOException("status " + response.statusCode());
      }
      heardNanos = System.nanoTime();
      current = body;
      read(new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8)));
    } finally {
      current = null;
    }
  }

  private void read(BufferedReader in) throws IOException {
    String event = "";
    String id = null;
    StringBuilder data = new StringBuilder();
    for (String line = line(in); line != null && !closed; line = line(in)) {
      heardNanos = System.nanoTime();
      if (line.isEmpty()) {
        if (!data.isEmpty()) {
          busy = true;
          try {
            dispatch(event, data.toString());
          } finally {
            heardNanos = System.nanoTime();
            busy = false;
          }
        }
        if (id != null) {
          token = id;
          id = null;
        }
        event = "";
        data.setLength(0);
      } else if (line.startsWith("event: ")) {
        event = line.substring("event: ".length());
      } else if (line.startsWith("id: ")) {
        id = line.substring("id: ".length());
      } else if (line.startsWith("data: ")) {
        data.append(line, "data: ".length(), line.length());
      }
    }
  }

  private static @Nullable String line(BufferedReader in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c >= 0; c = in.read()) {
      if (c == '\n') {
        return line.toString();
      }
      line.append((char) c);
      if (line.length() > MAX_LINE) {
        throw new IOException("a node of the store sent a line without an end");
      }
    }
    return null;
  }

  private void dispatch(String event, String data) throws IOException {
    failures = 0;
    switch (event) {
      case "ready" -> {
        if (!begun) {
          listener.rescan();
          begun = true;
        }
        live(true);
      }
      case "rescan" -> {
        listener.rescan();
        begun = true;
      }
      case "stalled" -> live(false);
      case "resumed" -> live(true);
      case "change" -> {
        JsonNode change = JSON.readTree(data);
        byte[] value = null;
        if (change.hasNonNull("value_base64")) {
          value = Base64.getDecoder().decode(change.get("value_base64").textValue());
        } else if (change.hasNonNull("value")) {
          value = change.get("value").textValue().getBytes(StandardCharsets.UTF_8);
        }
        listener.changed(
            new WatchListener.Change(
                change.path("key").asText(),
                change.hasNonNull("version") ? change.get("version").asText() : null,
                change.path("deleted").asBoolean(),
                value));
      }
      default -> {} // Of a later version.
    }
  }

  private void live(boolean now) {
    if (now != live) {
      live = now;
      listener.live(now);
    }
  }

  /// Leaves a node that has said nothing for too long. While the listener works, nothing is read.
  private void guard() {
    while (!closed) {
      try {
        Thread.sleep(silence.dividedBy(4));
      } catch (InterruptedException e) {
        return;
      }
      if (!busy && System.nanoTime() - heardNanos > silence.toNanos()) {
        letGo();
      }
    }
  }

  private void letGo() {
    InputStream body = current;
    if (body != null) {
      try {
        body.close();
      } catch (IOException e) {
        // It is gone, which is what was wanted.
      }
    }
  }
}
