package dev.parley.kv.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Which nodes the store has, as far as this process knows: the addresses it was configured with,
/// its seeds, and the members that nodes have named since. Safe for use by several threads.
///
/// Whoever can reach a node hands its answer to `GET /v1/cluster` to [#learn]; the members of the
/// highest epoch stand. The seeds are never forgotten: they come after the members wherever nodes
/// are tried, so that a process which cannot reach what it learnt is no worse off than at its
/// start. A member that answered at a seed's address is addressed by that, for the store may know
/// its nodes by names that mean nothing here.
public final class Members {

  /// A node of the store. Its id is never used for another one.
  public record Member(String id, URI url) {}

  /// What an answer was worth.
  public enum Verdict {
    /// It named the members as they stand, which may be news.
    CURRENT,
    /// It came from a node that knows less than others do, or that was removed: ask another.
    BEHIND,
    /// It came from a node of another cluster, and nothing was learnt from it.
    OTHER_CLUSTER,
    /// It was not the answer of a node that knows any members.
    USELESS
  }

  /// Far more than a cluster has: every member keeps a connection to every other.
  private static final int MOST_MEMBERS = 256;

  /// What a node accepts for the address of another.
  private static final int MOST_URL_CHARACTERS = 256;

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]{1,64}");

  private static final ObjectMapper JSON = new ObjectMapper();

  /// The members of one epoch. Epoch 0 is that of a process which has learnt of none.
  private record Known(@Nullable String cluster, long epoch, List<Member> members) {}

  private static final Known NOTHING = new Known(null, 0, List.of());

  private final List<URI> seeds;
  private final Map<URI, String> idsAtSeeds = new LinkedHashMap<>();
  private Known known = NOTHING;

  /// @param seeds base addresses of some nodes, such as `http://127.0.0.1:9527`; at least one
  public Members(List<URI> seeds) {
    if (seeds.isEmpty()) {
      throw new IllegalArgumentException("the store needs the address of at least one node");
    }
    this.seeds = seeds.stream().map(Members::slashless).distinct().toList();
  }

  /// The members, or nobody if none were learnt yet.
  public synchronized List<Member> now() {
    return known.members.stream().map(each -> new Member(each.id, address(each))).toList();
  }

  /// The addresses of the members, or the seeds if no member was learnt yet.
  public synchronized List<URI> addresses() {
    return known.members.isEmpty()
        ? seeds
        : known.members.stream().map(this::address).distinct().toList();
  }

  /// Every address worth trying, each once: the first if there is one, then the members that come
  /// after it in their circle, then the seeds that are no members.
  public synchronized List<URI> addresses(@Nullable URI first) {
    List<URI> circle = new ArrayList<>(addresses());
    LinkedHashSet<URI> all = new LinkedHashSet<>();
    if (first != null) {
      all.add(first);
      Collections.rotate(circle, -Math.max(0, circle.indexOf(first)));
    }
    all.addAll(circle);
    all.addAll(seeds);
    return List.copyOf(all);
  }

  /// Takes in what a node answered to `GET /v1/cluster`.
  ///
  /// @param from the address at which the node was asked
  public synchronized Verdict learn(URI from, byte[] answer) {
    JsonNode said;
    try {
      said = JSON.readTree(answer);
    } catch (IOException e) {
      return Verdict.USELESS;
    }
    String cluster = said.path("cluster_id").asText("");
    long epoch = said.path("epoch").asLong(0);
    List<Member> members = members(said.path("members"));
    if (cluster.isEmpty() || epoch < 1 || members.isEmpty()) {
      return Verdict.USELESS;
    }
    if (known.cluster != null && !known.cluster.equals(cluster)) {
      return Verdict.OTHER_CLUSTER;
    }
    URI seed = slashless(from);
    String id = said.path("node_id").asText("");
    if (seeds.contains(seed) && NAME.matcher(id).matches()) {
      idsAtSeeds.put(seed, id);
    }
    if (epoch > known.epoch) {
      known = new Known(cluster, epoch, members);
    }
    boolean takesPart = known.members.stream().anyMatch(each -> each.id.equals(id));
    return epoch == known.epoch && takesPart ? Verdict.CURRENT : Verdict.BEHIND;
  }

  /// Begins anew with the seeds: the cluster that was known is no more, and there is another.
  public synchronized void forget() {
    known = NOTHING;
    idsAtSeeds.clear();
  }

  private URI address(Member member) {
    for (URI seed : seeds) {
      if (member.id.equals(idsAtSeeds.get(seed))) {
        return seed;
      }
    }
    return member.url;
  }

  private static List<Member> members(JsonNode rows) {
    Map<String, Member> members = new LinkedHashMap<>();
    for (JsonNode row : rows) {
      String id = row.path("id").asText("");
      URI url = url(row.path("url").asText(""));
      if (url != null && NAME.matcher(id).matches() && members.size() < MOST_MEMBERS) {
        members.putIfAbsent(id, new Member(id, url));
      }
    }
    return List.copyOf(members.values());
  }

  /// The address of a node, or null if the text is none.
  private static @Nullable URI url(String text) {
    if (text.length() > MOST_URL_CHARACTERS) {
      return null;
    }
    URI url;
    try {
      url = URI.create(text);
    } catch (IllegalArgumentException e) {
      return null;
    }
    boolean http = "http".equals(url.getScheme()) || "https".equals(url.getScheme());
    boolean plain =
        url.getRawQuery() == null && url.getRawFragment() == null && url.getRawUserInfo() == null;
    return http && plain && url.getHost() != null && url.getPort() <= 65_535
        ? slashless(url)
        : null;
  }

  private static URI slashless(URI url) {
    String text = url.toString();
    return text.endsWith("/") ? URI.create(text.substring(0, text.length() - 1)) : url;
  }
}
