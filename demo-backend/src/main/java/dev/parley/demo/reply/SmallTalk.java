package dev.parley.demo.reply;

import java.util.List;
import java.util.Locale;
import java.util.random.RandomGenerator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Talk about itself and about the user's name; everything it does not understand ends here too.
final class SmallTalk {
  private static final Pattern WHO_ARE_YOU =
      Pattern.compile(
          "你是谁|您是谁|你叫什么|您叫什么|你的名字|你是什么|介绍一下?你?自己|你是哪"
              + "|who are you|what are you\\b|what(?:'s| is) your name|your name\\?"
              + "|introduce yourself|(?:which|what) (?:backend|model|server) (?:are you|is this)"
              + "|你是?用?的?是?(?:什么|哪个)(?:大?语言)?模型");
  private static final Pattern WHO_AM_I =
      Pattern.compile(
          "我叫(?:什么|啥)|我的名字(?:是|叫)?(?:什么|啥)|我是谁|(?:记得|知道)我(?:的名字|叫|是谁|吗)"
              + "|what(?:'s| is| was) my name|who am i\\b|(?:remember|know) (?:my name|who i am)");
  private static final Pattern ADD_A_MODEL =
      Pattern.compile(
          "(?:添加|接入|连接|增加|加|换|用).{0,8}(?:模型|后端)|真正的模型|真实的?模型"
              + "|(?:add|connect|use|configure|set up).{0,20}(?:model|backend|llm|openai|ollama)"
              + "|real (?:model|llm)");
  private static final Pattern ABILITIES =
      Pattern.compile(
          "你(?:能|会|可以)(?:做|干|帮)?(?:什么|啥|哪些)|有什么功能|怎么用"
              + "|what can you do|what do you do|^help$|^帮助$|how (?:do i|to) use");
  private static final Pattern GREETING =
      Pattern.compile(
          "^(?:你好|您好|嗨|哈喽|早上好|下午好|晚上好|早安|在吗|大家好)"
              + "|^(?:hi|hello|hey|good (?:morning|afternoon|evening))\\b");
  private static final Pattern THANKS = Pattern.compile("谢谢|多谢|感谢|\\bthank(?:s| you)\\b|\\bthx\\b");
  private static final Pattern FAREWELL =
      Pattern.compile("^(?:再见|拜拜|晚安|回头见)|^(?:bye|goodbye|see you|good night)\\b");

  private static final Pattern NAME_CHINESE =
      Pattern.compile("(?:我(?:的名字)?叫(?:做)?|我的名字是|叫我|我姓名是)\\s*([\\p{IsHan}A-Za-z·]{1,20})");
  private static final Pattern NAME_ENGLISH =
      Pattern.compile(
          "(?i:\\b(?:my name is|my name's|call me|i am called|i'm called))\\s+"
              + "(\\p{L}[\\p{L}'-]{0,30}(?:\\s+\\p{Lu}[\\p{L}'-]{0,30}){0,2})");
  private static final Pattern NO_NAME =
      Pattern.compile("什么.*|啥.*|谁.*|not|a|an|the|it|what.*|later|back|when.*|if");

  private final String name;

  SmallTalk(String name) {
    this.name = name;
  }

  /// Whether the message is plainly one of these, even in the middle of a game.
  static boolean recognises(String text) {
    String plain = Words.plain(text);
    return WHO_ARE_YOU.matcher(plain).find()
        || WHO_AM_I.matcher(plain).find()
        || ADD_A_MODEL.matcher(plain).find()
        || ABILITIES.matcher(plain).find()
        || GREETING.matcher(plain).find()
        || THANKS.matcher(plain).find()
        || FAREWELL.matcher(plain).find()
        || nameIn(text) != null;
  }

