package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.client.Condition;
import dev.parley.kv.client.HttpKvStore;
import dev.parley.kv.client.KvStore;
import dev.parley.kv.client.WatchListener;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import io.vertx.core.json.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class WatchApiTest {

  private static final String TOKEN = "test-service-token-0123";

  private record Event(String type, @Nullable String id, JsonObject data) {}

  /// A client that reads events from a bare connection.
  private static final class Client implements AutoCloseable {
    private final Socket socket;
    private final BufferedReader in;
    @Nullable String lastId;

    Client(String query, String... headers) throws IOException {
      socket = new Socket("127.0.0.1", RestAssured.port);
      socket.setSoTimeout(20_000);
      StringBuilder request = new StringBuilder("GET /v1/watch?" + query + " HTTP/1.1\r\nHost: x");
      for (String header : headers) {
        request.append("\r\n").append(header);
      }
      socket.getOutputStream().write(request.append("\r\n\r\n").toString().getBytes(UTF_8));
      in = new BufferedReader(new InputStreamReader(socket.getInputStream(), UTF_8));
      assertEquals("HTTP/1.1 200 OK", in.readLine());
    }

    /// The next event. The sizes of chunks between the lines are no fields, and are passed over.
    Event next() throws IOException {
      String type = "";
      String id = null;
      String data = "";
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (line.startsWith("event: ")) {
          type = line.substring(7);
        } else if (line.startsWith("id: ")) {
          id = line.substring(4);
          lastId = id;
        } else if (line.startsWith("data: ")) {
          data = line.substring(6);
        } else if (line.isEmpty() && !data.isEmpty()) {
          return new Event(type, id, new JsonObject(data));
        }
      }
      throw new IOException("the stream ended");
    }

    Event change(String key) throws IOException {
      Event event = next();
      while (!event.type().equals("change") || !event.data().getString("key").equals(key)) {
        event = next();
      }
      return event;
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  private static String put(String key, String value) {
    String tag =
        given().body(value.getBytes(UTF_8)).put("/v1/kv/" + key).then().extract().header("ETag");
    return tag.substring(1, tag.length() - 1);
  }

  @Test
  void tellsWhatChangesUnderThePrefixAndNothingElse() throws IOException {
    try (Client client = new Client("prefix=watched/")) {
      Event ready = client.next();
      assertEquals("ready", ready.type());
      assertEquals(ready.id(), ready.data().getString("since"));
      put("elsewhere", "x");
      String version = put("watched/1", "值");
      Event change = client.next();
      assertEquals(
          new JsonObject()
              .put("key", "watched/1")
              .put("version", version)
              .put("deleted", false)
              .put("value", "值"),
          change.data());
      given().body(new byte[] {(byte) 0xff, 0}).put("/v1/kv/watched/1");
      assertEquals("/wA=", client.next().data().getString("value_base64"));
      given().delete("/v1/kv/watched/1");
      Event deleted = client.next();
      assertTrue(deleted.data().getBoolean("deleted"));
      assertFalse(deleted.data().containsKey("value"));
      given().body(new byte[(64 << 10) + 1]).put("/v1/kv/watched/2");
      Event large = client.next();
      assertFalse(large.data().getBoolean("deleted"));
      assertFalse(large.data().containsKey("value_base64"));
    }
  }

  @Test
  void goesOnAfterTheLastEventAndListsFirstWithoutAGap() throws IOException {
    String id;
    try (Client client = new Client("prefix=again/&values=false")) {
      assertEquals("ready", client.next().type());
      put("again/1", "x");
      Event change = client.change("again/1");
      assertFalse(change.data().containsKey("value"));
      id = String.valueOf(change.id());
    }
    put("again/2", "x");
    given().delete("/v1/kv/again/1");
    for (String[] way :
        new String[][] {
          {"prefix=again/&since=" + id, "X-Nothing: 1"},
          {"prefix=again/&since=nonsense", "Last-Event-ID: " + id}
        }) {
      try (Client client = new Client(way[0], way[1])) {
        assertEquals("ready", client.next().type());
        List<String> keys = new ArrayList<>();
        keys.add(client.next().data().getString("key"));
        keys.add(client.next().data().getString("key"));
        assertEquals(List.of("again/2", "again/1"), keys);
      }
    }
  }

  @Test
  void aPlaceOfAnotherLayoutMeansRescan() throws IOException {
    String id;
    try (Client client = new Client("prefix=old/")) {
      id = String.valueOf(client.next().id());
    }
    byte[] bytes = java.util.Base64.getUrlDecoder().decode(id);
    // The epoch follows the version, the cluster's name after its length, and the prefix's hash.
    bytes[1 + 4 + "parley".length() + 4 + 7] ^= 2;
    String old = java.util.Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    try (Client client = new Client("prefix=old/&since=" + old)) {
      Event rescan = client.next();
      assertEquals("rescan", rescan.type());
      put("old/1", "x");
      assertEquals("old/1", client.next().data().getString("key"));
    }
  }

  @Test
  void refusesWhatItCannotUnderstandAndWhatIsProtected() throws IOException {
    String id;
    try (Client client = new Client("prefix=a/")) {
      id = String.valueOf(client.next().id());
    }
    String[][] bad = {
      {"prefix=b/&since=nonsense", "since is not a place"},
      {"prefix=b/&since=" + id, "since belongs to a watch of another prefix"},
      {"prefix=a/&since=" + id.substring(0, id.length() - 4), "since is not a place"},
      {"prefix=b/&values=maybe", "values must be"},
      {"prefix=a&prefix=b", "given twice"},
      {"keys=a", "the query parameters are"}
    };
    for (String[] each : bad) {
      given()
          .urlEncodingEnabled(false)
          .get("/v1/watch?" + each[0])
          .then()
          .statusCode(400)
          .contentType("application/problem+json")
          .body("type", equalTo("/problems/kv/bad-request"))
          .body("detail", containsString(each[1]));
    }
    given()
        .get("/v1/watch?prefix=" + "p".repeat(513))
        .then()
        .statusCode(400)
        .body("type", equalTo("/problems/kv/bad-key"));
    for (String prefix : List.of("", "conv", "conversations/", "backends/x")) {
      given().get("/v1/watch?prefix=" + prefix).then().statusCode(401);
    }
    try (Client client = new Client("prefix=conv", "Authorization: Bearer " + TOKEN)) {
      assertEquals("ready", client.next().type());
    }
  }

  @Test
  void servesABoundedNumberOfWatchesAndTakesOthersWhenTheyAreGone() throws IOException {
    List<Client> clients = new ArrayList<>();
    try {
      int refused = 200;
      while (refused == 200 && clients.size() <= 256) {
        try {
          clients.add(new Client("prefix=many/"));
        } catch (AssertionError e) {
          refused = given().get("/v1/watch?prefix=many/").statusCode();
        }
      }
      assertEquals(503, refused);
      assertTrue(clients.size() > 200 && clients.size() <= 256);
    } finally {
      for (Client client : clients) {
        client.close();
      }
    }
    long deadline = System.nanoTime() + 20_000_000_000L;
    boolean served = false;
    while (!served && System.nanoTime() < deadline) {
      try (Client client = new Client("prefix=many/")) {
        served = client.next().type().equals("ready");
      } catch (AssertionError e) {
        Thread.onSpinWait();
      }
    }
    assertTrue(served);
  }

  @Test
  void theClientOfOtherServicesIsToldToListAndThenOfEveryChange() throws Exception {
    LinkedBlockingQueue<Object> told = new LinkedBlockingQueue<>();
    try (KvStore store =
            new HttpKvStore(
                List.of(
                    URI.create("http://127.0.0.1:1"),
                    URI.create(RestAssured.baseURI + ":" + RestAssured.port)),
                TOKEN);
        KvStore.Watch watch =
            store.watch(
                "client/",
                true,
                new WatchListener() {
                  @Override
                  public void rescan() {
                    told.add("rescan");
                  }

                  @Override
                  public void changed(Change change) {
                    told.add(change);
                  }

                  @Override
                  public void live(boolean now) {
                    told.add(now);
                  }
                })) {
      assertEquals("rescan", told.poll(20, TimeUnit.SECONDS));
      assertEquals(true, told.poll(20, TimeUnit.SECONDS));
      store.put("client/1", new byte[] {1, (byte) 200}, Condition.ALWAYS);
      WatchListener.Change change = (WatchListener.Change) told.poll(20, TimeUnit.SECONDS);
      assertEquals(store.get("client/1").orElseThrow().version(), change.version());
      assertArrayEquals(new byte[] {1, (byte) 200}, change.value());
      assertFalse(watch.toString().isEmpty());
    }
  }
}
