package dev.parley.demo.reply;

import dev.parley.demo.idiom.ChainGame;
import dev.parley.demo.idiom.IdiomDictionary;
import java.util.List;
import java.util.random.RandomGenerator;

/// Answers a conversation. The same messages and the same seed get the same answer, on every
/// demonstration backend; only the answer to "who are you?" holds a backend's own name.
public final class Replies {
  private final ChainGame game;
  private final SmallTalk smallTalk;
  private final long seed;

  public Replies(IdiomDictionary dictionary, String name, long seed) {
    this.game = new ChainGame(dictionary);
    this.smallTalk = new SmallTalk(name);
    this.seed = seed;
  }

  /// The whole answer to the newest user message; messages after it are not looked at.
  public String answer(List<Turn> conversation, long requestSeed) {
    List<Turn> turns = upToTheNewestQuestion(conversation);
    Language language = Language.of(turns, game.dictionary());
    if (turns.isEmpty()) {
      return smallTalk.answer(List.of(Turn.user("hello")), language, Seed.of(turns, seed));
    }
    RandomGenerator random = Seed.of(turns, seed + requestSeed);
    String numbers = Counting.answer(turns.getLast().text(), language);
    if (numbers != null) {
      return numbers;
    }
    GameHistory history = GameHistory.of(turns, game);
    var gameReply = new GameReply(game, language, random);
    String played = gameReply.answer(history);
    if (played != null) {
      return played;
    }
    String said = smallTalk.answer(turns, language, random);
    return history.phase() == GameHistory.Phase.USER_TO_MOVE
        ? said + "\n\n" + gameReply.aside(history.chain())
        : said;
  }

  private static List<Turn> upToTheNewestQuestion(List<Turn> conversation) {
    for (int i = conversation.size() - 1; i >= 0; i--) {
      if (conversation.get(i).role() == Turn.Role.USER) {
        return conversation.subList(0, i + 1);
      }
    }
    return List.of();
  }
}
