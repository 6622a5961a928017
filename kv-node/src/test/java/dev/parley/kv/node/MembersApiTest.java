package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.empty;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.nullValue;

import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.specification.RequestSpecification;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What an operator can ask of a cluster of one node, and every mistake in it.
@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class MembersApiTest {

  private static RequestSpecification operator() {
    return given()
        .header("Authorization", "Bearer test-service-token-0123")
        .contentType("application/json");
  }

  @AfterEach
  void nothingWasChanged() {
    given()
        .get("/v1/cluster")
        .then()
        .statusCode(200)
        .body("epoch", equalTo(1))
        .body("members", hasSize(1))
        .body("members[0].group", equalTo("default"))
        .body("change", nullValue())
        .body("removed", equalTo(false))
        .body("candidates", empty());
  }

  private static void problem(io.restassured.response.Response response, int status, String type) {
    response
        .then()
        .statusCode(status)
        .contentType("application/problem+json")
        .body("type", equalTo("/problems/kv/" + type));
  }

  @Test
  void membersAreChangedWithTheServiceTokenOnly() {
    problem(
        given().body("{\"id\":\"kv-9\",\"url\":\"http://h:1\"}").post("/v1/cluster/members"),
        401,
        "unauthorized");
    problem(given().delete("/v1/cluster/members/kv-test"), 401, "unauthorized");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | JSON",
        "[] | JSON",
        "{\"id\": | JSON",
        "{\"url\":\"http://h:1\"} | id",
        "{\"id\":\"a b\",\"url\":\"http://h:1\"} | id",
        "{\"id\":7,\"url\":\"http://h:1\"} | id",
        "{\"id\":\"kv-9\"} | url",
        "{\"id\":\"kv-9\",\"url\":\"ftp://h\"} | url",
        "{\"id\":\"kv-9\",\"url\":\"http://u:p@h/\"} | url",
        "{\"id\":\"kv-9\",\"url\":\"not a url\"} | url",
        "{\"id\":\"kv-9\",\"url\":\"http://h:1\",\"weight\":0} | weight",
        "{\"id\":\"kv-9\",\"url\":\"http://h:1\",\"weight\":1.5} | weight",
        "{\"id\":\"kv-9\",\"url\":\"http://h:1\",\"weight\":\"1\"} | weight",
        "{\"id\":\"kv-9\",\"url\":\"http://h:1\",\"group\":\"nosuch\"} | nosuch",
        "{\"id\":\"kv-9\",\"url\":\"http://h:1\",\"group\":\"a/b\"} | group",
        "{\"id\":\"kv-9\",\"url\":\"http://h:1\",\"colour\":\"red\"} | colour",
        "{\"id\":\"kv-9\",\"id\":\"kv-9\",\"url\":\"http://h:1\"} | twice",
      })
  void aNodeThatCannotBeRightIsRefusedByField(String body, String named) {
    var response = operator().body(body).post("/v1/cluster/members");
    problem(response, 400, "bad-request");
    response.then().body("detail", containsString(named));
  }

  @Test
  void everyOtherMistakeHasAProblemOfItsOwn() {
    String fresh = "{\"id\":\"kv-9\",\"url\":\"http://h:1\"}";
    problem(operator().body(fresh).post("/v1/cluster/members"), 409, "not-heard-of");
    problem(
        operator().body("{\"id\":\"kv-test\",\"url\":\"http://h:1\"}").post("/v1/cluster/members"),
        409,
        "id-in-use");
    problem(operator().delete("/v1/cluster/members/kv-9"), 404, "unknown-member");
    problem(operator().delete("/v1/cluster/members/kv-test"), 409, "too-few-members");
    problem(operator().delete("/v1/cluster/members/kv-test?force=true"), 409, "too-few-members");
    problem(operator().delete("/v1/cluster/members/kv-test?force=yes"), 400, "bad-request");
    problem(operator().delete("/v1/cluster/members/kv-test?forced=true"), 400, "bad-request");
    problem(operator().body(fresh).post("/v1/cluster/members?replacing=a%20b"), 400, "bad-request");
    problem(operator().body("x".repeat(5000)).post("/v1/cluster/members"), 413, "too-large");
  }
}
