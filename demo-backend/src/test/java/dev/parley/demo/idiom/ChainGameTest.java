package dev.parley.demo.idiom;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChainGameTest {
  private static final ChainGame GAME = new ChainGame(IdiomDictionary.bundled());

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
  void playsByTheRulesToTheEndWhateverTheOtherPlays(long seed) {
    List<String> played = game(seed);
    assertTrue(played.size() > 20, played.toString());
    assertEquals(played.size(), played.stream().distinct().count(), "no idiom twice");
    IdiomDictionary dictionary = GAME.dictionary();
    for (int i = 1; i < played.size(); i++) {
      Idiom before = dictionary.find(played.get(i - 1));
      Idiom after = dictionary.find(played.get(i));
      assertNotNull(before);
      assertNotNull(after);
      if (before.last() != after.first()) {
        List<String> earlier = played.subList(0, i);
        assertTrue(
            dictionary.startingWith(before.last()).stream()
                .allMatch(idiom -> earlier.contains(idiom.text())),
            "a homophone only when no idiom begins with the character: " + earlier);
        assertEquals(
            Pinyin.withoutTones(before.lastReading()), Pinyin.withoutTones(after.firstReading()));
      }
    }
  }

  @Test
  void playsTheSameGameForTheSameSeed() {
    assertEquals(game(42), game(42));
  }

  @Test
  void opensWithAFamiliarIdiomThatIsEasyToFollow() {
    for (int seed = 0; seed < 50; seed++) {
      Idiom opening = GAME.choose(new Chain(), new Random(seed));
      assertNotNull(opening);
      assertTrue(opening.familiar(), opening.text());
      assertTrue(
          GAME.dictionary().startingWith(opening.last()).stream().filter(Idiom::familiar).count()
              >= 3,
          opening.text());
    }
  }

  @Test
  void judgesWhatTheUserPlays() throws IOException {
    var game = new ChainGame(small());
    var chain = new Chain();
    chain.play(idiom(game, "一心一意"));
    assertInstanceOf(Verdict.Accepted.class, game.judge(chain, "意气风发"));
    assertInstanceOf(Verdict.Unknown.class, game.judge(chain, "意大利面"));
    assertInstanceOf(Verdict.WrongStart.class, game.judge(chain, "发扬光大"));
    assertInstanceOf(Verdict.AlreadyUsed.class, game.judge(chain, "一心一意"));
  }

  @Test
  void allowsTheSameSoundOnlyWhenNoIdiomBeginsWithTheCharacter() throws IOException {
    var game = new ChainGame(small());
    var chain = new Chain();
    chain.play(idiom(game, "发扬光大"));
    assertInstanceOf(Link.SameSound.class, game.next(chain));
    assertInstanceOf(Verdict.Accepted.class, game.judge(chain, "答非所问"));
    assertInstanceOf(Verdict.WrongStart.class, game.judge(chain, "意气风发"));
  }

  @Test
  void hasNoMoveWhenNothingFits() throws IOException {
    var game = new ChainGame(small());
    var chain = new Chain();
    chain.play(idiom(game, "答非所问"));
    assertInstanceOf(Link.DeadEnd.class, game.next(chain));
    assertNull(game.choose(chain, new Random(1)));
  }

  private static List<String> game(long seed) {
    var random = new Random(seed);
    var chain = new Chain();
    List<String> played = new ArrayList<>();
    for (int turn = 0; turn < 400; turn++) {
      Idiom move;
      if (turn % 2 == 0) {
        move = GAME.choose(chain, random);
        if (move != null) {
          assertInstanceOf(Verdict.Accepted.class, GAME.judge(chain, move.text()));
        }
      } else {
        List<Idiom> moves = GAME.moves(chain);
        move = moves.isEmpty() ? null : moves.get(random.nextInt(moves.size()));
      }
      if (move == null) {
        assertInstanceOf(Link.DeadEnd.class, GAME.next(chain));
        return played;
      }
      chain.play(move);
      played.add(move.text());
    }
    return played;
  }

  private static Idiom idiom(ChainGame game, String text) {
    Idiom idiom = game.dictionary().find(text);
    assertNotNull(idiom);
    return idiom;
  }

  private static IdiomDictionary small() throws IOException {
    return IdiomDictionary.read(
        new StringReader(
            """
            一心一意\t100\tyī xīn yī yì\t*
            意气风发\t90\tyì qì fēng fā\t*
            发扬光大\t80\tfā yáng guāng dà\t*
            答非所问\t70\tdá fēi suǒ wèn\t*
            """));
  }
}
