package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.equalTo;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import io.restassured.RestAssured;
import jakarta.enterprise.event.Event;
import jakarta.inject.Inject;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/// A node that stops says so to whoever comes, and gives those who are there already a moment.
@QuarkusTest
@TestProfile(StoppingNodeTest.Alone.class)
@WithTestResource(FreshDataDirectory.class)
class StoppingNodeTest {

  /// A node that no other test uses: what has begun to stop does not go on.
  public static final class Alone implements QuarkusTestProfile {}

  @Inject Event<ShutdownDelayInitiatedEvent> stop;

  private static int put() {
    return given().body("1").put("/v1/kv/demo/k").statusCode();
  }

  @Test
  void refusesInTheWordsOfTheStoreAndWaitsForWhatIsUnderWay() throws Exception {
    URI watch = URI.create("http://localhost:" + RestAssured.port + "/v1/watch?prefix=demo/");
    try (HttpClient client = HttpClient.newHttpClient()) {
      HttpResponse<InputStream> underWay =
          client.send(HttpRequest.newBuilder(watch).build(), BodyHandlers.ofInputStream());
      assertEquals(200, underWay.statusCode());
      Thread stopping =
          Thread.ofVirtual().start(() -> stop.fire(new ShutdownDelayInitiatedEvent()));
      long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
      while (put() != 503 && System.nanoTime() - deadline < 0) {
        Thread.onSpinWait();
      }
      assertTrue(stopping.isAlive(), "it waits for the watch");
      given()
          .body("1")
          .put("/v1/kv/demo/k")
          .then()
          .statusCode(503)
          .contentType("application/problem+json")
          .header("Retry-After", equalTo("1"))
          .header("Connection", equalTo("close"))
          .body("type", equalTo("/problems/kv/not-applied"))
          .body("detail", equalTo("this node is stopping"));
      given().get("/v1/kv/demo/k").then().statusCode(503);
      given().get("/q/health/live").then().statusCode(200);
      underWay.body().close();
      assertTrue(stopping.join(Duration.ofSeconds(20)));
    }
  }
}
