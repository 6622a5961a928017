package dev.parley.chat.openai;

/// Tokens of one answer.
///
/// @param estimated counted by us, because no provider's figures cover the whole answer
public record Usage(long promptTokens, long completionTokens, boolean estimated) {}
