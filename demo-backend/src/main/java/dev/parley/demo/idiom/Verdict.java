package dev.parley.demo.idiom;

/// What the rules say about an idiom somebody plays.
public sealed interface Verdict {
  record Accepted(Idiom idiom) implements Verdict {}

  /// The dictionary does not have it.
  record Unknown(String text) implements Verdict {}

  /// A real idiom that does not begin as it should.
  record WrongStart(Idiom idiom, Link wanted) implements Verdict {}

  record AlreadyUsed(Idiom idiom, Link wanted) implements Verdict {}
}
