package dev.parley.chat.conversation;

/// Lets through what a second telling of a text adds to the first.
///
/// A backend that cannot continue a partial answer is asked afresh. As long as it says the same
/// again, that is swallowed; what comes after the known text is passed on. At the first difference
/// there is no honest way to splice.
public final class PrefixFilter {

  private final String known;
  private int matched;
  private boolean diverged;

  public PrefixFilter(String known) {
    this.known = known;
  }

  /// What of `more` is new; empty while it repeats, and after it diverged.
  public String accept(String more) {
    int i = 0;
    while (i < more.length() && matched < known.length() && !diverged) {
      if (more.charAt(i) == known.charAt(matched)) {
        i++;
        matched++;
      } else {
        diverged = true;
      }
    }
    return diverged ? "" : more.substring(i);
  }

  public boolean diverged() {
    return diverged;
  }

  /// Whether the whole known text was repeated.
  public boolean caughtUp() {
    return matched == known.length();
  }
}
