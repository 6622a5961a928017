package dev.parley.demo.idiom;

import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The idioms of one game in the order they were played; the last one decides what may follow.
public final class Chain {
  private final LinkedHashSet<String> used = new LinkedHashSet<>();
  private @Nullable Idiom last;

  public void play(Idiom idiom) {
    used.add(idiom.text());
    last = idiom;
  }

  public boolean has(Idiom idiom) {
    return used.contains(idiom.text());
  }

  public @Nullable Idiom last() {
    return last;
  }

  public int length() {
    return used.size();
  }

  public Set<String> used() {
    return Set.copyOf(used);
  }
}
