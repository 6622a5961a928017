package dev.parley.kv.client;

import org.jspecify.annotations.Nullable;

/// A conditional write found another version than the one it named.
public final class ConflictException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public ConflictException(@Nullable String currentVersion) {
    super("the key is " + (currentVersion == null ? "absent" : "at version " + currentVersion));
  }
}
