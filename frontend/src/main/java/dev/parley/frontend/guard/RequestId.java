package dev.parley.frontend.guard;

import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The id a request carries through every service and log.
public final class RequestId {
  private static final Pattern WELL_FORMED = Pattern.compile("[A-Za-z0-9._-]{1,64}");

  private RequestId() {}

  /// The caller's id when it is well formed, else a fresh one.
  public static String of(@Nullable String given, Supplier<String> fresh) {
    return given != null && WELL_FORMED.matcher(given).matches() ? given : fresh.get();
  }
}
