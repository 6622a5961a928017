package dev.parley.frontend.guard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Set;
import org.junit.jupiter.api.Test;

class GuardRulesTest {
  private final OriginRule origins = new OriginRule(Set.of("https://chat.example.org"));
  private final HostRule hosts = new HostRule(Set.of("chat.example.org"));

  @Test
  void ownAndConfiguredOriginsMayChangeThings() {
    assertTrue(origins.allows("POST", "http://localhost:8080", null, "localhost:8080"));
    assertTrue(origins.allows("POST", "https://parley.lan", null, "parley.lan:443"));
    assertTrue(origins.allows("DELETE", "https://chat.example.org", null, "10.0.0.1:8080"));
    assertTrue(origins.allows("POST", null, null, "localhost:8080"));
  }

  @Test
  void foreignAndOpaqueOriginsMayNot() {
    assertFalse(origins.allows("POST", "http://evil.example", null, "localhost:8080"));
    assertFalse(origins.allows("PUT", "http://localhost:9090", null, "localhost:8080"));
    assertFalse(origins.allows("DELETE", "null", null, "localhost:8080"));
    assertFalse(origins.allows("PATCH", null, "cross-site", "localhost:8080"));
    assertFalse(origins.allows("POST", null, "same-site", "localhost:8080"));
  }

  @Test
  void readsAreNotJudgedByOrigin() {
    assertTrue(origins.allows("GET", "http://evil.example", "cross-site", "localhost:8080"));
  }

  @Test
  void onlyConfiguredNamesAndLiteralAddressesAreThisHost() {
    assertTrue(hosts.allows("localhost:8080"));
    assertTrue(hosts.allows("Chat.Example.org"));
    assertTrue(hosts.allows("192.168.1.5:8080"));
    assertTrue(hosts.allows("[::1]:8080"));
    assertFalse(hosts.allows("evil.example:8080"));
    assertFalse(hosts.allows("127.0.0.1.evil.example"));
    assertFalse(hosts.allows(""));
  }

  @Test
  void aMalformedRequestIdIsReplaced() {
    assertEquals("a.b-c_1", RequestId.of("a.b-c_1", () -> "fresh"));
    assertEquals("fresh", RequestId.of("a b", () -> "fresh"));
    assertEquals("fresh", RequestId.of("x".repeat(65), () -> "fresh"));
    assertEquals("fresh", RequestId.of(null, () -> "fresh"));
  }
}
