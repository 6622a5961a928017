package dev.parley.registry.fleet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.registry.backend.Backend;
import dev.parley.registry.backend.BackendDraft;
import dev.parley.registry.backend.Checked;
import dev.parley.registry.backend.TargetAddresses;
import dev.parley.registry.health.State;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FleetTest {

  private static final long SECOND = 1_000_000_000L;
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  private final AtomicLong nanos = new AtomicLong(5 * SECOND);
  private final List<String> heard = new ArrayList<>();
  private long seq;

  private final Fleet fleet =
      new Fleet(
          FleetSettings.DEFAULT,
          nanos::get,
          this::now,
          new Random(1),
          new FleetListener() {
            @Override
            public void changed(String backendId, boolean urgent) {
              heard.add(backendId + (urgent ? "!" : ""));
            }

            @Override
            public void removed(String backendId) {
              heard.add("-" + backendId);
            }
          });

  private Instant now() {
    return START.plusNanos(nanos.get());
  }

  private void later(double seconds) {
    nanos.addAndGet((long) (seconds * SECOND));
  }

  private static Backend backend(String id, Map<String, Object> more) {
    Map<String, Object> json = new HashMap<>();
    json.put("name", id);
    json.put("base_url", "http://127.0.0.1:8091/v1");
    json.put("models", List.of("m"));
    json.putAll(more);
    var draft = BackendDraft.create(json, new TargetAddresses(true));
    return Backend.create(id, ((Checked.Valid<BackendDraft>) draft).value(), "key-version", START);
  }

  private void add(String id, Map<String, Object> more) {
    fleet.put(new StoredBackend(backend(id, more), id + "-1"));
  }

  private void probeAll(ProbeResult result) {
    for (ProbeTask task : fleet.claimDue()) {
      fleet.answered(
          task,
          task.kind() == ProbeTask.Kind.CONTINUATION ? new ProbeResult.Continuation(null) : result);
    }
  }

  private void allUp() {
    probeAll(new ProbeResult.Healthy(3, List.of("m")));
  }

  private Selection select(@Nullable String model, String... exclude) {
    return fleet.select(new SelectionRequest(model, null, null, null, Set.of(exclude)));
  }

  private List<String> ids(Selection selection) {
    return selection.places().stream().map(place -> place.backend().id()).toList();
  }

  private Outcome outcome(String id, Outcome.Kind kind) {
    return new Outcome(id, "m", now(), kind, "because", 0, 100, 50, 800.0, 980.0, null);
  }

  private boolean report(String replica, Map<String, Integer> inFlight, Outcome... outcomes) {
    return fleet.report(new OutcomeReport(replica, ++seq, inFlight, List.of(outcomes)));
  }

  private void fail(String id, int times) {
    for (int i = 0; i < times; i++) {
      report("chat-1", Map.of(), outcome(id, Outcome.Kind.FAILURE));
    }
  }

  private State state(String id) {
    return fleet.status(id).orElseThrow().state();
  }

  @Test
  void anEmptyFleetSaysThatThereAreNoBackends() {
    Selection selection = select(null);
    assertEquals(List.of(), selection.places());
    assertNotNull(selection.unavailable());
    assertEquals(Selection.Unavailable.Kind.NO_BACKENDS, selection.unavailable().kind());
  }

  @Test
  void aModelThatNobodyServesIsUnknown() {
    add("a", Map.of());
    allUp();
    Selection.Unavailable unavailable = select("gpt-9").unavailable();
    assertNotNull(unavailable);
    assertEquals(Selection.Unavailable.Kind.UNKNOWN_MODEL, unavailable.kind());
  }

  @Test
  void aModelIsNotCalledUnknownWhileSomebodyHasNotListedItsModels() {
    add("a", Map.of("models", List.of()));
    Selection.Unavailable unavailable = select("gpt-9").unavailable();
    assertNotNull(unavailable);
    assertEquals(Selection.Unavailable.Kind.ALL_DOWN, unavailable.kind());
  }

  @Test
  void whenAllAreDownItSaysWhenToAskAgain() {
    add("a", Map.of());
    allUp();
    for (int i = 0; i < 3; i++) {
      later(13);
      probeAll(new ProbeResult.Failed(1, "connection refused"));
    }
    assertEquals(State.DOWN, state("a"));
    Selection.Unavailable unavailable = select("m").unavailable();
    assertNotNull(unavailable);
    assertEquals(Selection.Unavailable.Kind.ALL_DOWN, unavailable.kind());
    assertTrue(unavailable.retryAfterMs() >= 8_000 && unavailable.retryAfterMs() <= 12_000);
    assertEquals("connection refused", fleet.status("a").orElseThrow().lastError());
  }

  @Test
  void withoutAModelEachIsAskedForItsFirst() {
    add("a", Map.of("models", List.of("x", "y")));
    allUp();
    assertEquals("x", select(null).places().getFirst().model());
    assertEquals("y", select("y").places().getFirst().model());
  }

  @Test
  void modelsAreDiscoveredWhereNoneAreDeclared() {
    add("a", Map.of("models", List.of()));
    probeAll(new ProbeResult.Healthy(3, List.of("found")));
    assertEquals(List.of("a"), ids(select("found")));
    assertEquals(List.of(new ServedModel("found", List.of("a"), true)), fleet.models());
  }

  @Test
  void disabledDrainingAndExcludedBackendsAreNotChosen() {
    add("a", Map.of());
    add("b", Map.of("enabled", false));
    add("c", Map.of());
    add("d", Map.of());
    allUp();
    fleet.put(new StoredBackend(backend("c", Map.of()).drained(START), "c-2"));
    assertEquals(List.of("a"), ids(select("m", "d")));
    assertEquals(State.DISABLED, state("b"));
    assertEquals(State.DRAINING, state("c"));
  }

  @Test
  void aHigherTierStandsBehindALowerOne() {
    add("a", Map.of("tier", 1, "weight", 1000));
    add("b", Map.of());
    allUp();
    Selection selection = select("m");
    assertEquals(List.of("b", "a"), ids(selection));
    assertTrue(selection.places().get(1).reason().startsWith("tier 1"));
  }

  @Test
  void aTierOfWhichLessThanHalfIsUsableIsJoinedByTheNext() {
    add("a", Map.of());
    add("b", Map.of());
    add("c", Map.of());
    add("spare", Map.of("tier", 1, "weight", 1000));
    allUp();
    fleet.report(
        new OutcomeReport(
            "chat-1",
            ++seq,
            Map.of(),
            List.of(
                outcome("a", Outcome.Kind.RATE_LIMITED), outcome("b", Outcome.Kind.RATE_LIMITED))));
    assertEquals(List.of("spare", "c"), ids(select("m")));
  }

  @Test
  void aFullBackendStandsBehindAllOthers() {
    add("a", Map.of("max_concurrency", 2, "weight", 1000));
    add("b", Map.of());
    allUp();
    assertEquals(List.of("a", "b"), ids(select("m")));
    report("chat-1", Map.of("a", 1));
    report("chat-2", Map.of("a", 1));
    assertEquals(List.of("b", "a"), ids(select("m")));
    assertEquals(2, fleet.status("a").orElseThrow().inFlight());
  }

  @Test
  void requestsOfAReplicaThatFellSilentCountNoMore() {
    add("a", Map.of());
    report("chat-1", Map.of("a", 7));
    report("chat-2", Map.of("a", 1));
    assertEquals(2, select("m").replicas());
    later(2);
    report("chat-2", Map.of("a", 2));
    later(1.5);
    assertEquals(2, fleet.status("a").orElseThrow().inFlight());
    assertEquals(1, select("m").replicas());
  }

  @Test
  void theSameReportTwiceChangesNothing() {
    add("a", Map.of());
    allUp();
    var report =
        new OutcomeReport("chat-1", 1, Map.of("a", 1), List.of(outcome("a", Outcome.Kind.SUCCESS)));
    assertTrue(fleet.report(report));
    assertFalse(fleet.report(report));
    assertEquals(1, fleet.status("a").orElseThrow().requests());
  }

  @Test
  void aLateReportCountsButDoesNotBringBackOldLevels() {
    add("a", Map.of());
    allUp();
    fleet.report(new OutcomeReport("chat-1", 11, Map.of("a", 1), List.of()));
    fleet.report(
        new OutcomeReport(
            "chat-1", 10, Map.of("a", 9), List.of(outcome("a", Outcome.Kind.SUCCESS))));
    assertEquals(1, fleet.status("a").orElseThrow().inFlight());
    assertEquals(1, fleet.status("a").orElseThrow().requests());
  }

  @Test
  void sharesAreOfTheLastFiveMinutes() {
    add("a", Map.of());
    add("b", Map.of());
    allUp();
    report("chat-1", Map.of(), outcome("a", Outcome.Kind.SUCCESS));
    later(200);
    for (int i = 0; i < 3; i++) {
      report("chat-1", Map.of(), outcome("b", Outcome.Kind.SUCCESS));
    }
    assertEquals(0.25, fleet.status("a").orElseThrow().share(), 1e-9);
    assertEquals(0.75, fleet.status("b").orElseThrow().share(), 1e-9);
    later(150);
    assertEquals(0, fleet.status("a").orElseThrow().share(), 1e-9);
    assertEquals(3, fleet.status("b").orElseThrow().requests());
    later(300);
    assertEquals(0, fleet.status("b").orElseThrow().requests());
  }

  @Test
  void latenciesAreLearnedFromSuccessesOnly() {
    add("a", Map.of());
    allUp();
    report("chat-1", Map.of(), outcome("a", Outcome.Kind.FAILURE));
    assertNull(fleet.status("a").orElseThrow().firstTokenMs());
    report("chat-1", Map.of(), outcome("a", Outcome.Kind.SUCCESS));
    BackendStatus status = fleet.status("a").orElseThrow();
    // From the guess of 500 a quarter of the way to 800/1.1, and from 30 to 980/49.
    assertNotNull(status.firstTokenMs());
    assertNotNull(status.perTokenMs());
    assertEquals(
        Math.exp(0.75 * Math.log(500) + 0.25 * Math.log(800 / 1.1)), status.firstTokenMs(), 1e-6);
    assertEquals(Math.exp(0.75 * Math.log(30) + 0.25 * Math.log(20)), status.perTokenMs(), 1e-6);
  }

  @Test
  void aNewcomerIsThoughtToBeLikeTheOthers() {
    add("a", Map.of());
    allUp();
    report("chat-1", Map.of(), outcome("a", Outcome.Kind.SUCCESS));
    add("b", Map.of());
    allUp();
    var places = select("m").places();
    assertEquals(
        places.get(0).candidate().firstTokenMs(), places.get(1).candidate().firstTokenMs(), 1e-6);
  }

  @Test
  void aFailingBackendIsEjectedAndTheOtherServes() {
    add("a", Map.of());
    add("b", Map.of());
    allUp();
    fail("a", 5);
    assertEquals(State.EJECTED, state("a"));
    assertEquals(List.of("b"), ids(select("m")));
    assertEquals("because", fleet.status("a").orElseThrow().lastError());
  }

  @Test
  void atMostHalfAreEjectedByRequests() {
    add("a", Map.of());
    add("b", Map.of());
    add("c", Map.of());
    allUp();
    fail("a", 6);
    fail("b", 6);
    assertEquals(State.EJECTED, state("a"));
    assertEquals(State.UP, state("b"));
  }

  @Test
  void theLastResortIsAnEjectedBackend() {
    add("a", Map.of());
    allUp();
    fail("a", 5);
    Selection selection = select("m");
    assertEquals(List.of("a"), ids(selection));
    assertTrue(selection.places().getFirst().reason().startsWith("panic"));
    assertNull(selection.unavailable());
  }

  @Test
  void aMisconfiguredBackendIsNoResort() {
    add("a", Map.of());
    allUp();
    report("chat-1", Map.of(), outcome("a", Outcome.Kind.MISCONFIGURED));
    assertEquals(State.MISCONFIGURED, state("a"));
    assertEquals(List.of(), ids(select("m")));
  }

  @Test
  void afterItsEjectionABackendIsTriedWithOneRequestAndTakenBack() {
    add("a", Map.of());
    add("b", Map.of());
    allUp();
    fail("a", 5);
    later(12.1);
    Selection.Place trial =
        select("m").places().stream()
            .filter(place -> place.backend().id().equals("a"))
            .findFirst()
            .orElseThrow();
    assertEquals(State.COMING_UP, trial.state());
    assertEquals(1, trial.candidate().maxConcurrency());
    ProbeTask small =
        fleet.claimDue().stream()
            .filter(task -> task.kind() == ProbeTask.Kind.TRIAL)
            .findFirst()
            .orElseThrow();
    assertEquals("a", small.backendId());
    fleet.answered(small, new ProbeResult.Healthy(5, null));
    assertEquals(State.UP, state("a"));
  }

  @Test
  void anOldOutcomeIsHistoryAndDoesNotEject() {
    add("a", Map.of());
    allUp();
    List<Outcome> old = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      old.add(outcome("a", Outcome.Kind.FAILURE));
    }
    later(40);
    fleet.report(new OutcomeReport("chat-1", ++seq, Map.of(), old));
    assertEquals(State.UP, state("a"));
    assertEquals(20, fleet.status("a").orElseThrow().requests());
  }

  @Test
  void eachQuestionIsAskedOnceAtATime() {
    add("a", Map.of());
    List<ProbeTask> tasks = fleet.claimDue();
    assertEquals(1, tasks.size());
    assertEquals(List.of(), fleet.claimDue());
    fleet.answered(tasks.getFirst(), new ProbeResult.Failed(1, "no"));
    assertEquals(List.of(), fleet.claimDue());
    later(1.3);
    assertEquals(1, fleet.claimDue().size());
  }

  @Test
  void anAnswerToAnOlderDescriptionSaysNothing() {
    add("a", Map.of());
    ProbeTask old = fleet.claimDue().getFirst();
    fleet.put(new StoredBackend(backend("a", Map.of("base_url", "http://127.0.0.1:9/v1")), "a-2"));
    fleet.answered(old, new ProbeResult.Healthy(1, List.of("m")));
    assertEquals(State.COMING_UP, state("a"));
    assertEquals(1, fleet.claimDue().size());
  }

  @Test
  void aDisabledBackendIsNotProbed() {
    add("a", Map.of("enabled", false));
    assertEquals(List.of(), fleet.claimDue());
  }

  @Test
  void aBackendThatWasNeverProbedIsOnlyALastResort() {
    add("a", Map.of());
    allUp();
    add("b", Map.of("weight", 1000));
    Selection selection = select("m");
    assertEquals(List.of("a", "b"), ids(selection));
    assertEquals("panic: not probed yet", selection.places().get(1).reason());
  }

  @Test
  void whetherABegunAnswerIsContinuedIsFoundOutOncePerModelAndAddress() {
    add("a", Map.of());
    allUp();
    ProbeTask task = fleet.claimDue().getFirst();
    assertEquals(ProbeTask.Kind.CONTINUATION, task.kind());
    var fact = fleet.answered(task, new ProbeResult.Continuation(true)).orElseThrow();
    assertEquals(Boolean.TRUE, fleet.status("a").orElseThrow().continues());
    later(100);
    assertTrue(fleet.claimDue().stream().allMatch(t -> t.kind() == ProbeTask.Kind.MODELS));
    fleet.put(new StoredBackend(backend("a", Map.of("models", List.of("n"))), "a-2"));
    assertNull(fleet.status("a").orElseThrow().continues());
    fleet.put(new StoredBackend(backend("a", Map.of()), "a-3"));
    fleet.recall(fact);
    assertEquals(Boolean.TRUE, fleet.status("a").orElseThrow().continues());
  }

  @Test
  void theVersionRisesWithEveryChangeOfState() {
    add("a", Map.of());
    long before = select("m").version();
    allUp();
    assertTrue(select("m").version() > before);
    before = select("m").version();
    assertEquals(before, select("m").version());
  }

  @Test
  void listenersHearOfChangesAndOfRemovals() {
    add("a", Map.of());
    allUp();
    fleet.remove("a");
    assertTrue(heard.containsAll(List.of("a!", "-a")), heard::toString);
    assertEquals(List.of(), fleet.backends());
  }

  @Test
  void aListingRemovesWhatIsGoneAndKeepsWhatWasLearned() {
    add("a", Map.of());
    add("b", Map.of());
    allUp();
    fleet.replaceAll(List.of(new StoredBackend(backend("a", Map.of("weight", 2)), "a-2")));
    assertEquals(1, fleet.backends().size());
    assertEquals(State.UP, state("a"));
    assertEquals(2, fleet.backend("a").orElseThrow().backend().weight());
  }

  @Test
  void smoothWeightedRoundRobinCanBeAskedFor() {
    add("a", Map.of("weight", 3));
    add("b", Map.of());
    allUp();
    later(61);
    Map<String, Integer> first = new HashMap<>();
    for (int i = 0; i < 8; i++) {
      Selection selection =
          fleet.select(
              new SelectionRequest("m", "smooth-weighted-round-robin", null, null, Set.of()));
      first.merge(ids(selection).getFirst(), 1, Integer::sum);
    }
    assertEquals(Map.of("a", 6, "b", 2), first);
  }
}
