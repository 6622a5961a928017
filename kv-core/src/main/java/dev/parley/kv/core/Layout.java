package dev.parley.kv.core;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Which nodes there are and which of them hold which partition, in one epoch.
///
/// The members are divided into groups, and a group holds the keyspaces it names (a keyspace is the
/// part of a key before its first slash); the first group holds all that no other names. Every
/// group has 256 partitions, each on [#REPLICATION] of its members. They are chosen by weighted
/// rendezvous hashing [1][2] when the layout is made, and stored: nobody computes them again.
///
/// The layout itself is the value of one register, [Key#LAYOUT], that all members hold. It changes
/// by compare-and-set only, one epoch at a time, and from a joint layout only to the settled one.
///
/// An id that was a member once never returns: ballots carry it, and a blank disk would use them
/// again. Removed ids therefore stay in the layout.
///
/// 1. Thaler, Ravishankar: Using Name-Based Mappings to Increase Hit Rates, 1998.
/// 2. Schindelhauer, Schomaker: Weighted Distributed Hash Tables, 2005.
public final class Layout {

  /// Partitions of a group.
  public static final int PARTITIONS = 256;

  /// Copies of every key, as far as the group has members.
  public static final int REPLICATION = 3;

  /// Ids that can be used up by removing members. A cluster that needs more is copied into a new
  /// one.
  public static final int MAX_DEPARTED = 1024;

  /// Members a cluster can have. Each holds the register, and everyone pings everyone.
  public static final int MAX_MEMBERS = 64;

  /// One node.
  ///
  /// @param url where it listens
  /// @param weight its share of the partitions relative to the others, in hundredths
  /// @param disk the number its log was created with, null until it is known
  /// @param group the name of its group
  public record Member(String id, String url, int weight, @Nullable OpId disk, String group) {

    Member withDisk(OpId known) {
      return new Member(id, url, weight, known, group);
    }
  }

  /// Members that share keyspaces.
  ///
  /// @param keyspaces what it holds; empty for the first group, which holds all others
  public record Group(String name, List<String> keyspaces) {
    public Group {
      keyspaces = List.copyOf(keyspaces);
    }
  }

  /// A node that was a member once.
  ///
  /// @param url where it listened, so that it can be told
  public record Departed(String id, String url, @Nullable OpId disk) {}

  private final long epoch;
  private final List<Member> members;
  private final List<Group> groups;
  private final Replicas register;
  private final List<Replicas> partitions;
  private final List<SortedMap<String, Long>> joined;
  private final List<Departed> departed;
  private final List<Replicas> distinct;
  private final List<String> ids;
  private final TreeMap<String, Integer> groupOfKeyspace = new TreeMap<>();

  private Layout(
      long epoch,
      List<Member> members,
      List<Group> groups,
      Replicas register,
      List<Replicas> partitions,
      List<SortedMap<String, Long>> joined,
      List<Departed> departed) {
    this.epoch = epoch;
    this.members = members.stream().sorted(Comparator.comparing(Member::id)).toList();
    this.groups = List.copyOf(groups);
    this.register = register;
    LinkedHashMap<Replicas, Replicas> shared = new LinkedHashMap<>();
    List<Replicas> interned = new ArrayList<>(partitions.size());
    for (Replicas each : partitions) {
      interned.add(shared.computeIfAbsent(each, _ -> each));
    }
    this.partitions = List.copyOf(interned);
    this.joined = List.copyOf(joined);
    this.departed = List.copyOf(departed);
    this.distinct = List.copyOf(shared.values());
    this.ids = this.members.stream().map(Member::id).toList();
    for (int i = 1; i < groups.size(); i++) {
      for (String keyspace : groups.get(i).keyspaces()) {
        groupOfKeyspace.put(keyspace, i);
      }
    }
  }

  /// The layout a new cluster begins with, in epoch 1.
  ///
  /// @throws IllegalArgumentException if there is no member, an id, group or keyspace is named
  ///     twice, a group is unknown or has no member, or a weight is not positive
  public static Layout initial(List<Member> members, List<Group> groups) {
    check(members, groups);
    List<String> all = members.stream().map(Member::id).sorted().toList();
    return new Layout(
        1,
        members,
        groups,
        Replicas.stable(all),
        assign(members, groups),
        nobodyJoined(groups),
        List.of());
  }

