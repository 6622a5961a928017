package dev.parley.demo.reply;

import dev.parley.demo.idiom.Chain;
import dev.parley.demo.idiom.ChainGame;
import dev.parley.demo.idiom.Idiom;
import dev.parley.demo.idiom.Link;
import dev.parley.demo.idiom.Pinyin;
import dev.parley.demo.idiom.Verdict;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The game as the messages so far tell it. Nothing is remembered between requests, as with any
/// OpenAI-compatible backend: whoever holds the messages can go on with the game.
///
/// The user's moves are found in the user's messages by the rules of the game; the demonstration's
/// own moves are the idioms it set in 「corner brackets」, which it uses for nothing else.
///
/// ```
///   NONE ──start──► BOT_TO_MOVE ◄──accepted move── USER_TO_MOVE
///                        └────────own move──────────────▲
///   either ──stop, give up, nothing leads on──► OVER ──again──► BOT_TO_MOVE
/// ```
final class GameHistory {
  enum Phase {
    NONE,
    USER_TO_MOVE,
    BOT_TO_MOVE,
    OVER
  }

  /// What the newest user message means to the game.
  sealed interface Event {
    /// Begins a game; the chain holds the user's idiom if they brought one.
    record Started(boolean userGoesFirst) implements Event {}

    record RulesAsked() implements Event {}

    record Stopped() implements Event {}

    record HintAsked(int before) implements Event {}

    record GaveUp() implements Event {}

    record Moved(Verdict verdict) implements Event {}

    /// The demonstration still owes a move (its answer was cut off) and is told to go on.
    record ToldToGoOn() implements Event {}

    /// In a game, but neither a move nor a command.
    record NotAMove() implements Event {}

    /// Nothing to do with the game.
    record Unrelated() implements Event {}
  }

  private static final int SHORT = 60;

  private static final Pattern RULES =
      Pattern.compile(
          "(?:什么是|啥是|介绍|解释|规则).*接龙|接龙.*(?:规则|怎么玩|是什么|是啥|什么意思)|^规则$|^怎么玩$"
              + "|what(?:'s| is).*idiom chain|(?:rules|explain).*idiom chain|idiom chain.*rules"
              + "|^(?:the )?rules$|how (?:do|does|to).*(?:idiom chain|play)");
  private static final Pattern START =
      Pattern.compile(
          "接龙|idiom[ -]?(?:chain|solitaire|game)|chain of idioms|cheng ?yu(?: jie ?long)?\\b");
  private static final Pattern AGAIN =
      Pattern.compile(
          "再来一?[局次盘把]|再来$|再玩|重新开始|重新来|^重来|新的?一[局盘]|新游戏"
              + "|new (?:game|round|chain)|play again|start (?:over|again|anew)|restart"
              + "|another (?:game|round|one)|^again$|once more");
  private static final Pattern YES =
      Pattern.compile("^(?:好|好的|好啊|来|来吧|行|可以|嗯|要|yes|yeah|yep|ok|okay|sure)$");
  private static final Pattern STOP =
      Pattern.compile(
          "不(?:想)?(?:再)?(?:玩|接)了?|别玩了|停止|结束|退出|算了|到此为止"
              + "|^(?:please )?(?:stop|quit|exit|end|enough|cancel)\\b.{0,24}$"
              + "|(?:stop|end|quit) (?:the game|playing)|don't want to play");
  private static final Pattern HINT =
      Pattern.compile("提示|帮帮?我|给点线索|\\bhint\\b|\\bclue\\b|help me|^help$|^帮助$");
  private static final Pattern GIVE_UP =
      Pattern.compile(
          "认输|投降|我输了|想不出|想不到|接不上|接不了|我?不会了?$|^我?不知道|没辙"
              + "|give up|gave up|surrender|concede|you win|i lose|i don't know|no idea|^idk|"
              + "^(?:i )?pass$|i can't think");
  private static final Pattern USER_FIRST =
      Pattern.compile(
          "我先|让我先|i(?:'ll| will)? (?:go|start|begin) first|let me (?:go|start)|i start");
  private static final Pattern OWN_MOVE =
      Pattern.compile("「(\\p{IsHan}{" + Idiom.LENGTH + "})」(\\s*[（(])?");
  private static final Pattern HAN = Pattern.compile("\\p{IsHan}+");
  private static final Pattern TYPED_PINYIN =
      Pattern.compile("[\\p{IsLatin}\\p{M}]+[1-5]?(?:[ '-]+[\\p{IsLatin}\\p{M}]+[1-5]?){3}");

  private final ChainGame game;
  private Phase phase = Phase.NONE;
  private Chain chain = new Chain();
  private int hints;
  private Event newest = new Event.Unrelated();

  private GameHistory(ChainGame game) {
    this.game = game;
  }

  static GameHistory of(List<Turn> turns, ChainGame game) {
    var history = new GameHistory(game);
    for (Turn turn : turns) {
      switch (turn.role()) {
        case USER -> history.newest = history.heard(turn.text());
        case ASSISTANT -> history.said(turn.text());
        case OTHER -> {}
      }
    }
    return history;
  }

  Phase phase() {
    return phase;
  }

  Chain chain() {
    return chain;
  }

  Event newest() {
    return newest;
  }

  private void said(String text) {
    Matcher matcher = OWN_MOVE.matcher(text);
    while (matcher.find()) {
      Idiom idiom = game.dictionary().find(matcher.group(1));
      // Outside a game only the full form counts: the beginning may have been cut from the history.
      if (idiom == null || phase != Phase.BOT_TO_MOVE && matcher.group(2) == null) {
        continue;
      }
      if (phase == Phase.USER_TO_MOVE) {
        continue;
      }
      if (phase != Phase.BOT_TO_MOVE) {
        chain = new Chain();
      }
      chain.play(idiom);
      hints = 0;
      phase = leadsOn() ? Phase.USER_TO_MOVE : Phase.OVER;
    }
  }

