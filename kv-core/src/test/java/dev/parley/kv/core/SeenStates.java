package dev.parley.kv.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The states a search has seen, each as 128 bits and the state it was first reached from: 28 bytes
/// a state, without a limit that the memory does not set.
///
/// The bits are two independent sums over the state's numbers, each mixed by Stafford's variant 13
/// of the MurmurHash3 finalizer, as in [java.util.SplittableRandom]. For ten million states the
/// chance that any two of them collide is about 10^14 / 2^129, so below 10^-24.
final class SeenStates {

  private static final int CHUNK = 1 << 14;

  /// High and low bits of each state side by side.
  private final List<long[]> bits = new ArrayList<>();
  private final List<int[]> parents = new ArrayList<>();
  private int[] table = new int[1 << 12];
  private int size;
  private long high;
  private long low;

  SeenStates() {
    Arrays.fill(table, -1);
  }

  int size() {
    return size;
  }

  /// The number of the state if it is new, else -1.
  int add(int[] state, int parent) {
    hash(state);
    if (find() >= 0) {
      return -1;
    }
    if (size == bits.size() * CHUNK) {
      bits.add(new long[2 * CHUNK]);
      parents.add(new int[CHUNK]);
    }
    bits.get(size / CHUNK)[2 * (size % CHUNK)] = high;
    bits.get(size / CHUNK)[2 * (size % CHUNK) + 1] = low;
    parents.get(size / CHUNK)[size % CHUNK] = parent;
    table[freeSlot()] = size;
    size++;
    if (size > table.length / 2) {
      grow();
    }
    return size - 1;
  }

  int parent(int number) {
    return parents.get(number / CHUNK)[number % CHUNK];
  }

  /// Whether the state with this number is this one.
  boolean is(int number, int[] state) {
    hash(state);
    return highOf(number) == high && lowOf(number) == low;
  }

  private void hash(int[] state) {
    long a = 0x9e3779b97f4a7c15L + state.length;
    long b = 0xc2b2ae3d27d4eb4fL ^ state.length;
    for (int each : state) {
      a = mix(a + each);
      b = mix((b ^ each) + 0x165667b19e3779f9L);
    }
    high = a;
    low = b;
  }

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }

  private long highOf(int number) {
    return bits.get(number / CHUNK)[2 * (number % CHUNK)];
  }

  private long lowOf(int number) {
    return bits.get(number / CHUNK)[2 * (number % CHUNK) + 1];
  }

  private int find() {
    for (int slot = slotOf(low); table[slot] >= 0; slot = slot + 1 & table.length - 1) {
      if (highOf(table[slot]) == high && lowOf(table[slot]) == low) {
        return table[slot];
      }
    }
    return -1;
  }

  private int freeSlot() {
    int slot = slotOf(low);
    while (table[slot] >= 0) {
      slot = slot + 1 & table.length - 1;
    }
    return slot;
  }

  private int slotOf(long bits) {
    return (int) bits & table.length - 1;
  }

  private void grow() {
    table = new int[2 * table.length];
    Arrays.fill(table, -1);
    for (int i = 0; i < size; i++) {
      low = lowOf(i);
      table[freeSlot()] = i;
    }
  }
}
