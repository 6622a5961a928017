package dev.parley.system;

import static dev.parley.system.Http.map;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/// One conversation, held through an address of Parley as a client of the API would hold it.
final class Chat {

  private static final Set<String> TERMINAL = Set.of("done", "stopped", "failed");
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Http http;
  final String id;

  private Chat(Http http, String id) {
    this.http = http;
    this.id = id;
  }

  static Chat create(Http http) {
    return new Chat(http, http.post("/api/conversations", map()).json(201).path("id").asText());
  }

  /// The same conversation seen through another address.
  Chat through(Http other) {
    return new Chat(other, id);
  }

  /// Sends a message; returns the id of the answer that is now the server's to complete.
  String send(String content) {
    JsonNode accepted =
        http.post(
                "/api/conversations/" + id + "/messages",
                map("client_id", UUID.randomUUID().toString(), "content", content))
            .json(202);
    return accepted.path("generation").path("id").asText();
  }

  /// Sends a message and waits for the complete answer.
  JsonNode ask(String content) {
    return await(send(content));
  }

  /// The answer once it has come to its end, whatever the end is.
  JsonNode await(String messageId) {
    return await(messageId, message -> TERMINAL.contains(message.path("state").asText()));
  }

  /// The answer as soon as it fulfils the condition. Asks the server again and again.
  JsonNode await(String messageId, java.util.function.Predicate<JsonNode> condition) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    JsonNode last = null;
    while (System.nanoTime() - deadline < 0) {
      Http.Answer answer = history();
      if (answer.status() == 200) {
        for (JsonNode message : answer.json().path("messages")) {
          if (message.path("id").asText().equals(messageId)) {
            last = message;
          }
        }
        if (last != null && condition.test(last)) {
          return last;
        }
      }
      Eventually.pause();
    }
    throw new AssertionError("the answer never came to the awaited point; last seen: " + last);
  }

  Http.Answer history() {
    return http.get("/api/conversations/" + id + "/messages?limit=100");
  }

  /// Follows the event stream from a point; the text of one message is put together from it.
  Follower follow(long after) {
    return new Follower(http, id, after);
  }

  /// A reader of the event stream that puts the text of an answer together and fails on a gap.
  static final class Follower implements AutoCloseable {

    record Event(String type, long seq, JsonNode data) {}

    private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private final HttpClient client =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private Follower(Http http, String id, long after) {
      HttpRequest request =
          HttpRequest.newBuilder(
                  http.base().resolve("/api/conversations/" + id + "/events?after=" + after))
              .header("Accept", "text/event-stream")
              .build();
      Thread.ofVirtual().start(() -> read(request));
    }

    private void read(HttpRequest request) {
      try {
        var response = client.send(request, BodyHandlers.ofInputStream());
        if (response.statusCode() != 200) {
          throw new AssertionError("event stream answered " + response.statusCode());
        }
        try (var lines =
            new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
          String type = "message";
          long seq = 0;
          for (String line; (line = lines.readLine()) != null; ) {
            if (line.startsWith("event:")) {
              type = line.substring(6).strip();
            } else if (line.startsWith("id:")) {
              seq = Long.parseLong(line.substring(3).strip());
            } else if (line.startsWith("data:")) {
              events.add(new Event(type, seq, Http.JSON.readTree(line.substring(5))));
            }
          }
        }
      } catch (IOException e) {
        // The stream ended, as it does when its server is killed or the test closes it.
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    /// Reads until the message comes to its end; returns its text as the stream told it.
    String textOf(String messageId) {
      StringBuilder text = new StringBuilder();
      long deadline = System.nanoTime() + PATIENCE.toNanos();
      try {
        while (System.nanoTime() - deadline < 0) {
          Event event = events.poll(1, TimeUnit.SECONDS);
          if (event == null || !concerns(event, messageId)) {
            continue;
          }
          if (event.type.equals("delta")) {
            int offset = event.data.path("offset").asInt();
            if (offset != text.length()) {
              throw new AssertionError("gap: at " + text.length() + ", delta at " + offset);
            }
            text.append(event.data.path("text").asText());
            continue;
          }
          if (event.type.equals("message")) {
            text.replace(0, text.length(), event.data.path("message").path("content").asText());
          }
          if (TERMINAL.contains(state(event))) {
            return text.toString();
          }
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      throw new AssertionError("the stream never told the end of the answer; text: " + text);
    }

    private static String state(Event event) {
      return event.type.equals("state")
          ? event.data.path("state").asText()
          : event.data.path("message").path("state").asText();
    }

    private static boolean concerns(Event event, String messageId) {
      return event.data.path("message_id").asText().equals(messageId)
          || event.data.path("message").path("id").asText().equals(messageId);
    }

    @Override
    public void close() {
      client.shutdownNow();
    }
  }
}