  private Event heard(String text) {
    String plain = Words.plain(text);
    boolean brief = text.length() <= SHORT;
    if (Words.isFourCharacters(text) && game.dictionary().find(plain) != null) {
      return phase == Phase.NONE ? start(plain, false) : moved(plain);
    }
    if (brief && RULES.matcher(plain).find()) {
      return new Event.RulesAsked();
    }
    if (playing() && brief && STOP.matcher(plain).find()) {
      phase = Phase.OVER;
      return new Event.Stopped();
    }
    if (brief && START.matcher(plain).find() && !STOP.matcher(plain).find()) {
      return start(text, USER_FIRST.matcher(plain).find());
    }
    if (phase != Phase.NONE
        && brief
        && (AGAIN.matcher(plain).find() || phase == Phase.OVER && YES.matcher(plain).matches())) {
      return start("", USER_FIRST.matcher(plain).find());
    }
    if (!playing()) {
      return new Event.Unrelated();
    }
    if (brief && phase == Phase.USER_TO_MOVE && HINT.matcher(plain).find()) {
      return new Event.HintAsked(hints++);
    }
    if (brief && phase == Phase.USER_TO_MOVE && GIVE_UP.matcher(plain).find()) {
      phase = Phase.OVER;
      return new Event.GaveUp();
    }
    if (SmallTalk.recognises(text) || Counting.answer(text, Language.ENGLISH) != null) {
      return new Event.Unrelated();
    }
    String idiom = brief ? idiomIn(text) : null;
    if (idiom != null) {
      return moved(idiom);
    }
    return phase == Phase.BOT_TO_MOVE ? new Event.ToldToGoOn() : new Event.NotAMove();
  }

  private boolean playing() {
    return phase == Phase.USER_TO_MOVE || phase == Phase.BOT_TO_MOVE;
  }

  private Event start(String text, boolean userGoesFirst) {
    chain = new Chain();
    hints = 0;
    String opening = knownIdiomIn(text);
    Idiom idiom = opening == null ? null : game.dictionary().find(opening);
    if (idiom != null) {
      chain.play(idiom);
    }
    boolean wait = userGoesFirst && idiom == null;
    phase = wait ? Phase.USER_TO_MOVE : Phase.BOT_TO_MOVE;
    if (phase == Phase.BOT_TO_MOVE) {
      overIfNothingLeadsOn();
    }
    return new Event.Started(wait);
  }

  private Event moved(String text) {
    if (phase == Phase.OVER) {
      return start(text, false);
    }
    Idiom last = chain.last();
    if (phase == Phase.BOT_TO_MOVE && last != null && last.text().equals(text)) {
      return new Event.ToldToGoOn();
    }
    Verdict verdict = game.judge(chain, text);
    if (verdict instanceof Verdict.Accepted(Idiom idiom)) {
      chain.play(idiom);
      hints = 0;
      phase = Phase.BOT_TO_MOVE;
      overIfNothingLeadsOn();
    }
    return new Event.Moved(verdict);
  }

  private void overIfNothingLeadsOn() {
    if (!leadsOn()) {
      phase = Phase.OVER;
    }
  }

  private boolean leadsOn() {
    return !(game.next(chain) instanceof Link.DeadEnd);
  }

  /// The idiom a sentence plays: one that fits if there is one, else one that is real, else one
  /// typed in pinyin, else four characters standing alone.
  private @Nullable String idiomIn(String text) {
    String known = knownIdiomIn(text);
    if (known != null) {
      return known;
    }
    String typed = typedPinyin(text);
    if (typed != null) {
      return typed;
    }
    Matcher run = HAN.matcher(text);
    while (run.find()) {
      if (run.group().length() == Idiom.LENGTH) {
        return run.group();
      }
    }
    return null;
  }

  private @Nullable String knownIdiomIn(String text) {
    String found = null;
    Matcher run = HAN.matcher(text);
    while (run.find()) {
      String characters = run.group();
      for (int i = 0; i + Idiom.LENGTH <= characters.length(); i++) {
        String four = characters.substring(i, i + Idiom.LENGTH);
        if (game.dictionary().find(four) == null) {
          continue;
        }
        if (game.judge(chain, four) instanceof Verdict.Accepted) {
          return four;
        }
        found = found == null ? four : found;
      }
    }
    return found;
  }

  /// The idiom somebody without a Chinese keyboard typed, tones or not; what they typed if there is
  /// no such idiom, and null if it is no pinyin at all.
  private @Nullable String typedPinyin(String text) {
    String plain = Words.plain(text).toLowerCase(Locale.ROOT);
    if (!TYPED_PINYIN.matcher(plain).matches()) {
      return null;
    }
    String reading =
        Pinyin.withoutTones(
            plain.replaceAll("[1-5]", "").replaceAll("[ '-]+", " ").replace('v', 'ü'));
    String syllable = reading.substring(0, reading.indexOf(' '));
    return game.dictionary().soundingLike(syllable).stream()
        .filter(idiom -> Pinyin.withoutTones(idiom.reading()).equals(reading))
        .max(
            Comparator.comparing(
                    (Idiom idiom) -> game.judge(chain, idiom.text()) instanceof Verdict.Accepted)
                .thenComparing(chain::has)
                .thenComparing(Idiom::frequency)
                .thenComparing(Idiom::text))
        .map(Idiom::text)
        .orElse(isPinyin(reading) ? plain : null);
  }

  private boolean isPinyin(String reading) {
    return Arrays.stream(reading.split(" "))
        .noneMatch(syllable -> game.dictionary().soundingLike(syllable).isEmpty());
  }
}
