package dev.parley.kv.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.URI;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// The store that tests use refuses exactly what the real one refuses, with the same words.
class LimitsTest {

  // Nobody listens there: whatever is refused is refused before it is sent.
  private final KvStore real =
      new HttpKvStore(List.of(URI.create("http://127.0.0.1:1")), "a-service-token-0123");
  private final KvStore inMemory = new InMemoryKvStore();

  private interface Call {
    void on(KvStore store);
  }

  private void bothRefuse(Call call) {
    Executable really = () -> call.on(real);
    Executable inTests = () -> call.on(inMemory);
    String words = assertThrows(IllegalArgumentException.class, really).getMessage();
    assertEquals(words, assertThrows(IllegalArgumentException.class, inTests).getMessage());
  }

  @Test
  void bothRefuseTheSameKeys() {
    for (String key :
        List.of(
            "", "x".repeat(513), "汉".repeat(171), "\ud800", ".", "..", "a/../b", "a/.", "\0a")) {
      bothRefuse(store -> store.get(key));
      bothRefuse(store -> store.put(key, new byte[0], Condition.ALWAYS));
      bothRefuse(store -> store.delete(key, Condition.ALWAYS));
    }
  }

  @Test
  void bothRefuseTheSameValuesListingsAndConditions() {
    bothRefuse(store -> store.put("k", new byte[(1 << 20) + 1], Condition.ALWAYS));
    bothRefuse(store -> store.list("p", null, 0));
    bothRefuse(store -> store.list("p", null, 1001));
    bothRefuse(store -> store.list("x".repeat(513), null, 1));
    bothRefuse(store -> store.delete("k", Condition.ABSENT));
  }

  @Test
  void whatIsJustWithinTheLimitsIsTaken() {
    assertEquals(
        new WriteOutcome.Applied("1", false),
        inMemory.put("汉".repeat(170) + "ab", new byte[1 << 20], Condition.ALWAYS));
    assertEquals(1, inMemory.list("汉", null, 1000).entries().size());
  }
}