  private static List<SortedMap<String, Long>> nobodyJoined(List<Group> groups) {
    return Collections.nCopies(groups.size() * PARTITIONS, new TreeMap<>());
  }

  /// One group of equal members, for tests and benchmarks.
  public static Layout of(List<String> ids) {
    List<Member> members = new ArrayList<>();
    for (String id : ids) {
      members.add(new Member(id, "http://" + id, 100, null, "default"));
    }
    return initial(members, List.of(new Group("default", List.of())));
  }

  /// A layout from its parts, as it was stored.
  ///
  /// @param joined see [#joined]
  /// @throws IllegalArgumentException if the parts do not fit together
  public static Layout stored(
      long epoch,
      List<Member> members,
      List<Group> groups,
      Replicas register,
      List<Replicas> partitions,
      List<SortedMap<String, Long>> joined,
      List<Departed> departed) {
    check(members, groups);
    int wanted = groups.size() * PARTITIONS;
    require(epoch >= 1 && partitions.size() == wanted && joined.size() == wanted, "not a layout");
    return new Layout(epoch, members, groups, register, partitions, joined, departed);
  }

  private static void check(List<Member> members, List<Group> groups) {
    LinkedHashSet<String> ids = new LinkedHashSet<>();
    LinkedHashSet<String> used = new LinkedHashSet<>();
    for (Member member : members) {
      require(ids.add(member.id()), "member " + member.id() + " is named twice");
      require(member.weight() > 0, "the weight of " + member.id() + " must be positive");
      used.add(member.group());
    }
    require(!ids.isEmpty(), "there is no member");
    require(ids.size() <= MAX_MEMBERS, "there are more than " + MAX_MEMBERS + " members");
    LinkedHashSet<String> names = new LinkedHashSet<>();
    LinkedHashSet<String> keyspaces = new LinkedHashSet<>();
    for (Group group : groups) {
      require(names.add(group.name()), "group " + group.name() + " is named twice");
      require(used.contains(group.name()), "group " + group.name() + " has no member");
      for (String keyspace : group.keyspaces()) {
        require(keyspaces.add(keyspace), "keyspace " + keyspace + " is in two groups");
      }
    }
    require(names.containsAll(used), "a member is in a group that there is not");
  }

  private static void require(boolean holds, String problem) {
    if (!holds) {
      throw new IllegalArgumentException(problem);
    }
  }

  private static List<Replicas> assign(List<Member> members, List<Group> groups) {
    List<Replicas> assigned = new ArrayList<>();
    for (Group group : groups) {
      List<Member> inside = members.stream().filter(m -> m.group().equals(group.name())).toList();
      for (int partition = 0; partition < PARTITIONS; partition++) {
        assigned.add(Replicas.stable(choose(inside, group.name(), partition)));
      }
    }
    return assigned;
  }

  private record Scored(String id, double score) {}

  private static List<String> choose(List<Member> members, String group, int partition) {
    long place = Key.hash64((group + "/" + partition).getBytes(StandardCharsets.UTF_8));
    List<Scored> scored = new ArrayList<>();
    for (Member member : members) {
      long hash = Key.mix(place ^ Key.hash64(member.id().getBytes(StandardCharsets.UTF_8)));
      double uniform = ((hash >>> 11) + 0.5) * 0x1p-53;
      scored.add(new Scored(member.id(), -member.weight() / StrictMath.log(uniform)));
    }
    scored.sort(Comparator.comparingDouble(Scored::score).reversed().thenComparing(Scored::id));
    return scored.stream().limit(REPLICATION).map(Scored::id).sorted().toList();
  }

  /// Rises by one with every change.
  public long epoch() {
    return epoch;
  }

  /// All members, by id.
  public List<Member> members() {
    return members;
  }

  public List<Group> groups() {
    return groups;
  }

