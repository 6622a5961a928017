package dev.parley.frontend.pages;

import static java.util.stream.Collectors.toCollection;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// Scripts and templates name texts by quoted keys such as `'chat.new'`; nothing builds a key.
class CatalogueTest {
  private static final Path RESOURCES = Path.of("src/main/resources");
  private static final Pattern QUOTED = Pattern.compile("'([a-z]+\\.[a-z0-9_]+)'");
  private static final Pattern PLACE = Pattern.compile("\\{(\\w+)}");

  private final JsonObject english = catalogue("en");
  private final JsonObject chinese = catalogue("zh");

  CatalogueTest() throws IOException {}

  @Test
  void bothLanguagesHaveTheSameKeys() {
    assertEquals(new TreeSet<>(english.fieldNames()), new TreeSet<>(chinese.fieldNames()));
  }

  @Test
  void noTextIsEmptyAndBothLanguagesFillTheSamePlaces() {
    for (var key : english.fieldNames()) {
      assertFalse(english.getString(key).isBlank(), key);
      assertFalse(chinese.getString(key).isBlank(), key);
      assertEquals(places(english.getString(key)), places(chinese.getString(key)), key);
    }
  }

  @Test
  void everyKeyUsedExists() throws IOException {
    var roots = new TreeSet<String>();
    english.fieldNames().forEach(key -> roots.add(key.substring(0, key.indexOf('.'))));
    var missing = used();
    missing.removeIf(key -> !roots.contains(key.substring(0, key.indexOf('.'))));
    missing.removeAll(english.fieldNames());
    assertEquals(Set.of(), missing);
  }

  @Test
  void everyKeyIsUsed() throws IOException {
    var unused = new TreeSet<>(english.fieldNames());
    unused.removeAll(used());
    assertEquals(Set.of(), unused);
  }

  private static TreeSet<String> used() throws IOException {
    var keys = new TreeSet<String>();
    for (var folder : List.of("assets/js", "templates")) {
      try (var files = Files.list(RESOURCES.resolve(folder))) {
        for (var file : files.toList()) {
          QUOTED.matcher(Files.readString(file)).results().forEach(hit -> keys.add(hit.group(1)));
        }
      }
    }
    return keys;
  }

  private static TreeSet<String> places(String text) {
    return PLACE
        .matcher(text)
        .results()
        .map(hit -> hit.group(1))
        .collect(toCollection(TreeSet::new));
  }

  private static JsonObject catalogue(String language) throws IOException {
    return new JsonObject(Files.readString(RESOURCES.resolve("assets/i18n/" + language + ".json")));
  }
}
