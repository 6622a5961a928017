package dev.parley.chat;

import static io.restassured.RestAssured.given;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/// Waits for the service to notice a change of its fleet.
final class Fleet {

  private Fleet() {}

  static void awaitSeen(FakeBackend backend) {
    until(
        () -> {
          String seen =
              given()
                  .contentType("application/json")
                  .body("{\"model\":\"m\",\"messages\":[]}")
                  .post("/v1/chat/completions")
                  .header("x-parley-backend");
          return backend.name.equals(seen);
        });
    backend.bodies.clear();
  }

  static void awaitNone() {
    until(
        () ->
            given()
                    .contentType("application/json")
                    .body("{\"model\":\"m\",\"messages\":[]}")
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
