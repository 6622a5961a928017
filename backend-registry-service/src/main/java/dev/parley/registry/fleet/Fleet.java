package dev.parley.registry.fleet;

import dev.parley.registry.backend.Backend;
import dev.parley.registry.health.State;
import dev.parley.registry.policy.Candidate;
import dev.parley.registry.policy.Choice;
import dev.parley.registry.policy.FleetPrior;
import dev.parley.registry.policy.Mean;
import dev.parley.registry.policy.Policy;
import dev.parley.registry.policy.Score;
import dev.parley.registry.policy.SmoothWeightedRoundRobin;
import dev.parley.registry.policy.WeightedLeastLatency;
import dev.parley.registry.policy.Workload;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/// All backends and what is known about each: the one place where their descriptions, their
/// health, their latencies and their load come together, and where a request finds its candidates.
///
/// It does no input or output. The store tells it what backends there are, the prober asks it
/// which are to be probed and brings the answers, replicas report outcomes. Everything it answers
/// comes from memory, so it answers with the store dead. Every call takes one lock for a short
/// time.
public final class Fleet {

  /// Outcomes that took longer to arrive are history; health is about now.
  private static final Duration STALE_OUTCOME = Duration.ofSeconds(30);

  /// Fewer output tokens are no measure of a token's time.
  private static final int LEAST_OUTPUT_TOKENS = 8;

  private static final double GUESSED_PROMPT_TOKENS = 500;
  private static final double GUESSED_OUTPUT_TOKENS = 256;

  /// Below this part of a tier usable, the next tier helps and then even ejected backends do.
  private static final double PANIC = 0.5;

  private static final long LEAST_RETRY_MS = 1_000;
  private static final long MOST_RETRY_MS = 300_000;

  /// Longest error text kept of a backend.
  private static final int MAX_ERROR = 300;

  private final ReentrantLock lock = new ReentrantLock();
  private final FleetSettings settings;
  private final LongSupplier nanos;
  private final InstantSource clock;
  private final RandomGenerator random;
  private final FleetListener listener;
  private final SortedMap<String, Member> members = new TreeMap<>();
  private final Map<String, Policy> policies = new LinkedHashMap<>();
  private final Map<String, ContinuationFact> continuation = new HashMap<>();
  private final Replicas replicas;
  private final Mean promptTokens = new Mean(GUESSED_PROMPT_TOKENS);
  private final Mean outputTokens = new Mean(GUESSED_OUTPUT_TOKENS);
  private long version;

  public Fleet(
      FleetSettings settings,
      LongSupplier nanos,
      InstantSource clock,
      RandomGenerator random,
      FleetListener listener) {
    this.settings = settings;
    this.nanos = nanos;
    this.clock = clock;
    this.random = random;
    this.listener = listener;
    replicas = new Replicas(settings.replicaTimeout());
    // Versions must rise over restarts, or a replica would take the new ones for old ones.
    version = clock.millis();
    for (Policy policy :
        List.of(new WeightedLeastLatency(random), new SmoothWeightedRoundRobin())) {
      policies.put(policy.name(), policy);
    }
  }

  /// The policies that a request may ask for; the first is the default.
  public List<String> policyNames() {
    return List.copyOf(policies.keySet());
  }

  /// Makes these the backends, as the store has them.
  public void replaceAll(Collection<StoredBackend> backends) {
    locked(
        () -> {
          Set<String> present = new HashSet<>();
          for (StoredBackend stored : backends) {
            present.add(stored.backend().id());
            describe(stored);
          }
          for (String id : List.copyOf(members.keySet())) {
            if (!present.contains(id)) {
              drop(id);
            }
          }
          return present;
        });
  }

  /// A backend is there or has a new description.
  public void put(StoredBackend stored) {
    locked(
        () -> {
          describe(stored);
          return stored;
        });
  }

  public void remove(String id) {
    locked(
        () -> {
          drop(id);
          return id;
        });
  }

  /// A fact found out in an earlier life.
  public void recall(ContinuationFact fact) {
    locked(() -> continuation.put(fact.backendId(), fact));
  }

  public List<StoredBackend> backends() {
    return locked(() -> members.values().stream().map(Member::stored).toList());
  }

