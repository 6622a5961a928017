package dev.parley.kv.core;

import org.jspecify.annotations.Nullable;

/// Finds entries by their key: a hash table with open addressing and linear probing, whose entries
/// know their keys, so that one costs a reference or two and no object of its own.
///
/// Entries behind a removed one are moved up (Knuth, *The Art of Computer Programming*, volume 3,
/// section 6.4, algorithm R), so that no marks of removed ones lengthen the searches.
final class KeyTable<E extends KeyTable.Entry> {

  private static final int MIN_PLACES = 8;

  /// What can be found.
  abstract static class Entry {
    final Key key;

    /// Tells most other keys from this one without a look at them.
    final int hash;

    Entry(Key key) {
      this.key = key;
      this.hash = spread(key.hashCode());
    }
  }

  private @Nullable Entry[] places = new @Nullable Entry[MIN_PLACES];
  private int size;

  /// The low bits of a key's hash are the partition, the same for all keys of a table. The upper
  /// half of the product depends on all the others (multiplicative hashing, in the same section of
  /// Knuth).
  private static int spread(int keyHash) {
    return (int) (keyHash * 0x9e3779b97f4a7c15L >>> 32);
  }

  /// The entry with this key, or null.
  @SuppressWarnings("unchecked") // Only entries of this type are ever added.
  @Nullable E get(Key key) {
    int hash = spread(key.hashCode());
    int mask = places.length - 1;
    int at = hash & mask;
    for (Entry entry = places[at]; entry != null; entry = places[at]) {
      if (entry.hash == hash && (entry.key == key || entry.key.equals(key))) {
        return (E) entry;
      }
      at = at + 1 & mask;
    }
    return null;
  }

  /// The entry whose key has the bytes from `from` to `to` and the hash `keyHash`, or null.
  @SuppressWarnings("unchecked") // Only entries of this type are ever added.
  @Nullable E get(byte[] bytes, int from, int to, int keyHash) {
    int hash = spread(keyHash);
    int mask = places.length - 1;
    int at = hash & mask;
    for (Entry entry = places[at]; entry != null; entry = places[at]) {
      if (entry.hash == hash && entry.key.is(bytes, from, to)) {
        return (E) entry;
      }
      at = at + 1 & mask;
    }
    return null;
  }

  /// Adds an entry whose key is not there yet.
  void add(E entry) {
    if (++size * 2 > places.length) {
      @Nullable Entry[] old = places;
      places = new @Nullable Entry[2 * old.length];
      for (Entry each : old) {
        if (each != null) {
          place(each);
        }
      }
    }
    place(entry);
  }

  private void place(Entry entry) {
    int mask = places.length - 1;
    int at = entry.hash & mask;
    while (places[at] != null) {
      at = at + 1 & mask;
    }
    places[at] = entry;
  }

  /// Removes this very entry, which must be there.
  void remove(E entry) {
    int mask = places.length - 1;
    int hole = entry.hash & mask;
    while (places[hole] != entry) {
      if (places[hole] == null) {
        throw new IllegalArgumentException("no entry for " + entry.key);
      }
      hole = hole + 1 & mask;
    }
    size--;
    for (int at = hole + 1 & mask; places[at] != null; at = at + 1 & mask) {
      Entry next = places[at];
      // It may move up to the hole unless its search begins behind it.
      if (next != null && (at - (next.hash & mask) & mask) >= (at - hole & mask)) {
        places[hole] = next;
        hole = at;
      }
    }
    places[hole] = null;
  }
}
