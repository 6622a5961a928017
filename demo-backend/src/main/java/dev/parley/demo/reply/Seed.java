package dev.parley.demo.reply;

import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/// Chance that depends on nothing but the conversation and a number, so that every demonstration
/// backend says the same words to the same messages and one can continue another's sentence.
final class Seed {
  /// FNV-1a, 64 bit: its published offset basis and prime.
  private static final long BASIS = 0xcbf29ce484222325L;

  private static final long PRIME = 0x100000001b3L;

  private Seed() {}

  static RandomGenerator of(List<Turn> turns, long seed) {
    long hash = BASIS ^ seed * PRIME;
    for (Turn turn : turns) {
      if (turn.role() != Turn.Role.OTHER) {
        hash = mix(hash, (char) turn.role().ordinal());
        for (int i = 0; i < turn.text().length(); i++) {
          hash = mix(hash, turn.text().charAt(i));
        }
      }
    }
    return new SplittableRandom(hash);
  }

  static String pick(RandomGenerator random, String... phrasings) {
    return phrasings[random.nextInt(phrasings.length)];
  }

  private static long mix(long hash, char c) {
    return (hash ^ c) * PRIME;
  }
}