  public Optional<StoredBackend> backend(String id) {
    return locked(() -> Optional.ofNullable(members.get(id)).map(Member::stored));
  }

  public List<BackendStatus> statuses() {
    return locked(
        () -> {
          Figures figures = figures();
          return members.values().stream().map(member -> status(member, figures)).toList();
        });
  }

  public Optional<BackendStatus> status(String id) {
    return locked(
        () -> Optional.ofNullable(members.get(id)).map(member -> status(member, figures())));
  }

  public List<ServedModel> models() {
    return locked(
        () -> {
          long now = nanos.getAsLong();
          Map<String, List<Member>> byModel = new TreeMap<>();
          for (Member member : members.values()) {
            if (member.backend().enabled()) {
              for (String model : member.models()) {
                byModel.computeIfAbsent(model, _ -> new ArrayList<>()).add(member);
              }
            }
          }
          return byModel.entrySet().stream()
              .map(
                  entry ->
                      new ServedModel(
                          entry.getKey(),
                          entry.getValue().stream().map(m -> m.backend().id()).toList(),
                          entry.getValue().stream()
                              .anyMatch(m -> m.inService() && m.health.usable(now))))
              .toList();
        });
  }

  /// The candidates for a request. The policy must be one of [#policyNames].
  public Selection select(SelectionRequest request) {
    return locked(
        () -> {
          Policy policy =
              policies.get(request.policy() == null ? defaultPolicy() : request.policy());
          if (policy == null) {
            throw new IllegalArgumentException("unknown policy");
          }
          Workload workload =
              new Workload(
                  request.model() == null ? "" : request.model(),
                  request.promptTokens(),
                  request.maxTokens(),
                  promptTokens.value(),
                  outputTokens.value());
          Figures figures = figures();
          List<Selection.Place> places = new ArrayList<>();
          List<Offer> offers = offers(request, figures);
          arrange(offers, policy, workload, places);
          return new Selection(
              version,
              settings.snapshotTtl().toMillis(),
              policy.name(),
              replicas.alive(figures.now),
              promptTokens.value(),
              outputTokens.value(),
              places,
              places.isEmpty() ? unavailable(request, figures.now) : null);
        });
  }

  /// Takes note of a replica's report; false if it changed nothing, being one seen before.
  public boolean report(OutcomeReport report) {
    return locked(
        () -> {
          long now = nanos.getAsLong();
          Map<String, Integer> before = replicas.inFlight(now);
          if (!replicas.heard(report.replica(), report.seq(), report.inFlight(), now)) {
            return false;
          }
          Map<String, Integer> after = replicas.inFlight(now);
          for (String id : members.keySet()) {
            if (!Objects.equals(before.get(id), after.get(id))) {
              listener.changed(id, false);
            }
          }
          Instant stale = clock.instant().minus(STALE_OUTCOME);
          for (Outcome outcome : report.outcomes()) {
            Member member = members.get(outcome.backendId());
            if (member != null) {
              member.traffic.count(now);
              if (outcome.at().isAfter(stale)) {
                learn(member, outcome, now);
              }
              tellOf(member, now);
            }
          }
          return true;
        });
  }

  /// The questions to ask now. Each is given out once; [#answered] must follow.
  public List<ProbeTask> claimDue() {
    return locked(
        () -> {
          long now = nanos.getAsLong();
          List<ProbeTask> tasks = new ArrayList<>();
          for (Member member : members.values()) {
            if (!member.backend().enabled()) {
              continue;
            }
            if (!member.probing && member.health.probeDue(now)) {
              member.probing = true;
              tasks.add(task(member, ProbeTask.Kind.MODELS));
            }
            if (member.testing || member.models().isEmpty()) {
              continue;
            }
            if (member.health.trialDue(now)) {
              member.testing = true;
              member.health.trialStarted(now);
              tasks.add(task(member, ProbeTask.Kind.TRIAL));
            } else if (settings.checkContinuation()
                && member.health.usable(now)
                && continues(member) == null
                && member.continuationDue(now)) {
              member.testing = true;
              member.continuationTried(now);
              tasks.add(task(member, ProbeTask.Kind.CONTINUATION));
            }
            tellIfStateChanged(member, now);
          }
          return tasks;
        });
  }

