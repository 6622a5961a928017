package dev.parley.frontend.routing;

/// Where a path of the public origin leads.
public sealed interface Destination {

  /// The backend registry answers.
  record Registry() implements Destination {}

  /// Any chat replica can answer.
  record AnyChat() implements Destination {}

  /// Any chat replica can answer, but one conversation best stays with one replica, whose caches
  /// are warm and which probably owns the running generation.
  record ChatFor(String conversationId) implements Destination {}

  /// Not a path the outside may reach.
  record Nowhere() implements Destination {}
}
