package dev.parley.demo.reply;

import dev.parley.demo.idiom.Chain;
import dev.parley.demo.idiom.ChainGame;
import dev.parley.demo.idiom.Idiom;
import dev.parley.demo.idiom.Link;
import dev.parley.demo.idiom.Verdict;
import java.util.Locale;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// What is said in a game. 「Corner brackets」 mark the demonstration's own move and nothing else.
final class GameReply {
  private final ChainGame game;
  private final Language language;
  private final RandomGenerator random;

  GameReply(ChainGame game, Language language, RandomGenerator random) {
    this.game = game;
    this.language = language;
    this.random = random;
  }

  /// The answer to the newest message, or null if it has nothing to do with the game.
  @Nullable String answer(GameHistory history) {
    Chain chain = history.chain();
    return switch (history.newest()) {
      case GameHistory.Event.Unrelated() -> null;
      case GameHistory.Event.RulesAsked() -> rules();
      case GameHistory.Event.Started(boolean userGoesFirst) ->
          userGoesFirst ? goAhead() : opening(chain);
      case GameHistory.Event.Stopped() -> stopped(chain);
      case GameHistory.Event.HintAsked(int before) -> hint(chain, before);
      case GameHistory.Event.GaveUp() -> consoled(chain);
      case GameHistory.Event.Moved(Verdict verdict) -> judged(chain, verdict);
      case GameHistory.Event.ToldToGoOn() -> move("", chain);
      case GameHistory.Event.NotAMove() -> reminder(chain);
    };
  }

  private String rules() {
    return say(
        """
        成语接龙的规则：
        - 轮流说四个字的成语，每个成语的第一个字要和上一个成语的最后一个字相同
        - 说过的成语不能再用
        - 如果没有成语以那个字开头，可以用同音字（声调不限），我会提前说明
        - 说“提示”我帮你一把，说“不玩了”就结束

        说“成语接龙”开始。""",
        """
        The idiom chain (成语接龙):
        - We take turns with four-character idioms; each begins with the character the last one ended on.
        - No idiom is used twice.
        - When no idiom begins with that character, one with the same sound will do, whatever its tone; I will say so.
        - Say "hint" for help and "stop" to end. You may type characters or pinyin.

        Say "idiom chain" to begin.""");
  }

  private String goAhead() {
    return say(
        "好，你先请！说一个四个字的成语。",
        "You go first, then: name any four-character idiom, in characters or in pinyin.");
  }

  private String opening(Chain chain) {
    Idiom users = chain.last();
    if (users != null) {
      return move(
          say("好，从“" + users.text() + "”开始！", "Good, we begin with " + shown(users) + "."), chain);
    }
    String greeting =
        pick(
            say("好，来玩成语接龙！我先说：", "Let us play the idiom chain! I begin:"),
            say("成语接龙开始！我出第一个：", "The idiom chain begins! My first idiom:"),
            say("没问题，我先来：", "With pleasure. I go first:"));
    return move(greeting, chain)
        + say(
            "\n\n（想不出来就说“提示”，不想玩了说“不玩了”。）",
            "\n\n(Type characters or pinyin. Say \"hint\" if you are stuck, \"stop\" to end.)");
  }

  private String stopped(Chain chain) {
    return say(
        "好，这一局到这里，一共接了 " + chain.length() + " 个成语。想再玩就说“再来一局”。",
        "All right, we stop here, after "
            + idioms(chain.length())
            + ". Say \"new game\" whenever you like.");
  }

  private String hint(Chain chain, int before) {
    Idiom idiom = game.mostCommon(chain);
    if (idiom == null) {
      return reminder(chain);
    }
    if (before > 0) {
      return say(
          "那我直接告诉你：可以说“" + idiom.text() + "”（" + idiom.reading() + "）。",
          "Then here it is: you could play " + shown(idiom) + ".");
    }
    String masked = idiom.text().charAt(0) + "○" + idiom.text().charAt(2) + "○";
    return say(
        "提示：" + masked + "（" + idiom.reading() + "）。还是想不出就再说一次“提示”。",
        "Hint: " + masked + " (" + idiom.reading() + "). Ask again and I will tell you.");
  }

  private String consoled(Chain chain) {
    Idiom idiom = game.mostCommon(chain);
    String could =
        idiom == null
            ? ""
            : say(
                "其实可以接“" + idiom.text() + "”（" + idiom.reading() + "）。",
                " You could have played " + shown(idiom) + ".");
    return say("没关系，已经很不错了！", "No matter, well played!")
        + could
        + say(
            "这一局一共接了 " + chain.length() + " 个成语，再来一局就说“再来一局”。",
            " The chain reached "
                + idioms(chain.length())
                + ". Say \"new game\" for another round.");
  }

