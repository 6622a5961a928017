package dev.parley.demo.idiom;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// All idioms the game knows, found by text, by first character and by first sound.
///
/// Read from `idioms.tsv` (origin and licences: `idioms-NOTICE.txt` beside it).
public final class IdiomDictionary {
  private static final String RESOURCE = "/idioms.tsv";

  private final Map<String, Idiom> byText = new HashMap<>(1 << 15);
  private final Map<Character, List<Idiom>> byFirstCharacter = new HashMap<>();
  private final Map<String, List<Idiom>> byFirstSound = new HashMap<>();

  private IdiomDictionary() {}

  /// The dictionary that comes with this module.
  public static IdiomDictionary bundled() {
    try (InputStream in = IdiomDictionary.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IllegalStateException("missing from the jar: " + RESOURCE);
      }
      return read(new InputStreamReader(in, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Reads lines of idiom, frequency, reading and `*` for the familiar ones, separated by tabs.
  public static IdiomDictionary read(Reader source) throws IOException {
    var dictionary = new IdiomDictionary();
    Map<String, String> soundOf = new HashMap<>();
    var lines = new BufferedReader(source);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      int a = line.indexOf('\t');
      int b = line.indexOf('\t', a + 1);
      int c = line.indexOf('\t', b + 1);
      var idiom =
          new Idiom(
              line.substring(0, a),
              Integer.parseInt(line, a + 1, b, 10),
              line.substring(b + 1, c),
              line.startsWith("*", c + 1));
      String sound = soundOf.computeIfAbsent(idiom.firstReading(), Pinyin::withoutTones);
      dictionary.byText.put(idiom.text(), idiom);
      dictionary.byFirstCharacter.computeIfAbsent(idiom.first(), _ -> new ArrayList<>()).add(idiom);
      dictionary.byFirstSound.computeIfAbsent(sound, _ -> new ArrayList<>()).add(idiom);
    }
    return dictionary;
  }

  public int size() {
    return byText.size();
  }

  public @Nullable Idiom find(String text) {
    return byText.get(text);
  }

  public Collection<Idiom> all() {
    return Collections.unmodifiableCollection(byText.values());
  }

  /// The idioms whose first character is this one, in the file's order.
  public List<Idiom> startingWith(char character) {
    return Collections.unmodifiableList(byFirstCharacter.getOrDefault(character, List.of()));
  }

  /// The idioms whose first syllable is this one, tones apart, in the file's order.
  public List<Idiom> soundingLike(String syllable) {
    return Collections.unmodifiableList(
        byFirstSound.getOrDefault(Pinyin.withoutTones(syllable), List.of()));
  }
}
