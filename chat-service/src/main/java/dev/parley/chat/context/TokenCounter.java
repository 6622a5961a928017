package dev.parley.chat.context;

/// How many tokens a model will make of a text.
@FunctionalInterface
public interface TokenCounter {
  int count(String text);
}
