package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Route;
import io.vertx.ext.web.Router;
import jakarta.inject.Inject;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/// The description of the API names every route there is, and no other.
@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class OpenApiTest {

  private static final Set<String> METHODS = Set.of("get", "put", "post", "delete", "patch");

  @Inject Router router;

  @Test
  void everyRouteIsDescribedAndEveryDescriptionHasARoute() {
    Set<String> registered = new TreeSet<>();
    for (Route route : router.getRoutes()) {
      String path = route.getName() != null ? route.getName() : route.getPath();
      // Filters have no path or no method; what lies under these two is not the store's API.
      if (path == null
          || route.methods() == null
          || path.startsWith("/q/")
          || path.startsWith("/internal/")) {
        continue;
      }
      String template = path.replaceAll("/\\*?$", "/{key}").replaceAll(":([a-z]+)", "{$1}");
      for (HttpMethod method : route.methods()) {
        if (method == HttpMethod.HEAD) {
          continue; // Goes with GET.
        }
        registered.add(method.name() + " " + (path.equals("/") ? "/" : template));
      }
    }
    Set<String> described = new TreeSet<>();
    JsonObject paths =
        new JsonObject(given().get("/q/openapi?format=json").asString()).getJsonObject("paths");
    for (String path : paths.fieldNames()) {
      for (String field : paths.getJsonObject(path).fieldNames()) {
        if (METHODS.contains(field)) {
          described.add(field.toUpperCase(Locale.ROOT) + " " + path);
        }
      }
    }
    assertEquals(String.join("\n", described), String.join("\n", registered));
  }
}