  private String judged(Chain chain, Verdict verdict) {
    return switch (verdict) {
      case Verdict.Accepted(Idiom idiom) -> move(praise(idiom), chain);
      case Verdict.Unknown(String text) ->
          say(
              "“" + text + "”不在我的词典里（我认识 " + size() + " 个成语），算不上数。" + again(chain),
              text
                  + " is not in my dictionary of "
                  + size()
                  + " idioms, so I cannot count it. "
                  + again(chain));
      case Verdict.WrongStart(Idiom idiom, _) ->
          say(
              "“" + idiom.text() + "”是个成语，可惜开头是“" + idiom.first() + "”。" + again(chain),
              shown(idiom)
                  + " is an idiom, but it begins with "
                  + idiom.first()
                  + " ("
                  + idiom.firstReading()
                  + "). "
                  + again(chain));
      case Verdict.AlreadyUsed(Idiom idiom, _) ->
          say(
              "“" + idiom.text() + "”这一局已经用过了，不能重复。" + again(chain),
              shown(idiom) + " was already used in this game. " + again(chain));
    };
  }

  private String praise(Idiom idiom) {
    String chinese = pick("好！", "接得好！", "漂亮！", "不错！", "好一个“" + idiom.text() + "”！");
    String english = pick("Good!", "Well done!", "Nice one!", "Well played!");
    return say(chinese, english + " (" + idiom.text() + ", " + idiom.reading() + ")");
  }

  /// The demonstration's own move, and what the user must follow it with.
  private String move(String before, Chain chain) {
    Idiom mine = game.choose(chain, random);
    if (mine == null) {
      return before + say("\n\n", "\n\n") + conceded(chain);
    }
    String sameSound =
        game.next(chain) instanceof Link.SameSound(char character, String reading)
            ? say(
                "以“" + character + "”开头的成语没有了，我用同音字接（" + reading + "，声调不限）：",
                "No unused idiom begins with "
                    + character
                    + ", so I follow its sound ("
                    + reading
                    + ", any tone):")
            : "";
    chain.play(mine);
    String lead =
        before + (language == Language.ENGLISH && !before.isEmpty() ? " " : "") + sameSound;
    return lead.strip()
        + (lead.isBlank() ? "" : "\n\n")
        + "「"
        + mine.text()
        + "」"
        + say("（" + mine.reading() + "）", " (" + mine.reading() + ")")
        + "\n\n"
        + wanted(chain);
  }

  private String conceded(Chain chain) {
    Idiom last = chain.last();
    String character = last == null ? "" : "“" + last.last() + "”";
    return say(
        "我接不上了：没有成语以"
            + character
            + "或它的同音字开头（用过的不算）。我认输，你赢了，恭喜！\n\n这一局一共接了 "
            + chain.length()
            + " 个成语。想再玩就说“再来一局”。",
        "I concede: no unused idiom begins with "
            + (last == null ? "it" : last.last())
            + " or its sound. You win, congratulations!\n\nThe chain reached "
            + idioms(chain.length())
            + ". Say \"new game\" for another round.");
  }

  /// What is added to an answer that has nothing to do with the game while a game is on.
  String aside(Chain chain) {
    return say("（接龙还在继续，", "(Our game is still on. ") + wanted(chain) + say("）", ")");
  }

  private String reminder(Chain chain) {
    return say("我们正在接龙。", "We are in the middle of the idiom chain. ")
        + wanted(chain)
        + say("想不出来就说“提示”，不想玩了说“不玩了”。", " Say \"hint\" for help or \"stop\" to end.");
  }

  private String again(Chain chain) {
    return say("再试一次：", "")
        + wanted(chain, "Try another idiom")
        + say("需要帮忙就说“提示”。", " Say \"hint\" if you like.");
  }

  private String wanted(Chain chain) {
    return wanted(chain, "Your turn: an idiom");
  }

  private String wanted(Chain chain, String english) {
    return switch (game.next(chain)) {
      case Link.Anything() -> say("请随便说一个成语。", english + ", any you like.");
      case Link.SameCharacter(char character, String reading) ->
          say(
              "请接以“" + character + "”（" + reading + "）开头的成语。",
              english + " that begins with " + character + " (" + reading + ").");
      case Link.SameSound(char character, String reading) ->
          say(
              "没有（还没用过的）成语以“" + character + "”开头，这一步可以用同音字：第一个字读 " + reading + " 就行，声调不限。",
              "No unused idiom begins with "
                  + character
                  + ", so the same sound will do: one whose first character reads "
                  + reading
                  + ", in any tone.");
      case Link.DeadEnd(char character, _) ->
          say(
              "没有成语以“"
                  + character
                  + "”或它的同音字开头了，龙到了头，算我们打平！一共接了 "
                  + chain.length()
                  + " 个成语。想再玩就说“再来一局”。",
              "No unused idiom begins with "
                  + character
                  + " or its sound: the chain has come to its end, so let us call it a draw, after "
                  + idioms(chain.length())
                  + ". Say \"new game\" for another round.");
    };
  }

  private String size() {
    return String.format(Locale.ROOT, "%,d", game.dictionary().size());
  }

  private static String idioms(int count) {
    return count == 1 ? "1 idiom" : count + " idioms";
  }

  private static String shown(Idiom idiom) {
    return idiom.text() + " (" + idiom.reading() + ")";
  }

  private String pick(String... phrasings) {
    return Seed.pick(random, phrasings);
  }

  private String say(String chinese, String english) {
    return language.say(chinese, english);
  }
}
