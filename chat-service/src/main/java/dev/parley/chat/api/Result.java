package dev.parley.chat.api;

import java.util.function.Function;

/// What came of a request: a value, or a refusal that [Problems] turns into a status.
public sealed interface Result<T> {

  record Ok<T>(T value) implements Result<T> {}

  record Refused<T>(Refusal why) implements Result<T> {}

  static <T> Result<T> ok(T value) {
    return new Ok<>(value);
  }

  static <T> Result<T> refused(Refusal why) {
    return new Refused<>(why);
  }

  default <R> Result<R> then(Function<T, Result<R>> next) {
    return switch (this) {
      case Ok<T>(var value) -> next.apply(value);
      case Refused<T>(var why) -> new Refused<>(why);
    };
  }
}
