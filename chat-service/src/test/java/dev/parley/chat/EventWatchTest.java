package dev.parley.chat;

import static io.restassured.RestAssured.given;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.chat.conversation.Keys;
import dev.parley.chat.generation.Hub;
import dev.parley.kv.client.Condition;
import dev.parley.kv.client.InMemoryKvStore;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jboss.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What event streams cost the store while nothing happens, and how soon they tell of what another
/// replica did.
@QuarkusTest
@Timeout(60)
@QuarkusTestResource(RegistryResource.class)
@SuppressWarnings("NullAway.Init") // Set by the test framework.
class EventWatchTest {

  private static final Logger LOG = Logger.getLogger(EventWatchTest.class);
  private static final int STREAMS = 50;
  private static final Duration WINDOW = Duration.ofSeconds(3);

  @Inject InMemoryKvStore kv;
  @Inject Hub hub;

  @AfterEach
  void watchAgain() {
    hub.hearsAll(true);
  }

  /// Changes a conversation as another replica would: in the store, without a word to this one.
  private void rename(String id, String from, String to) {
    var entry = kv.get(Keys.conversation(id)).orElseThrow();
    String text = entry.text();
    assertTrue(text.contains('"' + from + '"'), text);
    kv.put(
        entry.key(),
        text.replace('"' + from + '"', '"' + to + '"').getBytes(StandardCharsets.UTF_8),
        Condition.version(entry.version()));
  }

  private int getsWithin(String id) {
    int before = kv.gets(Keys.conversation(id));
    long end = System.nanoTime() + WINDOW.toNanos();
    while (System.nanoTime() < end) {
      LockSupport.parkNanos(end - System.nanoTime());
    }
    return kv.gets(Keys.conversation(id)) - before;
  }

  /// Until no stream still reads for what happened before.
  private void settle(String id) {
    long quietSince = System.nanoTime();
    int seen = kv.gets(Keys.conversation(id));
    while (System.nanoTime() - quietSince < 500_000_000L) {
      LockSupport.parkNanos(20_000_000L);
      int now = kv.gets(Keys.conversation(id));
      if (now != seen) {
        seen = now;
        quietSince = System.nanoTime();
      }
    }
  }

  private static long millisUntilTold(List<EventStream> streams, String title, Runnable change)
      throws Exception {
    long begun = System.nanoTime();
    change.run();
    for (EventStream stream : streams) {
      stream.until(event -> event.data().path("conversation").path("title").asText().equals(title));
    }
    return (System.nanoTime() - begun) / 1_000_000;
  }

  @Test
  void idleStreamsReadNothingWhileTheStoreIsWatchedAndHearOfChangesAtOnce() throws Exception {
    Fleet.until(() -> given().get("/q/health/ready").statusCode() != 500);
    String id =
        given()
            .contentType("application/json")
            .body("{\"title\":\"first\"}")
            .post("/api/conversations")
            .then()
            .statusCode(201)
            .extract()
            .path("id");
    List<EventStream> streams = new ArrayList<>();
    try {
      for (int i = 0; i < STREAMS; i++) {
        EventStream stream = new EventStream(id, 0L);
        streams.add(stream);
        stream.until(event -> event.type().equals("conversation"));
      }
      settle(id);
      int watched = getsWithin(id);
      long soon = millisUntilTold(streams, "second", () -> rename(id, "first", "second"));

      hub.hearsAll(false);
      int polled = getsWithin(id);
      hub.hearsAll(true);

      LOG.infof(
          "%d idle streams: %.1f reads a second while watched, %.1f without; all told in %d ms",
          (Object) STREAMS,
          watched / (double) WINDOW.toSeconds(),
          polled / (double) WINDOW.toSeconds(),
          soon);
      assertEquals(0, watched);
      assertTrue(polled >= STREAMS, "polled only " + polled);
    } finally {
      for (EventStream stream : streams) {
        stream.close();
      }
    }
  }
}
