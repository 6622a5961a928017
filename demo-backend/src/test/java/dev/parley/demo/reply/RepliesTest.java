package dev.parley.demo.reply;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.demo.idiom.Idiom;
import dev.parley.demo.idiom.IdiomDictionary;
import dev.parley.demo.idiom.Pinyin;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RepliesTest {
  private static final IdiomDictionary DICTIONARY = IdiomDictionary.bundled();
  private static final Replies REPLIES = new Replies(DICTIONARY, "demo-backend-1", 0);
  private static final Pattern MOVE = Pattern.compile("「(\\p{IsHan}{4})」");

  /// A conversation that grows by what the user says and what is answered.
  private static final class Talk {
    final List<Turn> turns = new ArrayList<>();
    private final Replies replies;

    Talk(Replies replies) {
      this.replies = replies;
    }

    String say(String text) {
      turns.add(Turn.user(text));
      String answer = replies.answer(turns, 0);
      turns.add(Turn.assistant(answer));
      return answer;
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "成语接龙",
        "我们来玩成语接龙吧！",
        "Let's play the idiom chain",
        "idiom chain please",
        "Can we play chengyu jielong?"
      })
  void beginsAGameWhenAsked(String text) {
    assertNotNull(move(new Talk(REPLIES).say(text)));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void keepsToTheRulesOverManyTurnsKnowingOnlyTheMessages(long seed) {
    var random = new Random(seed);
    var talk = new Talk(REPLIES);
    Set<String> used = new HashSet<>();
    Idiom last = move(talk.say(seed % 2 == 0 ? "成语接龙" : "idiom chain"));
    assertNotNull(last);
    used.add(last.text());
    for (int turn = 0; turn < 40; turn++) {
      List<Idiom> mine = followers(last, used);
      if (mine.isEmpty()) {
        return;
      }
      Idiom user = mine.get(random.nextInt(mine.size()));
      used.add(user.text());
      String answer = talk.say(user.text());
      Idiom bots = move(answer);
      if (bots == null) {
        assertEquals(List.of(), followers(user, used), "concedes only when it must: " + answer);
        assertTrue(answer.contains("恭喜") || answer.contains("congratulations"), answer);
        return;
      }
      assertTrue(followers(user, used).contains(bots), user + " -> " + answer);
      assertTrue(used.add(bots.text()), "used twice: " + bots);
      last = bots;
    }
  }

  @Test
  void saysTheSameToTheSameMessagesOnEveryBackend() {
    var other = new Replies(DICTIONARY, "demo-backend-2", 0);
    var talk = new Talk(REPLIES);
    for (String text : List.of("成语接龙", "提示", "你好", "天气如何", "count to 20", "what?", "再来一局")) {
      talk.say(text);
      assertEquals(
          talk.turns.getLast().text(),
          other.answer(talk.turns.subList(0, talk.turns.size() - 1), 0),
          text);
    }
  }

  @Test
  void anotherSeedOpensWithOtherIdioms() {
    List<Turn> start = List.of(Turn.user("成语接龙"));
    Set<String> openings = new HashSet<>();
    for (int seed = 0; seed < 10; seed++) {
      openings.add(REPLIES.answer(start, seed));
    }
    assertTrue(openings.size() > 5);
  }

  @Test
  void correctsKindlyAndLetsTheUserTryAgain() {
    var talk = afterOpening("「一心一意」（yī xīn yī yì）");
    String unknown = talk.say("意大利面");
    assertTrue(unknown.contains("不在我的词典里") && unknown.contains("“意”"), unknown);
    String wrongStart = talk.say("画蛇添足");
    assertTrue(wrongStart.contains("开头是“画”") && wrongStart.contains("“意”"), wrongStart);
    String again = talk.say("一心一意");
    assertTrue(again.contains("用过了"), again);
    String right = talk.say("那我说意气风发");
    Idiom answer = move(right);
    assertNotNull(answer, right);
    assertEquals('发', answer.first());
    String repeated = talk.say("意气风发");
    assertTrue(repeated.contains("用过了"), repeated);
  }

  @Test
  void announcesTheSameSoundRuleAndConcedesWhenNothingFits() throws IOException {
    var replies =
        new Replies(
            IdiomDictionary.read(
                new StringReader(
                    """
                    一心一意\t100\tyī xīn yī yì\t*
                    意气风发\t90\tyì qì fēng fā\t*
                    发扬光大\t80\tfā yáng guāng dà\t*
                    答非所问\t70\tdá fēi suǒ wèn\t*
                    文不对题\t60\twén bù duì tí\t*
                    """)),
            "small",
            0);
    var talk = new Talk(replies);
    talk.turns.add(Turn.user("成语接龙"));
    talk.turns.add(Turn.assistant("「意气风发」（yì qì fēng fā）"));
    String followed = talk.say("发扬光大");
    assertTrue(followed.contains("同音字") && followed.contains("「答非所问」"), followed);
    assertTrue(followed.contains("声调不限"), followed);
    String conceded = talk.say("文不对题");
    assertTrue(conceded.contains("我认输") && conceded.contains("恭喜"), conceded);
    assertTrue(talk.say("再来一局").contains("「"), "a new game may begin");
  }

  @Test
  void givesAHintThenTheAnswer() {
    var talk = afterOpening("「一心一意」（yī xīn yī yì）");
    assertTrue(talk.say("提示").contains("意○"));
    String told = talk.say("提示");
    Matcher idiom = Pattern.compile("“(\\p{IsHan}{4})”").matcher(told);
    assertTrue(idiom.find(), told);
    assertNotNull(move(talk.say(idiom.group(1))), "the hinted idiom is accepted");
  }

  @Test
  void stopsAndBeginsAnew() {
    var talk = afterOpening("「一心一意」（yī xīn yī yì）");
    assertTrue(talk.say("不玩了").contains("到这里"));
    assertFalse(talk.say("今天天气真好").contains("接龙还在继续"));
    assertNotNull(move(talk.say("再来一局")));
  }

  @Test
  void countsTheIdiomsOfANewGameAfresh() {
    var talk = afterOpening("「一心一意」（yī xīn yī yì）");
    talk.say("意气风发");
    talk.say("重新开始，成语接龙：一心一意");
    String answer = talk.turns.getLast().text();
    Idiom idiom = move(answer);
    assertNotNull(idiom, answer);
    assertEquals('意', idiom.first());
  }

  @Test
  void playsInEnglishWithReadingsAndTakesPinyin() {
    var talk = new Talk(REPLIES);
    talk.turns.add(Turn.user("idiom chain"));
    talk.turns.add(Turn.assistant("「一心一意」 (yī xīn yī yì)"));
    String answer = talk.say("yi qi feng fa");
    assertTrue(answer.contains("意气风发") && answer.contains("Your turn"), answer);
    Idiom idiom = move(answer);
    assertNotNull(idiom);
    assertTrue(answer.contains(idiom.reading()), answer);
    assertTrue(talk.say("yì qì fēng fā").contains("already used"));
  }

  @Test
  void staysInEnglishWhenTheUserTypesBareIdioms() {
    var talk = new Talk(REPLIES);
    talk.turns.add(Turn.user("idiom chain"));
    talk.turns.add(Turn.assistant("「一心一意」 (yī xīn yī yì)"));
    assertTrue(talk.say("意大利面").contains("not in my dictionary"));
    assertTrue(talk.say("yi da li mian").contains("not in my dictionary"));
    assertTrue(talk.say("what is your problem").contains("in the middle of"));
    assertTrue(talk.say("意气风发").contains("Your turn"));
  }

  @ParameterizedTest
  @CsvSource({
    "Let's play 成语接龙, Your turn",
    "my first idiom: 一心一意. idiom chain!, Your turn",
    "用 Ollama 怎么接入模型, /backends",
    "来玩成语接龙 OK?, 请接以"
  })
  void answersInTheLanguageAroundTheIdiom(String text, String expected) {
    String answer = new Talk(REPLIES).say(text);
    assertTrue(answer.contains(expected), answer);
  }

  @Test
  void goesOnWithAGameWhoseBeginningWasCutFromTheHistory() {
    var talk = new Talk(REPLIES);
    talk.turns.add(Turn.assistant("接得好！\n\n「一心一意」（yī xīn yī yì）\n\n请接"));
    Idiom idiom = move(talk.say("意气风发"));
    assertNotNull(idiom);
    assertEquals('发', idiom.first());
  }

  @Test
  void makesItsMoveWhenItsAnswerWasCutOffBeforeIt() {
    var talk = afterOpening("「一心一意」（yī xīn yī yì）");
    talk.turns.add(Turn.user("意气风发"));
    talk.turns.add(Turn.assistant("好"));
    Idiom idiom = move(talk.say("继续"));
    assertNotNull(idiom);
    assertEquals('发', idiom.first());
  }

  @Test
  void answersOtherThingsInAGameAndRemindsOfIt() {
    var talk = afterOpening("「一心一意」（yī xīn yī yì）");
    String answer = talk.say("你是谁？");
    assertTrue(answer.contains("demo-backend-1") && answer.contains("接龙还在继续"), answer);
    assertEquals("1\n2\n3", talk.say("数到3"));
    assertNotNull(move(talk.say("意气风发")), "the game is still on");
  }

  @ParameterizedTest
  @CsvSource({
    "count to 60, 1, 60",
    "Please count from 3 to 60., 3, 60",
    "count 5 to 9, 5, 9",
    "count down from 9 to 5, 9, 5",
    "Count up to 12!, 1, 12",
    "数到60, 1, 60",
    "请从3数到60, 3, 60",
    "从 3 开始数到 60, 3, 60",
    "数数，从3到60, 3, 60",
    "数到六十, 1, 60",
    "从十二数到一百零五, 12, 105",
    "数到两千, 1, 2000",
    "数到一万, 1, 10000",
    "count to 10000, 1, 10000"
  })
  void countsOneNumberALine(String text, int from, int to) {
    List<String> expected =
        IntStream.rangeClosed(Math.min(from, to), Math.max(from, to))
            .mapToObj(Integer::toString)
            .toList();
    assertEquals(
        String.join("\n", from <= to ? expected : expected.reversed()),
        new Talk(REPLIES).say(text));
  }

  @Test
  void countsNoFurtherThanItsLimit() {
    assertTrue(new Talk(REPLIES).say("count to 10001").contains("10000"));
    assertTrue(new Talk(REPLIES).say("数到999999999").contains("10000"));
  }

  @Test
  void remembersTheUsersName() {
    var chinese = new Talk(REPLIES);
    assertTrue(chinese.say("我叫什么？").contains("还没告诉我"));
    assertTrue(chinese.say("我叫小明。").contains("小明"));
    chinese.say("数到3");
    assertEquals("你叫小明。", chinese.say("我叫什么？"));
    var english = new Talk(REPLIES);
    english.say("Hi, my name is Ann Lee and I like tea.");
    english.say("count to 3");
    assertEquals("Your name is Ann Lee.", english.say("What is my name?"));
    english.say("Actually, call me Bo");
    assertEquals("Your name is Bo.", english.say("what's my name"));
  }

  @Test
  void saysWhatItIsInTheUsersLanguageAndHowToAddAModel() {
    String english = new Talk(REPLIES).say("Explain quantum entanglement to me");
    assertTrue(english.contains("demonstration backend") && english.contains("/backends"), english);
    String chinese = new Talk(REPLIES).say("请解释一下量子纠缠");
    assertTrue(chinese.contains("演示后端") && chinese.contains("/backends"), chinese);
    assertNotEquals(english, chinese);
  }

  @Test
  void tellsItsNameOnlyWhenAsked() {
    assertTrue(new Talk(REPLIES).say("Who are you?").contains("demo-backend-1"));
    assertTrue(new Talk(REPLIES).say("你是谁").contains("demo-backend-1"));
    assertFalse(new Talk(REPLIES).say("hello").contains("demo-backend-1"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "?", "😀", "「」", "。。。", "\u0000", "ａｂｃ"})
  void answersWhateverItIsSent(String text) {
    assertFalse(new Talk(REPLIES).say(text).isBlank());
    assertFalse(afterOpening("「一心一意」（yī xīn yī yì）").say(text).isBlank());
  }

  @Test
  void answersAnyHistoryWithoutFailing() {
    var random = new Random(7);
    List<String> pieces =
        List.of(
            "成语接龙",
            "idiom chain",
            "「一心一意」（yī）",
            "意气风发",
            "发扬光大",
            "提示",
            "不玩了",
            "再来一局",
            "yes",
            "好",
            "继续",
            "我叫",
            "my name is",
            "call me",
            "数到",
            "hint",
            "我先来",
            "yi qi feng fa",
            "……",
            "「",
            "");
    for (int i = 0; i < 2_000; i++) {
      List<Turn> turns = new ArrayList<>();
      for (int j = random.nextInt(8); j >= 0; j--) {
        String text = pieces.get(random.nextInt(pieces.size()));
        turns.add(
            new Turn(Turn.Role.values()[random.nextInt(3)], text + pieces.get(random.nextInt(21))));
      }
      assertFalse(REPLIES.answer(turns, 0).isBlank(), turns.toString());
    }
  }

  private static Talk afterOpening(String opening) {
    var talk = new Talk(REPLIES);
    talk.turns.add(Turn.user("成语接龙"));
    talk.turns.add(Turn.assistant(opening));
    return talk;
  }

  private static @Nullable Idiom move(String answer) {
    Matcher matcher = MOVE.matcher(answer);
    return matcher.find() ? DICTIONARY.find(matcher.group(1)) : null;
  }

  /// The rules once more, in the plainest way.
  private static List<Idiom> followers(Idiom last, Set<String> used) {
    List<Idiom> sameCharacter =
        DICTIONARY.all().stream()
            .filter(idiom -> idiom.first() == last.last() && !used.contains(idiom.text()))
            .toList();
    if (!sameCharacter.isEmpty()) {
      return sameCharacter;
    }
    return DICTIONARY.all().stream()
        .filter(
            idiom ->
                Pinyin.withoutTones(idiom.firstReading())
                    .equals(Pinyin.withoutTones(last.lastReading())))
        .filter(idiom -> !used.contains(idiom.text()))
        .toList();
  }
}
