package dev.parley.kv.client;

/// What must be true of a key for a write to it to take effect.
public sealed interface Condition {

  /// The write takes effect whatever is stored.
  Condition ALWAYS = new Always();

  /// The write takes effect only if the key does not exist.
  Condition ABSENT = new Absent();

  /// The write takes effect only if the key exists at exactly this version.
  static Condition version(String version) {
    return new Version(version);
  }

  record Always() implements Condition {}

  record Absent() implements Condition {}

  record Version(String version) implements Condition {}
}
