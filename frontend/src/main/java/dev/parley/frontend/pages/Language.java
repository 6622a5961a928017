package dev.parley.frontend.pages;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// The languages there is a catalogue for.
enum Language {
  EN("en"),
  ZH("zh");

  private final String code;

  Language(String code) {
    this.code = code;
  }

  String code() {
    return code;
  }

  /// The one chosen by cookie, else the first that the browser asks for, else English.
  static Language of(@Nullable String cookie, @Nullable String acceptLanguage) {
    for (var language : values()) {
      if (language.code.equals(cookie)) {
        return language;
      }
    }
    if (acceptLanguage != null) {
      for (var wish : acceptLanguage.toLowerCase(Locale.ROOT).split(",")) {
        for (var language : values()) {
          if (wish.strip().startsWith(language.code)) {
            return language;
          }
        }
      }
    }
    return EN;
  }
}
