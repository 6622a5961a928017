package dev.parley.frontend.routing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PreferenceTest {
  private static final List<String> THREE = List.of("http://a", "http://b", "http://c");

  @Test
  void aConversationKeepsItsReplicaWhileOthersComeAndGo() {
    for (int i = 0; i < 200; i++) {
      var first = Rendezvous.order("c" + i, THREE).getFirst();
      var without = THREE.stream().filter(url -> !url.equals("http://c")).toList();
      if (!first.equals("http://c")) {
        assertEquals(first, Rendezvous.order("c" + i, without).getFirst());
      }
    }
  }

  @Test
  void conversationsSpreadEvenly() {
    var counts = new HashMap<String, Integer>();
    for (int i = 0; i < 3000; i++) {
      counts.merge(Rendezvous.order("c" + i, THREE).getFirst(), 1, Integer::sum);
    }
    counts.values().forEach(count -> assertTrue(count > 850 && count < 1150, counts::toString));
  }

  @Test
  void everyReplicaIsTriedAndTheReadyOnesFirst() {
    var standings = Map.of("http://a", Standing.SILENT, "http://b", Standing.NOT_READY);
    var order = Preference.sticky("c1", THREE, url -> standings.getOrDefault(url, Standing.READY));
    assertEquals(List.of("http://c", "http://b", "http://a"), order);
  }

  @Test
  void turnsFallEvenlyOnReadyReplicasOnly() {
    var counts = new HashMap<String, Integer>();
    for (int turn = -10; turn < 10; turn++) {
      var order =
          Preference.spread(
              turn, THREE, url -> url.equals("http://b") ? Standing.SILENT : Standing.READY);
      assertEquals("http://b", order.getLast());
      counts.merge(order.getFirst(), 1, Integer::sum);
    }
    assertEquals(Map.of("http://a", 10, "http://c", 10), counts);
  }
}
