package dev.parley.kv.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.parley.kv.client.Members.Member;
import dev.parley.kv.client.Members.Verdict;
import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MembersTest {

  private static final URI SEED_1 = URI.create("http://127.0.0.1:9001");
  private static final URI SEED_2 = URI.create("http://127.0.0.1:9002");

  private final Members members = new Members(List.of(SEED_1, SEED_2));

  private static URI url(int number) {
    return URI.create("http://10.0.0.1:" + (9000 + number));
  }

  /// What node `kv-self` says when these are the members.
  private static byte[] answer(String cluster, int self, int epoch, int... numbers) {
    String rows =
        Arrays.stream(numbers)
            .mapToObj(each -> "{\"id\": \"kv-%d\", \"url\": \"%s\"}".formatted(each, url(each)))
            .collect(Collectors.joining(","));
    return "{\"cluster_id\": \"%s\", \"node_id\": \"kv-%d\", \"epoch\": %d, \"members\": [%s]}"
        .formatted(cluster, self, epoch, rows)
        .getBytes(UTF_8);
  }

  @Test
  void theSeedsAreAllThereIsUntilANodeNamesTheMembers() {
    assertEquals(List.of(), members.now());
    assertEquals(List.of(SEED_1, SEED_2), members.addresses());
    assertThrows(IllegalArgumentException.class, () -> new Members(List.of()));
  }

  @Test
  void membersComeBeforeTheSeedsThatAreNone() {
    assertEquals(Verdict.CURRENT, members.learn(url(4), answer("c", 4, 5, 3, 4)));
    assertEquals(List.of(new Member("kv-3", url(3)), new Member("kv-4", url(4))), members.now());
    assertEquals(List.of(url(3), url(4), SEED_1, SEED_2), members.addresses(null));
  }

  @Test
  void aMemberThatAnsweredAtASeedsAddressIsAddressedByIt() {
    URI withSlash = URI.create(SEED_1 + "/");
    Members slashed = new Members(List.of(withSlash, SEED_2));
    assertEquals(Verdict.CURRENT, slashed.learn(withSlash, answer("c", 1, 1, 1, 2)));
    assertEquals(
        List.of(SEED_1, URI.create("http://10.0.0.1:9002"), SEED_2), slashed.addresses(null));
  }

  @Test
  void theNodeThatAnsweredLastComesFirstEvenIfNobodyNamesItAndTheCircleGoesOnFromIt() {
    members.learn(url(4), answer("c", 4, 5, 4, 5, 6));
    assertEquals(
        List.of(url(5), url(6), url(4), SEED_1, SEED_2), members.addresses(url(5)), "a member");
    assertEquals(
        List.of(SEED_2, url(4), url(5), url(6), SEED_1), members.addresses(SEED_2), "a seed");
    assertEquals(
        List.of(url(9), url(4), url(5), url(6), SEED_1, SEED_2),
        members.addresses(url(9)),
        "one that left");
  }

  @Test
  void anEarlierEpochChangesNothing() {
    members.learn(url(4), answer("c", 4, 5, 4, 5));
    assertEquals(Verdict.BEHIND, members.learn(url(4), answer("c", 4, 4, 1, 2, 4)));
    assertEquals(List.of(url(4), url(5)), members.addresses());
  }

  @Test
  void aNodeThatWasRemovedTellsWhoTookOverButIsNotTheLastWord() {
    assertEquals(Verdict.BEHIND, members.learn(SEED_1, answer("c", 1, 3, 2, 3)));
    assertEquals(List.of(url(2), url(3)), members.addresses());
    assertEquals(Verdict.CURRENT, members.learn(url(2), answer("c", 2, 3, 2, 3)));
  }

  @Test
  void anotherClusterIsBelievedOnlyOnceTheKnownOneIsForgotten() {
    members.learn(url(1), answer("c", 1, 9, 1, 2));
    byte[] other = answer("d", 7, 1, 7, 8);
    assertEquals(Verdict.OTHER_CLUSTER, members.learn(url(7), other));
    assertEquals(List.of(url(1), url(2)), members.addresses());
    members.forget();
    assertEquals(List.of(SEED_1, SEED_2), members.addresses(null));
    assertEquals(Verdict.CURRENT, members.learn(url(7), other));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "[]",
        "<h1>no such page</h1>",
        "{\"cluster_id\": \"c\", \"node_id\": \"kv-1\", \"epoch\": 3}",
        "{\"cluster_id\": \"c\", \"node_id\": \"kv-1\", \"epoch\": 3, \"members\": [1, {}]}",
        "{\"node_id\": \"kv-1\", \"epoch\": 3, \"members\":"
            + " [{\"id\": \"kv-1\", \"url\": \"http://h:1\"}]}",
        "{\"cluster_id\": \"c\", \"node_id\": \"kv-1\", \"epoch\": 0, \"members\":"
            + " [{\"id\": \"kv-1\", \"url\": \"http://h:1\"}]}",
      })
  void whatNamesNoMembersOfAnEpochChangesNothing(String answer) {
    assertEquals(Verdict.USELESS, members.learn(SEED_1, answer.getBytes(UTF_8)));
    assertEquals(List.of(SEED_1, SEED_2), members.addresses(null));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ftp://h:1",
        "h:1",
        "http://",
        "http://user@h:1",
        "http://h:1?q",
        "http://h:1#f",
        "http://h:70000",
        "not a url",
        "",
      })
  void anAddressThatCannotBeANodesIsLeftOut(String url) {
    String answer =
        """
        {"cluster_id": "c", "node_id": "kv-1", "epoch": 1, "members":
         [{"id": "kv-1", "url": "http://10.0.0.1:9001/"}, {"id": "kv-2", "url": "%s"},
          {"id": "no name", "url": "http://10.0.0.1:9003"}]}"""
            .formatted(url);
    assertEquals(Verdict.CURRENT, members.learn(url(1), answer.getBytes(UTF_8)));
    assertEquals(List.of(url(1)), members.addresses());
  }

  @Test
  void thereAreNeverMoreMembersThanABound() {
    int[] many = IntStream.rangeClosed(1, 1000).toArray();
    members.learn(url(1), answer("c", 1, 1, many));
    assertEquals(256, members.now().size());
  }
}