  /// The answer to a question; returns a fact to remember for good, if it brought one.
  public Optional<ContinuationFact> answered(ProbeTask task, ProbeResult result) {
    return locked(
        () -> {
          Member member = members.get(task.backendId());
          if (member == null || member.generation != task.generation()) {
            return Optional.<ContinuationFact>empty();
          }
          long now = nanos.getAsLong();
          if (task.kind() == ProbeTask.Kind.MODELS) {
            member.probing = false;
            probed(member, result, now);
          } else {
            member.testing = false;
          }
          if (task.kind() == ProbeTask.Kind.TRIAL) {
            tried(member, result, now);
          }
          tellOf(member, now);
          if (result instanceof ProbeResult.Continuation(Boolean continues)
              && continues != null
              && task.model() != null) {
            var fact =
                new ContinuationFact(task.backendId(), task.baseUrl(), task.model(), continues);
            continuation.put(task.backendId(), fact);
            version++;
            listener.changed(task.backendId(), true);
            return Optional.of(fact);
          }
          return Optional.<ContinuationFact>empty();
        });
  }

  // Descriptions

  private void describe(StoredBackend stored) {
    String id = stored.backend().id();
    long now = nanos.getAsLong();
    Member member = members.get(id);
    if (member == null) {
      members.put(id, new Member(stored, settings.health(), random, now));
    } else if (member.stored().version().equals(stored.version())) {
      return;
    } else {
      member.describe(stored, now);
    }
    version++;
    listener.changed(id, true);
  }

  private void drop(String id) {
    if (members.remove(id) != null) {
      continuation.remove(id);
      policies.values().forEach(policy -> policy.forget(id));
      version++;
      listener.removed(id);
    }
  }

  // Learning

  private void learn(Member member, Outcome outcome, long now) {
    switch (outcome.kind()) {
      case SUCCESS -> {
        measure(member, outcome, now);
        member.success.update(now, true);
        member.health.succeeded(now);
      }
      case FAILURE -> {
        member.success.update(now, false);
        member.health.failed(now, mayEject(member, now));
        member.lastError = shortened(outcome.reason());
        policies.values().forEach(policy -> policy.failed(member.backend().id()));
      }
      case RATE_LIMITED ->
          member.health.rateLimited(
              now, outcome.retryAfterMs() == null ? 0 : outcome.retryAfterMs());
      case MISCONFIGURED -> {
        member.health.misconfigured(now);
        member.lastError = shortened(outcome.reason());
      }
      case NEUTRAL -> {}
    }
  }

  /// A failure is never a sample: a backend that fails fast must not look fast.
  private void measure(Member member, Outcome outcome, long now) {
    promptTokens.update(outcome.promptTokens());
    outputTokens.update(outcome.outputTokens());
    member.lastUsedModel = outcome.model();
    int target = Candidate.targetConcurrency(member.backend().maxConcurrency());
    double batch = Score.batchFactor(outcome.inFlightAtStart(), target);
    Member.Estimates estimates = member.estimates(outcome.model());
    if (outcome.firstTokenMs() != null && outcome.inFlightAtStart() < target) {
      double sample = outcome.firstTokenMs() / (Score.promptFactor(outcome.promptTokens()) * batch);
      estimates.firstToken.update(now, Math.max(0.001, sample), firstTokenPrior());
    }
    if (outcome.generationMs() != null && outcome.outputTokens() >= LEAST_OUTPUT_TOKENS) {
      double sample = outcome.generationMs() / ((outcome.outputTokens() - 1) * batch);
      estimates.perToken.update(now, Math.max(0.001, sample), perTokenPrior());
    }
  }

  /// At most half of the backends, and at least one, may be taken out by outcomes: when many fail
  /// at once it is rarely the backends' fault.
  private boolean mayEject(Member candidate, long now) {
    long enabled = members.values().stream().filter(Member::inService).count();
    long ejected =
        members.values().stream()
            .filter(member -> member != candidate && member.inService())
            .filter(member -> member.health.ejected(now))
            .count();
    return ejected + 1 <= Math.max(1, enabled / 2);
  }

