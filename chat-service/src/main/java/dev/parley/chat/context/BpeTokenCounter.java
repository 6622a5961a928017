package dev.parley.chat.context;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import org.jspecify.annotations.Nullable;

/// Counts with OpenAI's `cl100k_base` byte-pair encoding.
///
/// The backends' own tokenizers differ, so this is an estimate for them all. `cl100k_base` is half
/// the size of `o200k_base` in memory and counts Chinese higher rather than lower, which errs on
/// the side of fitting. It is loaded at the first use, so that a replica that only relays never
/// pays for it.
public final class BpeTokenCounter implements TokenCounter {

  /// Long texts are counted slice by slice: the cost stays linear whatever the text is, and the
  /// count is at most one token per slice too high.
  private static final int SLICE_CHARS = 4_096;

  private volatile @Nullable Encoding encoding;

  @Override
  public int count(String text) {
    Encoding loaded = loaded();
    int total = 0;
    int from = 0;
    while (from < text.length()) {
      int to = Math.min(text.length(), from + SLICE_CHARS);
      if (to < text.length() && Character.isHighSurrogate(text.charAt(to - 1))) {
        to--;
      }
      total += loaded.countTokensOrdinary(text.substring(from, to));
      from = to;
    }
    return total;
  }

  private Encoding loaded() {
    Encoding present = encoding;
    if (present != null) {
      return present;
    }
    synchronized (this) {
      present = encoding;
      if (present == null) {
        present = Encodings.newLazyEncodingRegistry().getEncoding(EncodingType.CL100K_BASE);
        encoding = present;
      }
      return present;
    }
  }
}