  /// The members' ids, ascending.
  public List<String> ids() {
    return ids;
  }

  /// Who holds the layout itself.
  public Replicas register() {
    return register;
  }

  /// The replicas of every partition, those of the first group first.
  public List<Replicas> partitions() {
    return partitions;
  }

  /// Since which epoch the later replicas of every partition have been replicas of it without a
  /// break. Those not named here have been since the first.
  public List<SortedMap<String, Long>> joined() {
    return joined;
  }

  /// The nodes that were removed, in that order. Their ids are not to be used again.
  public List<Departed> departed() {
    return departed;
  }

  /// Every set of replicas that occurs.
  List<Replicas> distinct() {
    return distinct;
  }

  /// The sets of replicas that may hold keys with this prefix.
  List<Replicas> reach(byte[] prefix) {
    int slash = 0;
    while (slash < prefix.length && prefix[slash] != '/') {
      slash++;
    }
    if (slash == prefix.length) {
      return distinct;
    }
    String keyspace = new String(prefix, 0, slash, StandardCharsets.UTF_8);
    int first = groupOfKeyspace.getOrDefault(keyspace, 0) * PARTITIONS;
    int only = Key.partitionOfPrefix(prefix);
    return only >= 0
        ? List.of(partitions.get(first + only))
        : partitions.subList(first, first + PARTITIONS).stream().distinct().toList();
  }

  public @Nullable Member member(String id) {
    for (Member member : members) {
      if (member.id().equals(id)) {
        return member;
      }
    }
    return null;
  }

  /// What is remembered of a removed member of this id.
  @Nullable Departed departed(String id) {
    for (Departed each : departed) {
      if (each.id().equals(id)) {
        return each;
      }
    }
    return null;
  }

  /// Whether the member is still one once nothing moves any more.
  public boolean stays(String id) {
    return register.goal().contains(id);
  }

  /// How many members the group has, or will have once nothing moves any more.
  int size(String group) {
    List<String> staying = register.goal();
    int size = 0;
    for (Member member : members) {
      size += member.group().equals(group) && staying.contains(member.id()) ? 1 : 0;
    }
    return size;
  }

  /// Whether a partition is moving.
  public boolean joint() {
    return register.joint() || distinct.stream().anyMatch(Replicas::joint);
  }

  /// Who holds the key.
  public Replicas replicas(Key key) {
    return key.equals(Key.LAYOUT) ? register : partitions.get(index(key));
  }

  /// Whether `id` holds the key, or is about to.
  boolean holds(String id, Key key) {
    return replicas(key).all().contains(id);
  }

  /// Whether what `id` remembers of the key from `epoch` still counts: it holds the key, and has
  /// done so ever since. A replica that left the partition and came back must not bring along what
  /// it held before, for meanwhile that may have been purged everywhere else.
  boolean counts(String id, Key key, long epoch) {
    return holds(id, key)
        && (key.equals(Key.LAYOUT) || joined.get(index(key)).getOrDefault(id, 1L) <= epoch);
  }

  private int index(Key key) {
    int group = 0;
    if (!groupOfKeyspace.isEmpty()) {
      group = groupOfKeyspace.getOrDefault(key.keyspace(), 0);
    }
    return group * PARTITIONS + key.partition();
  }

  /// The key's replicas in the order in which they are asked to coordinate it. Every node computes
  /// the same order, and keys spread evenly over the first places.
  public List<String> placement(Key key) {
    List<String> all = replicas(key).all();
    if (all.size() == 1) {
      return all;
    }
    long place = key.placementHash();
    long[] weights = new long[all.size()];
    List<String> order = new ArrayList<>(all.size());
    for (int i = 0; i < weights.length; i++) {
      String id = all.get(i);
      long weight = Key.mix(place ^ (id.hashCode() * 0x9e3779b97f4a7c15L));
      int at = i;
      while (at > 0 && weights[at - 1] < weight) {
        weights[at] = weights[at - 1];
        at--;
      }
      weights[at] = weight;
      order.add(at, id);
    }
    return order;
  }

