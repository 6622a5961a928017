package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.nullValue;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.http.ContentType;
import io.restassured.response.ValidatableResponse;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class BatchTest {

  private static JsonObject op(String op, String key, String... fields) {
    JsonObject operation = new JsonObject().put("op", op).put("key", key);
    for (int i = 0; i < fields.length; i += 2) {
      operation.put(fields[i], fields[i + 1]);
    }
    return operation;
  }

  private static ValidatableResponse send(JsonObject... operations) {
    JsonArray list = new JsonArray();
    for (JsonObject operation : operations) {
      list.add(operation);
    }
    return given()
        .contentType(ContentType.JSON)
        .body(new JsonObject().put("operations", list).encode())
        .post("/v1/batch")
        .then();
  }

  @Test
  void eachOperationHasItsOwnOutcome() {
    given().body(new byte[] {(byte) 0xff}).put("/v1/kv/batch/bytes").then().statusCode(201);
    String version = given().body("old").put("/v1/kv/batch/old").header("ETag").replace("\"", "");
    send(
            op("put", "batch/new", "value", "汉"),
            op("put", "batch/new2", "value_base64", "/w=="),
            op("put", "batch/old", "value", "x", "if_none_match", "*"),
            op("get", "batch/old2"),
            op("get", "batch/bytes"),
            op("delete", "batch/none"),
            op("put", "batch/absent", "value", "1", "if_match", "1"),
            op("put", "batch/absent", "value", "1", "if_match", "*"))
        .statusCode(200)
        .body("results", hasSize(8))
        .body("results.key[0]", equalTo("batch/new"))
        .body("results[0].status", equalTo(201))
        .body("results[1].status", equalTo(201))
        .body("results[2].status", equalTo(412))
        .body("results[2].version", equalTo(version))
        .body("results[2].problem.type", equalTo("/problems/kv/condition-failed"))
        .body("results[3].status", equalTo(404))
        .body("results[3].problem.type", equalTo("/problems/kv/not-found"))
        .body("results[4].status", equalTo(200))
        .body("results[4].value_base64", equalTo("/w=="))
        .body("results[5].status", equalTo(404))
        .body("results[6].status", equalTo(412))
        .body("results[6].version", nullValue())
        .body("results[7].status", equalTo(412));
    given().get("/v1/kv/batch/new").then().body(equalTo("汉"));
    given().get("/v1/kv/batch/old").then().body(equalTo("old"));
    send(op("put", "batch/old", "value", "2", "if_match", version), op("delete", "batch/new"))
        .body("results[0].status", equalTo(200))
        .body("results[1].status", equalTo(200));
    given().get("/v1/kv/batch/new").then().statusCode(404);
  }

  @Test
  void aTimeToLiveIsKept() {
    JsonObject put = op("put", "batch/ttl", "value", "1").put("ttl_seconds", 1);
    send(put).statusCode(200).body("results[0].status", equalTo(201));
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (given().get("/v1/kv/batch/ttl").statusCode() == 200) {
      assertTrue(System.nanoTime() < deadline, "still there");
    }
  }

  @Test
  void operationsOnOneKeyKeepTheirOrder() {
    JsonObject[] operations = new JsonObject[1000];
    for (int i = 0; i < operations.length; i++) {
      String key = "batch/o" + i / 2 % 5;
      operations[i] = i % 2 == 0 ? op("put", key, "value", "v" + i) : op("get", key);
    }
    ValidatableResponse response = send(operations).statusCode(200);
    JsonArray results = new JsonObject(response.extract().asString()).getJsonArray("results");
    assertEquals(1000, results.size());
    for (int i = 1; i < results.size(); i += 2) {
      assertEquals("v" + (i - 1), results.getJsonObject(i).getString("value"));
    }
  }

  @Test
  void aRetryWithTheSameIdempotencyKeysAppliesNothingTwice() {
    JsonObject put = op("put", "batch/idem", "value", "1", "idempotency_key", "b-1");
    String first = send(put).extract().path("results[0].version");
    given().body("2").put("/v1/kv/batch/idem").then().statusCode(200);
    assertEquals(first, send(put).extract().path("results[0].version"));
    given().get("/v1/kv/batch/idem").then().body(equalTo("2"));
  }

  @Test
  void theValuesOfOneAnswerAreBounded() {
    given().body(new byte[1 << 20]).put("/v1/kv/batch/large").then().statusCode(201);
    JsonObject[] reads = new JsonObject[10];
    java.util.Arrays.fill(reads, op("get", "batch/large"));
    send(reads)
        .statusCode(200)
        .body("results[7].status", equalTo(200))
        .body("results[8].status", equalTo(413))
        .body("results[9].problem.type", equalTo("/problems/kv/too-large"));
    given().delete("/v1/kv/batch/large").then().statusCode(204);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[] | bad-request | the body must be {\"operations\": [...]}",
        "{} | bad-request | the body must be {\"operations\": [...]}",
        "{\"operations\":[]} | bad-request | a batch has at least one operation",
        "{\"operations\":[1]} | bad-request | operation 0: an operation is an object",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"bad/x\",\"value\":\"1\"},{\"op\":\"get\"}]} | bad-key | operation 1: the key is empty",
        "{\"operations\":[{\"op\":\"get\",\"key\":\"a/../b\"}]} | bad-key | operation 0: no part of a key between slashes may be . or ..",
        "{\"operations\":[{\"op\":\"cas\",\"key\":\"a\"}]} | bad-request | operation 0: op must be get, put or delete",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"a\"}]} | bad-request | operation 0: a put has a value or a value_base64",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"a\",\"value\":1}]} | bad-request | operation 0: value must be a string",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"a\",\"value\":\"\\ud800\"}]} | bad-request | operation 0: the value is not well-formed Unicode",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\",\"ttl_seconds\":0}]} | bad-request | operation 0: ttl_seconds must be a whole number from 1 to 9999999999",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"a\",\"value_base64\":\"*\"}]} | bad-request | operation 0: value_base64 is not Base64",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\",\"if_match\":\"W/1\"}]} | bad-condition | operation 0: one of if_match: a version or *, or if_none_match: *",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\",\"if_match\":\"1\",\"if_none_match\":\"*\"}]} | bad-condition | operation 0: one of if_match: a version or *, or if_none_match: *",
        "{\"operations\":[{\"op\":\"put\",\"key\":\"bad/x\",\"value\":\"1\",\"attempt\":\"0\"}]} | bad-request | operation 0: the attempt must be a whole number from 1 to 999999999",
        "{\"operations\":[{\"op\":\"get\",\"key\":\"a\",\"key\":\"b\"}]} | bad-request | the JSON has a field twice",
        "{\"operations\":[{\"op\":\"get\",\"key\":\"a\"}]} x | bad-request | the body is not valid JSON"
      })
  void aBatchThatCannotBeUnderstoodChangesNothing(String body, String type, String detail) {
    given()
        .contentType(ContentType.JSON)
        .body(body)
        .post("/v1/batch")
        .then()
        .statusCode(400)
        .contentType("application/problem+json")
        .body("type", equalTo("/problems/kv/" + type))
        .body("detail", equalTo(detail));
    given().get("/v1/kv/bad/x").then().statusCode(404);
  }

  @Test
  void tooManyTooLargeOrNotAllowed() {
    JsonObject[] many = new JsonObject[1001];
    java.util.Arrays.fill(many, op("get", "a"));
    send(many).statusCode(400).body("detail", equalTo("a batch has at most 1000 operations"));
    send(op("put", "large", "value", "x".repeat((1 << 20) + 1)))
        .statusCode(413)
        .body("detail", equalTo("operation 0: a value has at most 1048576 bytes"));
    given()
        .contentType(ContentType.JSON)
        .body(" ".repeat((8 << 20) + 1))
        .post("/v1/batch")
        .then()
        .statusCode(413);
    given().contentType(ContentType.TEXT).body("{}").post("/v1/batch").then().statusCode(415);
    send(op("put", "free", "value", "1"), op("get", "backends/x")).statusCode(401);
    given().get("/v1/kv/free").then().statusCode(404);
    assertTrue(given().post("/v1/batch?x=1").asString().contains("takes no query parameters"));
  }
}
