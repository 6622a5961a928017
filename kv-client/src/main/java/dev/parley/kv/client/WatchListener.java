package dev.parley.kv.client;

import org.jspecify.annotations.Nullable;

/// What one who watches is told, one call after the other, never two at once. A call may block;
/// what changes meanwhile is told later, of each key the last version. If a call throws, the watch
/// begins anew, with [#rescan].
public interface WatchListener {

  /// Whatever is below the prefix may have changed unseen: list it, if that matters. Called when
  /// the watch begins, and when changes may have been missed. All that changes after this call
  /// begins is told, so a listing made in it leaves no gap.
  void rescan();

  /// A key changed: it had this version, or has it still. Every version, or a later one of the same
  /// key, is told at least once; the versions of a key rise, but for a repetition after the
  /// connection was lost.
  void changed(Change change);

  /// Whether changes are told as they happen. False while no node can be reached that hears a
  /// majority; nothing is lost by that. It is false until the watch has begun.
  default void live(boolean now) {}

  /// @param version what an [Entry] would have, or null if the store knows only that it is gone
  /// @param value null if the key was deleted, if values were not asked for, or if it is larger
  ///     than 64 KiB
  @SuppressWarnings("ArrayRecordComponent") // Handed over, never compared.
  record Change(String key, @Nullable String version, boolean deleted, byte @Nullable [] value) {}
}