  /// Completes the first layout with the disks of its members.
  Layout withDisks(Map<String, OpId> disks) {
    List<Member> known = new ArrayList<>();
    for (Member member : members) {
      OpId disk = disks.get(member.id());
      known.add(disk == null ? member : member.withDisk(disk));
    }
    return new Layout(epoch, known, groups, register, partitions, joined, departed);
  }

  /// The joint layout of the next epoch, on the way to these members. All partitions that move do
  /// so in this one epoch: each has quorums of its own, so this is as safe as one after the other,
  /// and needs two changes of the register instead of two for each.
  ///
  /// @throws IllegalStateException if this layout is joint itself
  /// @throws IllegalArgumentException if the members do not fit the groups, one of them was removed
  ///     before, or too many were
  public Layout toward(Collection<Member> newMembers) {
    if (joint()) {
      throw new IllegalStateException("a change of the members is under way");
    }
    List<Member> goal = newMembers.stream().sorted(Comparator.comparing(Member::id)).toList();
    check(goal, groups);
    for (Member member : goal) {
      require(departed(member.id()) == null, member.id() + " was a member once and was removed");
    }
    long leaving =
        members.stream().filter(m -> goal.stream().noneMatch(g -> g.id().equals(m.id()))).count();
    require(
        departed.size() + leaving <= MAX_DEPARTED,
        "no more than " + MAX_DEPARTED + " nodes can ever be removed");
    List<Replicas> assigned = assign(goal, groups);
    List<Replicas> moving = new ArrayList<>();
    List<SortedMap<String, Long>> since = new ArrayList<>();
    for (int i = 0; i < partitions.size(); i++) {
      List<String> from = partitions.get(i).current();
      List<String> to = assigned.get(i).current();
      TreeMap<String, Long> arrivals = new TreeMap<>(joined.get(i));
      for (String id : to) {
        if (!from.contains(id)) {
          arrivals.put(id, epoch + 1);
        }
      }
      moving.add(from.equals(to) ? partitions.get(i) : Replicas.joint(from, to));
      since.add(arrivals);
    }
    List<Member> union = new ArrayList<>(goal);
    for (Member member : members) {
      if (goal.stream().noneMatch(each -> each.id().equals(member.id()))) {
        union.add(member);
      }
    }
    List<String> to = goal.stream().map(Member::id).toList();
    Replicas newRegister =
        register.current().equals(to) ? register : Replicas.joint(register.current(), to);
    return new Layout(epoch + 1, union, groups, newRegister, moving, since, departed);
  }

  /// The layout after this joint one, when everything has arrived: the next epoch.
  public Layout settled() {
    if (!joint()) {
      throw new IllegalStateException("nothing is moving");
    }
    List<String> staying = register.goal();
    List<Member> left = new ArrayList<>();
    List<Departed> gone = new ArrayList<>(departed);
    for (Member member : members) {
      if (staying.contains(member.id())) {
        left.add(member);
      } else {
        gone.add(new Departed(member.id(), member.url(), member.disk()));
      }
    }
    List<Replicas> there = new ArrayList<>();
    List<SortedMap<String, Long>> since = new ArrayList<>();
    for (int i = 0; i < partitions.size(); i++) {
      List<String> goal = partitions.get(i).goal();
      TreeMap<String, Long> arrivals = new TreeMap<>(joined.get(i));
      arrivals.keySet().retainAll(new TreeSet<>(goal));
      there.add(Replicas.stable(goal));
      since.add(arrivals);
    }
    return new Layout(epoch + 1, left, groups, Replicas.stable(staying), there, since, gone);
  }

  /// What two nodes compare to see that they were told of the same cluster: epoch, members, their
  /// disks and groups, but not under which addresses they see each other.
  long digest() {
    StringBuilder text = new StringBuilder().append(epoch).append(groups);
    for (Member member : members) {
      text.append(member.id()).append(member.weight()).append(member.group()).append(member.disk());
    }
    text.append(register).append(partitions);
    return Key.hash64(text.toString().getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public String toString() {
    return "epoch " + epoch + " of " + ids + (joint() ? ", moving" : "");
  }
}
