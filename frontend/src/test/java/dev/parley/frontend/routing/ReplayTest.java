package dev.parley.frontend.routing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ReplayTest {

  @Test
  void readsMayBeRepeated() {
    assertTrue(Replay.allowed("GET", "/api/conversations", false));
  }

  @Test
  void onlyCallsWhoseContractHasAClientIdMayBeRepeatedAndOnlyWithOne() {
    for (var path :
        List.of(
            "/api/conversations/c/messages",
            "/api/conversations/c/messages/m/edit",
            "/api/conversations/c/regenerate")) {
      assertTrue(Replay.allowed("POST", path, true));
      assertFalse(Replay.allowed("POST", path, false));
    }
  }

  @Test
  void whatCostsMoneyOrDeletesIsNeverRepeated() {
    assertFalse(Replay.allowed("POST", "/v1/chat/completions", true));
    assertFalse(Replay.allowed("POST", "/api/conversations", true));
    assertFalse(Replay.allowed("POST", "/api/backends", true));
    assertFalse(Replay.allowed("DELETE", "/api/conversations/c", true));
    assertFalse(Replay.allowed("POST", "/api/conversations/c/stop", true));
  }

  @Test
  void hopByHopHeadersAndClaimsOfTheClientDoNotCross() {
    var named = HeaderRules.namedByConnection(List.of("close, X-Private"));
    assertEquals(Set.of("close", "x-private"), named);
    for (var name :
        List.of(
            "Transfer-Encoding",
            "Upgrade",
            "X-Private",
            "X-Forwarded-For",
            "Forwarded",
            "Cookie",
            "Origin",
            "Host",
            "Sec-Fetch-Site")) {
      assertFalse(HeaderRules.forwarded(name, named), name);
    }
    for (var name : List.of("Authorization", "Content-Type", "If-Match", "Last-Event-ID")) {
      assertTrue(HeaderRules.forwarded(name, named), name);
    }
    for (var name : List.of("Connection", "Access-Control-Allow-Origin", "Set-Cookie")) {
      assertFalse(HeaderRules.returned(name, named), name);
    }
    assertTrue(HeaderRules.returned("x-parley-backend", named));
  }
}