  String answer(List<Turn> turns, Language language, RandomGenerator random) {
    String text = turns.getLast().text();
    String plain = Words.plain(text);
    if (WHO_AM_I.matcher(plain).find()) {
      return yourName(turns, language);
    }
    if (WHO_ARE_YOU.matcher(plain).find()) {
      return language.say(
          "我是 " + name + "，Parley 自带的一个演示后端，不是真正的大语言模型。\n\n" + abilities(language),
          "I am "
              + name
              + ", one of Parley's built-in demonstration backends; not a real language model.\n\n"
              + abilities(language));
    }
    if (ADD_A_MODEL.matcher(plain).find()) {
      return addAModel(language);
    }
    String told = nameIn(text);
    if (told != null) {
      return language.say(
          "你好，" + told + "！我记住了，随时可以问我“我叫什么”。",
          "Nice to meet you, " + told + "! I will remember: ask me \"what is my name?\" any time.");
    }
    if (ABILITIES.matcher(plain).find()) {
      return abilities(language);
    }
    if (THANKS.matcher(plain).find()) {
      return Seed.pick(
          random,
          language.say("不客气！", "You are welcome!"),
          language.say("不用谢，很高兴陪你玩。", "My pleasure."));
    }
    if (FAREWELL.matcher(plain).find()) {
      return language.say("再见，下次再来接龙！", "Goodbye, and come back for another round!");
    }
    if (GREETING.matcher(plain).find()) {
      String greeting =
          Seed.pick(
              random,
              language.say("你好！", "Hello!"),
              language.say("你好呀！", "Hi there!"),
              language.say("很高兴见到你！", "Good to see you!"));
      return greeting
          + language.say("我是 Parley 的演示后端。", " I am Parley's demonstration backend.")
          + "\n\n"
          + abilities(language);
    }
    return Seed.pick(
            random,
            language.say(
                "这个我答不上来：我只是 Parley 自带的演示后端，不是真正的大语言模型。",
                "That is beyond me: I am only Parley's built-in demonstration backend, not a real"
                    + " language model."),
            language.say(
                "我听到了，不过我是个演示后端，背后没有大语言模型，没法好好回答。",
                "I hear you, but I am a demonstration backend with no language model behind me, so"
                    + " I cannot answer that properly."),
            language.say(
                "这得问真正的模型。我是 Parley 的演示后端，只会几样小把戏。",
                "That is a question for a real model. I am Parley's demonstration backend and know"
                    + " just a few tricks."))
        + "\n\n"
        + abilities(language)
        + "\n\n"
        + addAModel(language);
  }

  private static String abilities(Language language) {
    return language.say(
        """
        我会这些：
        - 成语接龙：说“成语接龙”就开始
        - 数数：比如“数到60”“从3数到60”
        - 记住你的名字：说“我叫……”，再问“我叫什么”""",
        """
        What I can do:
        - play the idiom chain (成语接龙): say "idiom chain"
        - count: "count to 60", "count from 3 to 60"
        - remember your name: say "my name is …", then ask "what is my name?\"""");
  }

  private static String addAModel(Language language) {
    return language.say(
        "想和真正的模型聊天：打开 /backends 页面，添加任何兼容 OpenAI 接口的地址（OpenAI、DeepSeek、Ollama、"
            + "vLLM、llama.cpp……），测试通过就能用。",
        "To chat with a real model, open /backends and add any OpenAI-compatible address (OpenAI,"
            + " DeepSeek, Ollama, vLLM, llama.cpp, …); once its test passes it is in use.");
  }

  private static String yourName(List<Turn> turns, Language language) {
    for (Turn turn : turns.reversed()) {
      String told = turn.role() == Turn.Role.USER ? nameIn(turn.text()) : null;
      if (told != null) {
        return language.say("你叫" + spaced(told) + "。", "Your name is " + told + ".");
      }
    }
    return language.say(
        "你还没告诉我呢。说“我叫……”，我就记住了。",
        "You have not told me yet. Say \"my name is …\" and I will remember.");
  }

  private static String spaced(String name) {
    return Character.isIdeographic(name.charAt(0)) ? name : " " + name;
  }

  /// The name the message gives, or null if it gives none.
  static @Nullable String nameIn(String text) {
    String head = text.length() > Words.READ ? text.substring(0, Words.READ) : text;
    for (Pattern pattern : new Pattern[] {NAME_CHINESE, NAME_ENGLISH}) {
      Matcher matcher = pattern.matcher(head.replace('’', '\''));
      while (matcher.find()) {
        String name = shortened(matcher.group(1));
        if (!name.isEmpty() && !NO_NAME.matcher(name.toLowerCase(Locale.ROOT)).matches()) {
          return name;
        }
      }
    }
    return null;
  }

  /// Cuts what follows a name in one breath: "我叫小明我们开始吧", "my name is Ann and I …".
  private static String shortened(String name) {
    String cut = name.replaceFirst("(?:我们|我|你|咱|请|很|是|吧|啊|呀|哦|，).*$", "");
    return cut.replaceFirst("(?i)\\s+(?:and|but|so|i|nice|let|please|what|do|from)\\b.*$", "")
        .strip();
  }
}
