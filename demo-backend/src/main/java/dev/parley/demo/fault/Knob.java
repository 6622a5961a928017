package dev.parley.demo.fault;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/// What can be made to go wrong. The name in JSON is the constant's name in lower case.
public enum Knob {
  /// Milliseconds before anything is answered at all, models and errors included.
  LATENCY_MS(Kind.AMOUNT, true),
  /// Milliseconds before the first token, instead of the configured delay.
  FIRST_TOKEN_DELAY_MS(Kind.AMOUNT, false),
  /// Tokens per second, instead of the configured speed.
  TOKENS_PER_SECOND(Kind.SPEED, false),
  /// An error answer with this status code and, if given, a Retry-After.
  STATUS(Kind.STATUS, false),
  /// The connection is reset before the first byte of an answer.
  RESET_BEFORE_HEADERS(Kind.SWITCH, false),
  /// The request is read and never answered.
  SILENCE(Kind.SWITCH, false),
  /// The connection is reset after this many tokens.
  CUT_AFTER_TOKENS(Kind.AMOUNT, false),
  /// Nothing more comes after this many tokens, and the connection stays open.
  STALL_AFTER_TOKENS(Kind.AMOUNT, false),
  /// A piece of broken JSON comes after this many tokens, and the stream goes on.
  MALFORMED_EVENT_AT(Kind.AMOUNT, false),
  /// The stream ends after its finish_reason without `data: [DONE]`.
  MISSING_DONE(Kind.SWITCH, false),
  /// A conversation that ends with an assistant message is refused.
  REJECT_PREFILL(Kind.SWITCH, false),
  /// A prompt of more tokens than this is refused as too long for the context.
  CONTEXT_LENGTH_ERROR_ABOVE(Kind.AMOUNT, false),
  /// For so many seconds everything under /v1 answers 503 with Retry-After.
  UNAVAILABLE_FOR_S(Kind.AMOUNT, true);

  /// How a knob's value is written.
  enum Kind {
    SWITCH,
    AMOUNT,
    SPEED,
    STATUS
  }

  private final Kind kind;
  private final boolean everywhere;

  Knob(Kind kind, boolean everywhere) {
    this.kind = kind;
    this.everywhere = everywhere;
  }

  Kind kind() {
    return kind;
  }

  /// Whether `GET /v1/models` obeys it as well, even when faults apply to completions only.
  boolean everywhere() {
    return everywhere;
  }

  public String json() {
    return name().toLowerCase(Locale.ROOT);
  }

  static Optional<Knob> named(String json) {
    return Arrays.stream(values()).filter(knob -> knob.json().equals(json)).findFirst();
  }
}
