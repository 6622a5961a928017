package dev.parley.kv.client;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The replicated key-value store as a service sees it.
///
/// Every call blocks and is meant for a virtual thread. Reads are linearizable: they see every
/// write that was acknowledged before they began. Writes are exactly-once: an implementation may
/// retry inside one call, yet the write takes effect at most once, and what is not known is said
/// to be unknown rather than guessed.
///
/// Keys are 1 to 512 bytes of UTF-8 and may contain `/`, but no part between slashes may be `.` or
/// `..`, which addresses cannot carry; a part in braces, as in `conversations/{c42}/m/7`, is what
/// placement hashes. Values are at most 1 MiB. Every method throws [IllegalArgumentException] for
/// a key, a value or a limit that no node would take, before anything is sent.
public interface KvStore extends AutoCloseable {

  /// Longest key, in bytes of UTF-8.
  int MAX_KEY_BYTES = 512;

  /// Largest value, in bytes.
  int MAX_VALUE_BYTES = 1 << 20;

  /// The value now stored under `key`, or empty if there is none.
  ///
  /// @throws StoreUnavailableException if no quorum answered in time
  Optional<Entry> get(String key);

  /// Stores `value` under `key` if `condition` holds.
  WriteOutcome put(String key, byte[] value, Condition condition);

  /// Removes `key` if `condition` holds. Removing an absent key unconditionally is
  /// [WriteOutcome.Applied] with `existed` false.
  WriteOutcome delete(String key, Condition condition);

  /// One page of the entries whose keys begin with `prefix`, in ascending order of their UTF-8
  /// bytes, strictly after the key `after` (null: from the start). Each row is linearizable by
  /// itself; there is no snapshot across rows.
  ///
  /// @param limit most rows to return, 1 to 1000
  /// @throws StoreUnavailableException if no quorum answered in time
  Page list(String prefix, @Nullable String after, int limit);

  /// Tells `listener` of changes to the keys that begin with `prefix`, on a virtual thread, until
  /// it is closed or the store is. Nobody has to be there at the time: the watch begins as soon as
  /// a node answers, and goes on at another node from where it was when one is gone.
  ///
  /// @param values whether values of up to 64 KiB come with the changes
  Watch watch(String prefix, boolean values, WatchListener listener);

  /// A watch under way.
  interface Watch extends AutoCloseable {
    /// Ends it. A call that is being made to the listener may still go on.
    @Override
    void close();
  }

  /// Releases connections and ends watches. Calls under way fail with [StoreUnavailableException].
  @Override
  void close();
}
