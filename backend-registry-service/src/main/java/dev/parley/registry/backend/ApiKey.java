package dev.parley.registry.backend;

/// The secret that a backend asks for. It prints as dots wherever it is not meant to be read.
///
/// @param value the key itself
/// @param version an opaque name for this value, which lets a holder of a copy see that it is stale
public record ApiKey(String value, String version) {

  /// A key shorter than this is not partly shown: four letters of it would be too much of it.
  private static final int SHORTEST_PARTLY_SHOWN = 12;

  /// The last four characters, which is how people tell their keys apart.
  public String lastFour() {
    return value.length() < SHORTEST_PARTLY_SHOWN ? "····" : value.substring(value.length() - 4);
  }

  @Override
  public String toString() {
    return "ApiKey[····]";
  }
}
