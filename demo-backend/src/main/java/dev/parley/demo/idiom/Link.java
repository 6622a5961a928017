package dev.parley.demo.idiom;

/// What the next idiom of a chain must look like.
public sealed interface Link {
  /// The chain is empty: any idiom will do.
  record Anything() implements Link {}

  /// It begins with the character the last idiom ended on.
  record SameCharacter(char character, String reading) implements Link {}

  /// No unused idiom begins with that character, so one of the same sound will do, tones apart.
  record SameSound(char character, String reading) implements Link {}

  /// Not even the sound leads on: whoever must move has lost.
  record DeadEnd(char character, String reading) implements Link {}
}
