package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.equalTo;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import io.restassured.http.ContentType;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.IntSupplier;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisDataException;

/// A node without room refuses new values at every door with what says so, still deletes, and takes
/// values again when there is room.
@QuarkusTest
@TestProfile(FullNodeTest.Small.class)
@WithTestResource(FreshDataDirectory.class)
class FullNodeTest {

  public static final class Small implements QuarkusTestProfile {
    @Override
    public Map<String, String> getConfigOverrides() {
      return Map.of("parley.max-live-bytes", "100000");
    }
  }

  @ConfigProperty(name = "parley.resp.port")
  int respPort;

  private static void await(int status, IntSupplier asking) {
    long deadline = System.nanoTime() + 20_000_000_000L;
    int seen = asking.getAsInt();
    while (seen != status && System.nanoTime() < deadline) {
      seen = asking.getAsInt();
    }
    assertEquals(status, seen);
  }

  @Test
  void refusesNewValuesAndTakesThemAgain() {
    given().body(new byte[200_000]).put("/v1/kv/fat").then().statusCode(201);
    await(507, () -> given().body("1").put("/v1/kv/until-full").statusCode());
    given()
        .body("1")
        .put("/v1/kv/thin")
        .then()
        .statusCode(507)
        .contentType("application/problem+json")
        .body("type", equalTo("/problems/kv/no-room"))
        .body("detail", equalTo("a majority of the nodes is full"));
    given()
        .contentType(ContentType.JSON)
        .body("{\"thin\":1}")
        .post("/")
        .then()
        .statusCode(507)
        .body("type", equalTo("/problems/kv/no-room"));
    given()
        .contentType(ContentType.JSON)
        .body("{\"operations\":[{\"op\":\"put\",\"key\":\"thin\",\"value\":\"1\"}]}")
        .post("/v1/batch")
        .then()
        .statusCode(200)
        .body("results[0].status", equalTo(507))
        .body("results[0].problem.type", equalTo("/problems/kv/no-room"));
    try (Jedis jedis = new Jedis("127.0.0.1", respPort, 10_000)) {
      JedisDataException refused =
          assertThrows(JedisDataException.class, () -> jedis.set("thin", "1"));
      assertEquals("OOM not applied: there is no room for new values", refused.getMessage());
      assertEquals(200_000, jedis.get("fat".getBytes(StandardCharsets.UTF_8)).length);
    }
    given().get("/v1/kv/thin").then().statusCode(404);
    assertTrue(given().get("/v1/cluster").asString().contains("This node has no room left"));
    given().delete("/v1/kv/fat").then().statusCode(204);
    await(201, () -> given().body("1").put("/v1/kv/thin").statusCode());
  }
}
