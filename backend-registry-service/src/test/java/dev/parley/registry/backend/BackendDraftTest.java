package dev.parley.registry.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.time.Instant;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BackendDraftTest {

  private static final TargetAddresses ANY = new TargetAddresses(true);
  private static final TargetAddresses PUBLIC_ONLY = new TargetAddresses(false);

  private static Map<String, Object> with(String field, @Nullable Object value) {
    Map<String, Object> json = new HashMap<>();
    json.put("name", "ollama");
    json.put("base_url", "http://127.0.0.1:11434/v1");
    if (value != null) {
      json.put(field, value);
    }
    return json;
  }

  private static BackendDraft valid(Map<String, ?> json) {
    var checked = BackendDraft.create(json, ANY);
    return ((Checked.Valid<BackendDraft>)
            assertInstanceOf(Checked.Valid.class, checked, checked::toString))
        .value();
  }

  private static List<Violation> invalid(Checked<BackendDraft> checked) {
    return ((Checked.Invalid<BackendDraft>) assertInstanceOf(Checked.Invalid.class, checked))
        .violations();
  }

  static Stream<Arguments> badFields() {
    return Stream.of(
        Arguments.of("name", ""),
        Arguments.of("name", "x".repeat(65)),
        Arguments.of("name", " padded"),
        Arguments.of("name", "two\nlines"),
        Arguments.of("name", "half a pair \ud83d"),
        Arguments.of("name", 7),
        Arguments.of("provider", ""),
        Arguments.of("base_url", 5),
        Arguments.of("base_url", ""),
        Arguments.of("base_url", "no url at all"),
        Arguments.of("base_url", "127.0.0.1:8080"),
        Arguments.of("base_url", "ftp://example.com/v1"),
        Arguments.of("base_url", "file:///etc/passwd"),
        Arguments.of("base_url", "http://"),
        Arguments.of("base_url", "http:///v1"),
        Arguments.of("base_url", "http://user:secret@example.com/v1"),
        Arguments.of("base_url", "http://example.com/v1#here"),
        Arguments.of("base_url", "http://example.com/v1?key=1"),
        Arguments.of("base_url", "http://example.com:0/v1"),
        Arguments.of("base_url", "http://example.com:70000/v1"),
        Arguments.of("base_url", "http://example.com/v1/chat/completions"),
        Arguments.of("base_url", "http://169.254.169.254/latest"),
        Arguments.of("base_url", "http://169.254.0.1:8080/v1"),
        Arguments.of("base_url", "http://[fe80::1]/v1"),
        Arguments.of("base_url", "http://[::ffff:169.254.169.254]/v1"),
        Arguments.of("base_url", "http://[64:ff9b::a9fe:a9fe]/v1"),
        Arguments.of("base_url", "http://[fd00:ec2::254]/v1"),
        Arguments.of("base_url", "http://2852039166/v1"),
        Arguments.of("base_url", "http://0xa9fea9fe/v1"),
        Arguments.of("base_url", "http://0251.0376.0251.0376/v1"),
        Arguments.of("base_url", "http://metadata.google.internal/v1"),
        Arguments.of("base_url", "http://METADATA.google.internal./v1"),
        Arguments.of("base_url", "http://100.100.100.200/v1"),
        Arguments.of("base_url", "http://224.0.0.1/v1"),
        Arguments.of("base_url", "http://255.255.255.255/v1"),
        Arguments.of("base_url", "http://example.com/" + "x".repeat(2048)),
        Arguments.of("api_key", ""),
        Arguments.of("api_key", "sk-with\r\nHost: evil"),
        Arguments.of("api_key", "sk with space"),
        Arguments.of("api_key", "k".repeat(4097)),
        Arguments.of("api_key", 12),
        Arguments.of("models", "gpt"),
        Arguments.of("models", List.of("")),
        Arguments.of("models", List.of(1)),
        Arguments.of("models", IntStream.range(0, 501).mapToObj(i -> "m" + i).toList()),
        Arguments.of("model", ""),
        Arguments.of("weight", 0),
        Arguments.of("weight", -1),
        Arguments.of("weight", 1000.5),
        Arguments.of("weight", Double.NaN),
        Arguments.of("weight", Double.POSITIVE_INFINITY),
        Arguments.of("weight", "1"),
        Arguments.of("max_concurrency", 0),
        Arguments.of("max_concurrency", 1.5),
        Arguments.of("max_concurrency", new java.math.BigInteger("99999999999999999999")),
        Arguments.of("tier", -1),
        Arguments.of("enabled", "yes"),
        Arguments.of("labels", List.of()),
        Arguments.of("labels", Map.of("zone", 1)),
        Arguments.of("labels", Map.of("", "x")),
        Arguments.of("labels", Map.of("x", "y".repeat(257))),
        Arguments.of("wieght", 2));
  }

  @ParameterizedTest
  @MethodSource("badFields")
  void aBadFieldIsNamed(String field, Object value) {
    assertEquals(
        List.of(field),
        invalid(BackendDraft.create(with(field, value), ANY)).stream()
            .map(Violation::field)
            .distinct()
            .toList());
  }

  @Test
  void everyMistakeIsNamedAtOnce() {
    var fields =
        invalid(BackendDraft.create(Map.of("weight", 0, "extra", 1), ANY)).stream()
            .map(Violation::field)
            .toList();
    assertTrue(
        fields.containsAll(List.of("name", "base_url", "weight", "extra")), fields::toString);
  }

  @Test
  void aRefusedKeyIsNotRepeated() {
    var violations = invalid(BackendDraft.create(with("api_key", "sk-secret with space"), ANY));
    assertFalse(violations.toString().contains("sk-secret"));
  }

  @Test
  void theLeastDescriptionHasSensibleDefaults() {
    BackendDraft draft = valid(with("name", null));
    assertEquals(1, draft.weight());
    assertEquals(0, draft.tier());
    assertTrue(draft.enabled());
    assertEquals(null, draft.maxConcurrency());
    assertEquals(List.of(), draft.models());
    assertInstanceOf(KeyChange.Keep.class, draft.apiKey());
  }

  @Test
  void theSingleModelOfTheSeedIsTheFirstOfTheList() {
    assertEquals(List.of("m1"), valid(with("model", "m1")).models());
    Map<String, Object> both = with("model", "m2");
    both.put("models", List.of("m1", "m2"));
    assertEquals(List.of("m1", "m2"), valid(both).models());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://127.0.0.1:8091/v1",
        "http://localhost:11434/v1",
        "http://192.168.1.9/v1",
        "http://[::1]:8080/v1",
        "https://api.deepseek.com",
        "https://generativelanguage.googleapis.com/v1beta/openai"
      })
  void ordinaryAddressesAreAllowed(String url) {
    assertEquals(URI.create(url), valid(with("base_url", url)).baseUrl());
  }

  @Test
  void anAddressLosesItsSlashesAtTheEndAndItsCapitals() {
    assertEquals(
        URI.create("https://api.example.com/v1"),
        valid(with("base_url", "HTTPS://API.Example.com/v1//")).baseUrl());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://127.0.0.1/v1",
        "http://10.1.2.3/v1",
        "http://172.16.0.1/v1",
        "http://192.168.1.9/v1",
        "http://100.64.0.1/v1",
        "http://0.0.0.0/v1",
        "http://[::1]/v1",
        "http://[::]/v1",
        "http://[fd12::1]/v1",
        "http://[::ffff:10.0.0.1]/v1",
        "http://localhost/v1",
        "http://x.localhost/v1"
      })
  void privateAddressesAreRefusedBySetting(String url) {
    assertEquals(
        "base_url",
        invalid(BackendDraft.create(with("base_url", url), PUBLIC_ONLY)).getFirst().field());
  }

  @Test
  void aReadBackendCanBeSentBackWhole() {
    Backend current =
        Backend.create("b-1", valid(with("name", null)), "v1", Instant.EPOCH)
            .drained(Instant.EPOCH);
    Map<String, Object> json = with("id", "b-1");
    json.put("draining", true);
    json.put("created_at", "1970-01-01T00:00:00Z");
    json.put("updated_at", "1970-01-01T00:00:00Z");
    json.put("status", Map.of("state", "up"));
    json.put("api_key_last4", null);
    json.put("max_concurrency", null);
    assertInstanceOf(Checked.Valid.class, BackendDraft.replace(json, ANY, current));
    json.put("id", "b-2");
    json.put("draining", false);
    assertEquals(
        List.of("id", "draining"),
        invalid(BackendDraft.replace(json, ANY, current)).stream().map(Violation::field).toList());
  }

  @Test
  void aWriteWithoutKeyKeepsItAndNullRemovesIt() {
    Backend first =
        Backend.create("b-1", valid(with("api_key", "sk-0123456789")), "v1", Instant.EPOCH);
    assertEquals(new ApiKey("sk-0123456789", "v1"), first.apiKey());
    Backend kept = first.replacedBy(valid(with("name", null)), "v2", Instant.EPOCH);
    assertEquals(first.apiKey(), kept.apiKey());
    Backend same = first.replacedBy(valid(with("api_key", "sk-0123456789")), "v2", Instant.EPOCH);
    assertEquals(first.apiKey(), same.apiKey());
    Map<String, Object> remove = with("name", null);
    remove.put("api_key", null);
    assertEquals(null, first.replacedBy(valid(remove), "v2", Instant.EPOCH).apiKey());
  }

  @Test
  void aKeyShowsFourLettersAtMostAndNoneOfAShortOne() {
    assertEquals("6789", new ApiKey("sk-0123456789", "v").lastFour());
    assertEquals("····", new ApiKey("short", "v").lastFour());
  }

  @Test
  void noTextFormOfABackendHoldsItsKey() {
    BackendDraft draft = valid(with("api_key", "sk-0123456789"));
    Backend backend = Backend.create("b-1", draft, "v1", Instant.EPOCH);
    assertFalse((draft.toString() + backend).contains("sk-0123456789"));
  }

  @Test
  void emptyObjectsAreReadWithoutFailing() {
    assertEquals(
        List.of("name", "base_url"),
        invalid(BackendDraft.create(Collections.emptyMap(), ANY)).stream()
            .map(Violation::field)
            .toList());
  }
}
