package dev.parley.chat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.sse.SseEvent;
import dev.parley.chat.sse.SseParser;
import io.restassured.RestAssured;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// A client of a conversation's events, which puts the text together as a browser would.
final class EventStream implements AutoCloseable {

  /// One event as it came.
  record Event(String type, long seq, JsonNode data) {}

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient CLIENT =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private final InputStream in;
  private final SseParser parser = new SseParser(8 << 20);
  private final Deque<Event> ready = new ArrayDeque<>();
  final List<Event> seen = new ArrayList<>();
  final StringBuilder text = new StringBuilder();
  long seq;

  EventStream(String conversation, @Nullable Long after) throws IOException, InterruptedException {
    String query = after == null ? "" : "?after=" + after;
    URI uri =
        URI.create(
            "http://127.0.0.1:"
                + RestAssured.port
                + "/api/conversations/"
                + conversation
                + "/events"
                + query);
    HttpResponse<InputStream> response =
        CLIENT.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofInputStream());
    if (response.statusCode() != 200) {
      throw new IOException("status " + response.statusCode());
    }
    in = response.body();
  }

  /// Reads on until an event is as wished, and returns it.
  Event until(Predicate<Event> wished) throws IOException {
    byte[] buffer = new byte[8192];
    while (true) {
      while (!ready.isEmpty()) {
        Event event = ready.poll();
        take(event);
        if (wished.test(event)) {
          return event;
        }
      }
      int n = in.read(buffer);
      if (n < 0) {
        throw new IOException("the stream ended after " + seen);
      }
      parser.feed(Arrays.copyOf(buffer, n), this::add);
    }
  }

  /// Reads on until the answer is in a state, whether told as a change or with the whole message.
  Event untilState(String state) throws IOException {
    return until(
        event ->
            event.data.path("message").path("role").asText().equals("assistant")
                && event.data.path("message").path("superseded_by").isNull()
                && event.data.path("message").path("state").asText().equals(state));
  }

  Event untilText(String wanted) throws IOException {
    return until(_ -> text.toString().contains(wanted));
  }

  private void add(SseEvent event) {
    try {
      ready.add(
          new Event(
              event.type(),
              Long.parseLong(String.valueOf(event.id())),
              JSON.readTree(event.data())));
    } catch (IOException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private void take(Event event) {
    seen.add(event);
    seq = event.seq;
    JsonNode message = event.data.path("message");
    if (event.type.equals("delta")) {
      int offset = event.data.path("offset").asInt();
      if (offset != text.length()) {
        throw new AssertionError("a gap: have " + text.length() + ", got " + event);
      }
      text.append(event.data.path("text").asText());
    } else if (event.type.equals("message") && message.path("role").asText().equals("assistant")) {
      text.setLength(0);
      text.append(message.path("content").asText());
    }
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