  private void probed(Member member, ProbeResult result, long now) {
    member.lastProbeAt = clock.instant().truncatedTo(ChronoUnit.MILLIS);
    switch (result) {
      case ProbeResult.Healthy(long took, List<String> models) -> {
        member.lastProbeMs = took;
        if (models != null && !models.equals(member.discovered)) {
          member.discovered = List.copyOf(models);
          version++;
        }
        member.health.probeSucceeded(now);
        if (member.health.usable(now)) {
          member.lastError = null;
        }
      }
      case ProbeResult.Limited(long took, long retryAfterMs) -> {
        member.lastProbeMs = took;
        member.health.probeSucceeded(now);
        member.health.rateLimited(now, retryAfterMs);
        member.lastError = "it asks for fewer requests";
      }
      case ProbeResult.Refused(long took, String detail) -> {
        member.lastProbeMs = took;
        member.health.probeRefused(now);
        member.lastError = shortened(detail);
      }
      case ProbeResult.Failed(long took, String detail) -> {
        member.lastProbeMs = took;
        member.health.probeFailed(now);
        member.lastError = shortened(detail);
      }
      case ProbeResult.Continuation _ ->
          throw new IllegalStateException("a probe of models has no such answer");
    }
  }

  private void tried(Member member, ProbeResult result, long now) {
    switch (result) {
      case ProbeResult.Healthy _ -> {
        member.health.succeeded(now);
        member.lastError = null;
      }
      case ProbeResult.Limited(long _, long retryAfterMs) ->
          member.health.rateLimited(now, retryAfterMs);
      case ProbeResult.Refused(long _, String detail) -> {
        member.health.misconfigured(now);
        member.lastError = shortened(detail);
      }
      case ProbeResult.Failed(long _, String detail) -> {
        member.health.failed(now, mayEject(member, now));
        member.lastError = shortened(detail);
      }
      case ProbeResult.Continuation _ ->
          throw new IllegalStateException("a trial has no such answer");
    }
  }

  private ProbeTask task(Member member, ProbeTask.Kind kind) {
    Backend backend = member.backend();
    return new ProbeTask(
        backend.id(),
        backend.name(),
        member.generation,
        kind,
        backend.baseUrl(),
        backend.apiKey(),
        member.models().isEmpty() ? null : member.models().getFirst(),
        !backend.models().isEmpty());
  }

  // Choosing

  /// A backend that serves the model, with how it stands.
  private record Offer(
      Member member, String model, State state, Candidate candidate, Standing standing, int tier) {}

  private enum Standing {
    USABLE,
    FULL,
    FRESH,
    EJECTED,
    OUT
  }

  private List<Offer> offers(SelectionRequest request, Figures figures) {
    List<Offer> offers = new ArrayList<>();
    for (Member member : members.values()) {
      String model = modelFor(member, request.model());
      if (model != null
          && member.inService()
          && !request.exclude().contains(member.backend().id())) {
        offers.add(offer(member, model, figures));
      }
    }
    return offers;
  }

  private static @Nullable String modelFor(Member member, @Nullable String requested) {
    List<String> models = member.models();
    if (requested != null) {
      return models.contains(requested) ? requested : null;
    }
    return models.isEmpty() ? null : models.getFirst();
  }

  private Offer offer(Member member, String model, Figures figures) {
    long now = figures.now;
    Backend backend = member.backend();
    Member.Estimates estimates = member.estimates(model);
    int inFlight = figures.inFlight.getOrDefault(backend.id(), 0);
    // A backend on trial gets one request at a time to prove itself.
    Integer limit = member.health.onTrial(now) ? Integer.valueOf(1) : backend.maxConcurrency();
    Candidate candidate =
        new Candidate(
            backend.id(),
            backend.weight(),
            limit,
            inFlight,
            estimates.firstToken.read(now, figures.firstTokenPrior),
            estimates.perToken.read(now, figures.perTokenPrior),
            member.success.read(now),
            member.health.slowStart(now),
            null);
    Standing standing =
        member.health.usable(now)
            ? limit != null && inFlight >= limit ? Standing.FULL : Standing.USABLE
            : member.health.onlyEjected(now)
                ? Standing.EJECTED
                : member.health.state(now) == State.COMING_UP && member.health.fresh()
                    ? Standing.FRESH
                    : Standing.OUT;
    return new Offer(member, model, member.state(now), candidate, standing, backend.tier());
  }

