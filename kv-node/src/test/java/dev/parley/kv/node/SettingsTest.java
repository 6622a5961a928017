package dev.parley.kv.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.core.Key;
import dev.parley.kv.core.Layout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {

  private static final String SIX =
      "kv-1=http://h:1,kv-2=http://h:2,kv-3=http://h:3,kv-4=http://h:4,kv-5=http://h:5,kv-6=http://h:6";

  static Settings settings(String... keysAndValues) {
    Map<String, String> values = new HashMap<>(Map.of("parley.peers", SIX));
    for (int i = 0; i < keysAndValues.length; i += 2) {
      values.put(keysAndValues[i], keysAndValues[i + 1]);
    }
    return TestSettings.of(values);
  }

  @Test
  void aGroupHoldsTheKeyspacesItNamesOnTheNodesItNames() {
    Layout layout =
        settings("parley.groups", "catalogue=backends+registry:kv-4+kv-5+kv-6").layout();
    assertEquals(List.of("kv-4", "kv-5", "kv-6"), layout.replicas(Key.of("backends/b1")).current());
    assertEquals(List.of("kv-4", "kv-5", "kv-6"), layout.replicas(Key.of("registry/x")).current());
    assertEquals(List.of("kv-1", "kv-2", "kv-3"), layout.replicas(Key.of("users/u")).current());
    assertEquals(6, layout.register().current().size());
  }

  @Test
  void aNodeThatJoinsIsNotAMemberYet() {
    Layout layout = settings("parley.join", "true", "parley.node-id", "kv-6").layout();
    assertNull(layout.member("kv-6"));
    assertEquals(5, layout.ids().size());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "catalogue=backends | name=keyspaces:nodes",
        "catalogue:backends=kv-4 | name=keyspaces:nodes",
        "cat/alogue=backends:kv-4 | bad name",
        "catalogue=:kv-4 | empty keyspace",
        "catalogue=a/b:kv-4 | with a slash",
        "catalogue=backends:kv-9 | kv-9",
        "catalogue=backends:kv-4+kv-4 | two groups",
        "a=x:kv-4,b=x:kv-5 | keyspace x is in two groups",
        "a=x:kv-4,a=y:kv-5 | named twice",
        "default=x:kv-4 | named twice",
        "a=x:kv-1+kv-2+kv-3+kv-4+kv-5+kv-6 | group default has no member",
      })
  void groupsThatCannotBeRightAreRefusedByName(String groups, String problem) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> settings("parley.groups", groups));
    String message = Objects.toString(refused.getMessage());
    assertTrue(message.startsWith("parley.groups"), message);
    assertTrue(message.contains(problem), message);
  }

  @Test
  void nobodyJoinsAnEmptyCluster() {
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> settings("parley.join", "true", "parley.peers", "kv-1=http://h:1"));
    assertTrue(Objects.toString(refused.getMessage()).startsWith("parley.peers"));
  }
}
