package dev.parley.kv.client;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// Rows of a listing. `next` is the `after` of the following page, or null at the end.
public record Page(List<Entry> entries, @Nullable String next) {

  public Page {
    entries = List.copyOf(entries);
  }
}
