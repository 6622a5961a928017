package dev.parley.chat;

import static io.restassured.RestAssured.given;

import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;

/// Waits for the service to notice a change of its fleet.
final class Fleet {

  private Fleet() {}

  /// Waits until the backend is the one that is asked, by name of the model and without.
  static void awaitSeen(FakeBackend backend) {
    for (String body : List.of("{\"model\":\"m\",\"messages\":[]}", "{\"messages\":[]}")) {
      until(
          () ->
              backend.name.equals(
                  given()
                      .contentType("application/json")
                      .body(body)
                      .post("/v1/chat/completions")
                      .header("x-parley-backend")));
    }
    backend.bodies.clear();
  }

  static void awaitNone() {
    until(
        () ->
            given()
                    .contentType("application/json")
                    .body("{\"messages\":[]}")
                    .post("/v1/chat/completions")
                    .statusCode()
                == 503);
  }

  static void until(BooleanSupplier condition) {
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("waited in vain");
      }
      Thread.onSpinWait();
      java.util.concurrent.locks.LockSupport.parkNanos(10_000_000);
    }
  }
}
