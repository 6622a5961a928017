package dev.parley.demo.idiom;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// The rules of the idiom chain, and a player who likes common idioms and open ends.
public final class ChainGame {
  /// So many familiar continuations make a move comfortable for the one who must answer it.
  private static final int COMFORTABLE = 3;

  private final IdiomDictionary dictionary;

  public ChainGame(IdiomDictionary dictionary) {
    this.dictionary = dictionary;
  }

  public IdiomDictionary dictionary() {
    return dictionary;
  }

  /// What the next idiom must look like.
  public Link next(Chain chain) {
    Idiom last = chain.last();
    if (last == null) {
      return new Link.Anything();
    }
    char character = last.last();
    String reading = last.lastReading();
    if (anyUnused(dictionary.startingWith(character), chain)) {
      return new Link.SameCharacter(character, reading);
    }
    return anyUnused(dictionary.soundingLike(reading), chain)
        ? new Link.SameSound(character, reading)
        : new Link.DeadEnd(character, reading);
  }

  /// Every idiom that may be played now.
  public List<Idiom> moves(Chain chain) {
    List<Idiom> fitting =
        switch (next(chain)) {
          case Link.Anything() -> List.copyOf(dictionary.all());
          case Link.SameCharacter(char character, _) -> dictionary.startingWith(character);
          case Link.SameSound(_, String reading) -> dictionary.soundingLike(reading);
          case Link.DeadEnd _ -> List.of();
        };
    return fitting.stream().filter(idiom -> !chain.has(idiom)).toList();
  }

  /// Whether this text may be played now, and why not.
  public Verdict judge(Chain chain, String text) {
    Idiom idiom = dictionary.find(text);
    if (idiom == null) {
      return new Verdict.Unknown(text);
    }
    Link link = next(chain);
    if (chain.has(idiom)) {
      return new Verdict.AlreadyUsed(idiom, link);
    }
    boolean fits =
        switch (link) {
          case Link.Anything() -> true;
          case Link.SameCharacter(char character, _) -> idiom.first() == character;
          case Link.SameSound(_, String reading) ->
              Pinyin.withoutTones(idiom.firstReading()).equals(Pinyin.withoutTones(reading));
          case Link.DeadEnd _ -> false;
        };
    return fits ? new Verdict.Accepted(idiom) : new Verdict.WrongStart(idiom, link);
  }

  /// The idiom to play now, or null if there is none. Familiar ones that leave the other player
  /// several familiar answers come first, then familiar ones that can be answered at all, then rare
  /// ones that can be answered, then whatever there is; within a group the more common an idiom,
  /// the
  /// likelier it is played.
  public @Nullable Idiom choose(Chain chain, RandomGenerator random) {
    List<Idiom> moves = moves(chain);
    List<Predicate<Idiom>> preferences =
        List.of(
            idiom -> idiom.familiar() && answers(idiom, chain, true) >= COMFORTABLE,
            idiom -> idiom.familiar() && answers(idiom, chain, false) > 0,
            idiom -> answers(idiom, chain, false) > 0,
            _ -> true);
    for (Predicate<Idiom> preference : preferences) {
      List<Idiom> group = moves.stream().filter(preference).toList();
      if (!group.isEmpty()) {
        return byFrequency(group, random);
      }
    }
    return null;
  }

  /// The most common idiom that may be played now: what a hint hints at.
  public @Nullable Idiom mostCommon(Chain chain) {
    return moves(chain).stream()
        .max(
            Comparator.comparing(Idiom::familiar)
                .thenComparing(Idiom::frequency)
                .thenComparing(Idiom::text))
        .orElse(null);
  }

  private long answers(Idiom idiom, Chain chain, boolean familiarOnly) {
    return dictionary.startingWith(idiom.last()).stream()
        .filter(next -> !familiarOnly || next.familiar())
        .filter(next -> !chain.has(next) && !next.equals(idiom))
        .limit(COMFORTABLE)
        .count();
  }

  private static boolean anyUnused(List<Idiom> idioms, Chain chain) {
    return idioms.stream().anyMatch(idiom -> !chain.has(idiom));
  }

  private static Idiom byFrequency(List<Idiom> idioms, RandomGenerator random) {
    List<Idiom> ordered = new ArrayList<>(idioms);
    ordered.sort(Comparator.comparing(Idiom::text));
    long total = ordered.stream().mapToLong(Idiom::frequency).sum();
    long ticket = random.nextLong(total);
    for (Idiom idiom : ordered) {
      ticket -= idiom.frequency();
      if (ticket < 0) {
        return idiom;
      }
    }
    throw new IllegalStateException("a ticket beyond the total");
  }
}
