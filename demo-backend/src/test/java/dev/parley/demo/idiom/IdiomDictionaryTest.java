package dev.parley.demo.idiom;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class IdiomDictionaryTest {
  private static final IdiomDictionary DICTIONARY = IdiomDictionary.bundled();

  @Test
  void holdsAtLeastFiveThousandIdiomsManyOfThemFamiliar() {
    assertTrue(DICTIONARY.size() >= 5_000, "only " + DICTIONARY.size());
    assertTrue(DICTIONARY.all().stream().filter(Idiom::familiar).count() >= 5_000);
  }

  @Test
  void everyIdiomHasFourCharactersFourSyllablesAndAFrequency() {
    for (Idiom idiom : DICTIONARY.all()) {
      assertTrue(idiom.text().chars().allMatch(Character::isIdeographic), idiom.text());
      String[] syllables = idiom.reading().split(" ");
      assertEquals(Idiom.LENGTH, syllables.length, idiom.text());
      for (String syllable : syllables) {
        assertTrue(Pinyin.withoutTones(syllable).matches("[a-zü]{1,6}"), idiom.toString());
      }
      assertTrue(idiom.frequency() > 0, idiom.text());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "朝三暮四, zhāo sān mù sì",
    "刚正不阿, gāng zhèng bù ē",
    "生吞活剥, shēng tūn huó bō",
    "祸不单行, huò bù dān xíng",
    "各有所长, gè yǒu suǒ cháng",
    "贩夫走卒, fàn fū zǒu zú",
    "否极泰来, pǐ jí tài lái",
    "阿谀逢迎, ē yú féng yíng"
  })
  void readsCharactersOfSeveralReadingsAsTheIdiomDoes(String text, String reading) {
    Idiom idiom = DICTIONARY.find(text);
    assertNotNull(idiom);
    assertEquals(reading, idiom.reading());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"画龙点睛", "精益求精", "守株待兔", "自相矛盾", "井底之蛙", "一心一意", "人山人海", "龙马精神", "对牛弹琴", "车水马龙"})
  void holdsWhatEverybodyKnows(String text) {
    Idiom idiom = DICTIONARY.find(text);
    assertNotNull(idiom);
    assertTrue(idiom.familiar());
  }

  @ParameterizedTest
  @ValueSource(strings = {"土壤污染", "可口可乐", "你好世界", "成语接龙"})
  void doesNotHoldWhatIsNoIdiom(String text) {
    assertNull(DICTIONARY.find(text));
  }

  @Test
  void findsByFirstCharacterAndBySoundWhateverTheTone() {
    assertTrue(DICTIONARY.startingWith('画').stream().allMatch(idiom -> idiom.first() == '画'));
    assertTrue(DICTIONARY.startingWith('画').size() > 5);
    assertTrue(
        DICTIONARY.soundingLike("huá").containsAll(DICTIONARY.startingWith('画')),
        "huá finds huà too");
  }

  @Test
  void recordsOriginVersionAndLicences() throws IOException {
    try (InputStream in = IdiomDictionary.class.getResourceAsStream("/idioms-NOTICE.txt")) {
      assertNotNull(in);
      String notice = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      for (String part :
          new String[] {"jieba 0.42.1", "Sun Junyi", "MERCHANTABILITY", "HanLP", "Apache"}) {
        assertTrue(notice.contains(part), part);
      }
    }
  }
}
