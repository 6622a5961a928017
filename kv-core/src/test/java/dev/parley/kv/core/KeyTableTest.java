package dev.parley.kv.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeyTableTest {

  private static final class Entry extends KeyTable.Entry {
    Entry(Key key) {
      super(key);
    }
  }

  private final KeyTable<Entry> table = new KeyTable<>();

  /// Few keys in a small table collide and wrap around its end all the time.
  @ParameterizedTest
  @ValueSource(ints = {3, 6, 30, 5_000})
  void findsWhatASortedMapFinds(int keys) {
    TreeMap<Key, Entry> twin = new TreeMap<>();
    for (int seed = 0; seed < 20; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      for (int i = 0; i < 20_000; i++) {
        Key key = Key.of("k" + random.nextInt(keys));
        Entry known = twin.get(key);
        assertSame(known, table.get(key));
        if (known == null && random.nextBoolean()) {
          Entry entry = new Entry(key);
          twin.put(key, entry);
          table.add(entry);
        } else if (known != null && random.nextInt(3) == 0) {
          twin.remove(key);
          table.remove(known);
          assertNull(table.get(key));
        }
      }
      twin.forEach((key, entry) -> assertSame(entry, table.get(key)));
    }
  }

  @Test
  void refusesToRemoveWhatIsNotThere() {
    table.add(new Entry(Key.of("a")));
    Exception refused =
        assertThrows(IllegalArgumentException.class, () -> table.remove(new Entry(Key.of("b"))));
    assertEquals("no entry for b", refused.getMessage());
  }

  /// All keys of a table agree in the low bits of their hash, as they lie in one partition.
  @Test
  void manyKeysOfOnePartitionSpread() {
    int keys = 300_000;
    Set<Integer> hashes = new HashSet<>();
    int mask = (1 << 20) - 1;
    for (int i = 0; i < keys; i++) {
      hashes.add(new Entry(Key.of("{t}user:" + i)).hash & mask);
    }
    // Drawn at random, 262,000 of a million places would be hit.
    assertTrue(hashes.size() > 250_000, hashes.size() + " places");
  }
}