  /// Tier by tier, the lowest first. A tier of which less than half is usable is joined by the
  /// next one. Behind the usable ones stand those at their limit, then those that were never
  /// probed, and, when less than half of all is usable, those that requests took out.
  private void arrange(
      List<Offer> offers, Policy policy, Workload workload, List<Selection.Place> places) {
    Map<String, Offer> byId = new HashMap<>();
    SortedMap<Integer, List<Offer>> tiers = new TreeMap<>();
    for (Offer offer : offers) {
      byId.put(offer.candidate.id(), offer);
      tiers.computeIfAbsent(offer.tier, _ -> new ArrayList<>()).add(offer);
    }
    List<Candidate> together = new ArrayList<>();
    int met = 0;
    boolean first = true;
    for (var tier : tiers.entrySet()) {
      met += tier.getValue().size();
      tier.getValue().stream()
          .filter(offer -> offer.standing == Standing.USABLE)
          .forEach(offer -> together.add(offer.candidate));
      if (!together.isEmpty() && (together.size() >= PANIC * met || !first)) {
        String standby = first ? "" : "tier " + tier.getKey() + ": ";
        place(policy.order(together, workload), byId, workload, standby, places);
        together.clear();
        met = 0;
        first = false;
      } else if (together.isEmpty()) {
        met = 0;
      }
    }
    if (!together.isEmpty()) {
      place(policy.order(together, workload), byId, workload, "", places);
    }
    append(offers, Standing.FULL, "at its limit of requests", workload, places);
    append(offers, Standing.FRESH, "panic: not probed yet", workload, places);
    long usable =
        offers.stream()
            .filter(o -> o.standing == Standing.USABLE || o.standing == Standing.FULL)
            .count();
    if (usable < PANIC * offers.size()) {
      append(
          offers,
          Standing.EJECTED,
          "panic: ejected, but too few others are left",
          workload,
          places);
    }
  }

  private void place(
      List<Choice> choices,
      Map<String, Offer> byId,
      Workload workload,
      String before,
      List<Selection.Place> places) {
    for (Choice choice : choices) {
      Offer offer = byId.get(choice.candidate().id());
      if (offer != null) {
        places.add(place(offer, workload, before + choice.reason()));
      }
    }
  }

  private void append(
      List<Offer> offers,
      Standing standing,
      String reason,
      Workload workload,
      List<Selection.Place> places) {
    offers.stream()
        .filter(offer -> offer.standing == standing)
        .map(offer -> place(offer, workload, reason))
        .sorted(
            Comparator.comparingInt((Selection.Place p) -> p.backend().tier())
                .thenComparingDouble(Selection.Place::scoreMs))
        .forEach(places::add);
  }

  private Selection.Place place(Offer offer, Workload workload, String reason) {
    return new Selection.Place(
        offer.member.backend(),
        offer.model,
        offer.state,
        offer.candidate,
        Score.of(offer.candidate, workload),
        reason,
        continues(offer.member));
  }

  private Selection.Unavailable unavailable(SelectionRequest request, long now) {
    if (members.isEmpty()) {
      return new Selection.Unavailable(
          Selection.Unavailable.Kind.NO_BACKENDS, "no backend has been added yet", LEAST_RETRY_MS);
    }
    String model = request.model();
    List<Member> enabled = members.values().stream().filter(m -> m.backend().enabled()).toList();
    boolean served = model == null || enabled.stream().anyMatch(m -> m.models().contains(model));
    boolean unknown = enabled.stream().anyMatch(Member::modelsUnknown);
    if (!served && !unknown && !enabled.isEmpty()) {
      return new Selection.Unavailable(
          Selection.Unavailable.Kind.UNKNOWN_MODEL,
          "no backend serves the model " + model,
          LEAST_RETRY_MS);
    }
    List<Member> serving =
        enabled.stream()
            .filter(Member::inService)
            .filter(m -> !request.exclude().contains(m.backend().id()))
            .filter(m -> m.modelsUnknown() || modelFor(m, model) != null)
            .toList();
    if (serving.isEmpty()) {
      return new Selection.Unavailable(
          Selection.Unavailable.Kind.ALL_DOWN,
          "every backend for this is disabled, draining or excluded",
          LEAST_RETRY_MS);
    }
    long retryMs =
        serving.stream().mapToLong(m -> m.health.retryInNanos(now)).min().orElse(0) / 1_000_000;
    Map<String, Integer> states = new TreeMap<>();
    serving.forEach(m -> states.merge(m.state(now).word(), 1, Integer::sum));
    List<String> words = new ArrayList<>();
    states.forEach((state, n) -> words.add(n + " " + state));
    return new Selection.Unavailable(
        Selection.Unavailable.Kind.ALL_DOWN,
        "no backend can answer now: " + String.join(", ", words),
        Math.clamp(retryMs, LEAST_RETRY_MS, MOST_RETRY_MS));
  }

