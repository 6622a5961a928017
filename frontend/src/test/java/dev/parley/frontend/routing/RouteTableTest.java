package dev.parley.frontend.routing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.parley.frontend.routing.Destination.AnyChat;
import dev.parley.frontend.routing.Destination.ChatFor;
import dev.parley.frontend.routing.Destination.Nowhere;
import dev.parley.frontend.routing.Destination.Registry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RouteTableTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/api/backends",
        "/api/backends/b1/drain",
        "/api/selections",
        "/api/capacity",
        "/api/models",
        "/api/events"
      })
  void backendsAndSelectionsGoToTheRegistry(String path) {
    assertEquals(new Registry(), RouteTable.destination(path));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"/v1/chat/completions", "/v1/models/org%2Fmodel", "/chat", "/api/conversations"})
  void whatBelongsToNoConversationGoesToAnyChatReplica(String path) {
    assertEquals(new AnyChat(), RouteTable.destination(path));
  }

  @Test
  void everythingOfOneConversationHasItsKey() {
    assertEquals(new ChatFor("c42"), RouteTable.destination("/api/conversations/c42"));
    assertEquals(
        new ChatFor("c42"), RouteTable.destination("/api/conversations/c42/messages/m/edit"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/api/outcomes",
        "/internal/backends/b1/credential",
        "/q/metrics",
        "/api",
        "/api/",
        "/v1",
        "/v1/",
        "/chatty",
        "/api/backendsx",
        "/api/backends/..%2f..%2finternal",
        "/api/backends/%2e%2e/internal",
        "/api/backends/..\\internal"
      })
  void innerDoorsAndUnknownPathsLeadNowhere(String path) {
    assertEquals(new Nowhere(), RouteTable.destination(path));
  }
}
