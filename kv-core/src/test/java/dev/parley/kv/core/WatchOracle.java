package dev.parley.kv.core;

import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What one who watches must have been told, judged from what the replicas wrote to their disks.
///
/// It is fed with every durable record of every node and with all that the watcher is told. When
/// everything is quiet, the watcher must know of every key's last chosen version; and at no time
/// may a key go back within one watch.
final class WatchOracle {

  private record Vote(long version, int replicas) {}

  private final int quorum;
  private final byte[] prefix;
  private final TreeMap<Key, TreeMap<Ballot, Vote>> votes = new TreeMap<>();
  private final TreeMap<Key, Long> chosen = new TreeMap<>();
  private final TreeMap<Key, Long> seen = new TreeMap<>();
  private final TreeMap<Key, Long> told = new TreeMap<>();
  private @Nullable String wrong;

  /// @param quorum how many replicas choose
  WatchOracle(int quorum, byte[] prefix) {
    this.quorum = quorum;
    this.prefix = prefix;
  }

  /// A replica has this record on its disk. Each is reported once by each replica.
  void durable(LogRecord record) {
    if (record instanceof LogRecord.Entry(var key, var ballot, var value)
        && key.startsWith(prefix)
        && !key.equals(Key.LAYOUT)) {
      Vote vote =
          votes
              .computeIfAbsent(key, _ -> new TreeMap<>())
              .merge(
                  ballot,
                  new Vote(value.version(), 1),
                  (a, b) -> new Vote(a.version(), a.replicas() + b.replicas()));
      if (vote.replicas() >= quorum) {
        chosen.merge(key, vote.version(), Math::max);
      }
    }
  }

  /// What is chosen now, to be given to [#listed] with the rows of a listing begun now.
  TreeMap<Key, Long> chosen() {
    return new TreeMap<>(chosen);
  }

  /// A watch begins, or goes on in another place: keys may be told again.
  void begins() {
    told.clear();
  }

  /// A change was told.
  void told(Answer.Change change) {
    Key key = change.key();
    if (!key.startsWith(prefix)) {
      wrong = key + " was not watched";
    }
    if (change.version() == 0) {
      return; // Known to be gone, but not in which version: proves nothing.
    }
    Long before = told.put(key, change.version());
    if (before != null && before >= change.version()) {
      wrong = key + " went from version " + before + " to " + change.version();
    }
    // Several writes may share a ballot, of which only the last is ever on a disk.
    TreeMap<Ballot, Vote> all = votes.getOrDefault(key, new TreeMap<>());
    boolean real =
        all.entrySet().stream()
            .anyMatch(
                vote ->
                    vote.getValue().version() == change.version()
                        || vote.getKey().counter() <= change.version()
                            && change.version() < vote.getValue().version());
    if (!real) {
      wrong = key + " never had version " + change.version();
    }
    seen.merge(key, change.version(), Math::max);
  }

  /// The watcher has listed everything.
  ///
  /// @param before what was chosen when the listing began
  void listed(TreeMap<Key, Long> before, TreeMap<Key, Long> rows) {
    before.forEach((key, version) -> seen.merge(key, version, Math::max));
    rows.forEach((key, version) -> seen.merge(key, version, Math::max));
  }

  /// What is wrong now that everything is quiet, or null.
  @Nullable String violation() {
    if (wrong == null) {
      chosen.forEach(
          (key, version) -> {
            long known = seen.getOrDefault(key, 0L);
            if (known < version) {
              wrong = key + " has version " + version + ", told was " + known;
            }
          });
    }
    return wrong;
  }

  /// Changes told, for tests that must see some.
  int keysSeen() {
    return seen.size();
  }
}