  private String defaultPolicy() {
    return WeightedLeastLatency.NAME;
  }

  // Showing

  /// What is the same for all backends at one moment.
  private record Figures(
      long now,
      Map<String, Integer> inFlight,
      double firstTokenPrior,
      double perTokenPrior,
      long requests) {}

  private Figures figures() {
    long now = nanos.getAsLong();
    return new Figures(
        now,
        replicas.inFlight(now),
        firstTokenPrior(),
        perTokenPrior(),
        members.values().stream().mapToLong(member -> member.traffic.requests(now)).sum());
  }

  private double firstTokenPrior() {
    return FleetPrior.of(
        estimates().map(e -> e.firstToken).filter(e -> e.sampled()).mapToDouble(e -> e.lastValue()),
        FleetPrior.FIRST_TOKEN_MS);
  }

  private double perTokenPrior() {
    return FleetPrior.of(
        estimates().map(e -> e.perToken).filter(e -> e.sampled()).mapToDouble(e -> e.lastValue()),
        FleetPrior.PER_TOKEN_MS);
  }

  private Stream<Member.Estimates> estimates() {
    return members.values().stream()
        .flatMap(member -> StreamSupport.stream(member.allEstimates().spliterator(), false));
  }

  private BackendStatus status(Member member, Figures figures) {
    long now = figures.now;
    String model = member.lastUsedModel != null ? member.lastUsedModel : modelFor(member, null);
    Member.Estimates estimates = model == null ? new Member.Estimates() : member.estimates(model);
    long requests = member.traffic.requests(now);
    return new BackendStatus(
        member.stored(),
        member.state(now),
        member.lastProbeAt,
        member.lastProbeMs,
        member.lastError,
        member.discovered == null ? List.of() : member.discovered,
        figures.inFlight.getOrDefault(member.backend().id(), 0),
        estimates.firstToken.sampled()
            ? estimates.firstToken.read(now, figures.firstTokenPrior)
            : null,
        estimates.perToken.sampled() ? estimates.perToken.read(now, figures.perTokenPrior) : null,
        member.success.read(now),
        figures.requests == 0 ? 0 : (double) requests / figures.requests,
        requests,
        member.traffic.perSecond(now),
        continues(member));
  }

  private @Nullable Boolean continues(Member member) {
    ContinuationFact fact = continuation.get(member.backend().id());
    String model = modelFor(member, null);
    return fact != null
            && fact.baseUrl().equals(member.backend().baseUrl())
            && fact.model().equals(model)
        ? fact.continues()
        : null;
  }

  private void tellOf(Member member, long now) {
    if (!tellIfStateChanged(member, now)) {
      listener.changed(member.backend().id(), false);
    }
  }

  private boolean tellIfStateChanged(Member member, long now) {
    State state = member.state(now);
    if (state == member.lastShown) {
      return false;
    }
    member.lastShown = state;
    version++;
    listener.changed(member.backend().id(), true);
    return true;
  }

  private static String shortened(String text) {
    return text.length() <= MAX_ERROR ? text : text.substring(0, MAX_ERROR) + "…";
  }

  private <T> T locked(Supplier<T> work) {
    lock.lock();
    try {
      return work.get();
    } finally {
      lock.unlock();
    }
  }
}
