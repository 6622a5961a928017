package dev.parley.frontend.pages;

import io.vertx.core.json.JsonObject;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.Map;

/// The catalogues that pages and scripts share.
@Singleton
public final class Texts {
  private final Map<Language, Catalogue> catalogues = new EnumMap<>(Language.class);

  Texts() {
    for (var language : Language.values()) {
      catalogues.put(language, new Catalogue(read(language)));
    }
  }

  Catalogue in(Language language) {
    var catalogue = catalogues.get(language);
    if (catalogue == null) {
      throw new IllegalStateException("no catalogue for " + language);
    }
    return catalogue;
  }

  private static JsonObject read(Language language) {
    var place = "assets/i18n/" + language.code() + ".json";
    try (var in = Thread.currentThread().getContextClassLoader().getResourceAsStream(place)) {
      if (in == null) {
        throw new IllegalStateException(place + " is missing");
      }
      return new JsonObject(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }

  /// The texts of one language.
  public static final class Catalogue {
    private final JsonObject texts;

    Catalogue(JsonObject texts) {
      this.texts = texts;
    }

    /// The text of a key; a missing key fails the page, as it fails the build.
    public String of(String key) {
      var text = texts.getString(key);
      if (text == null) {
        throw new IllegalArgumentException("no text for " + key);
      }
      return text;
    }
  }
}
