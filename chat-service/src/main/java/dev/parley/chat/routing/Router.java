package dev.parley.chat.routing;

import dev.parley.chat.balance.Candidate;
import dev.parley.chat.balance.CoolDowns;
import dev.parley.chat.balance.InFlight;
import dev.parley.chat.balance.Ranking;
import dev.parley.chat.balance.Selection;
import dev.parley.chat.balance.Snapshot;
import dev.parley.chat.openai.FailureClass;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Finds a backend for a request, and takes note of how each attempt went.
@ApplicationScoped
public class Router {

  private final Selections selections;
  private final Credentials credentials;
  private final Reporter reporter;
  private final InFlight inFlight;
  private final CoolDowns coolDowns;
  private final Ranking ranking;
  private final InstantSource clock;

  /// Where a request may go.
  public sealed interface Route {
    /// @param candidates in the order in which to try them, at least one
    record To(List<Candidate> candidates, Snapshot snapshot) implements Route {}

    /// @param type `no-backends`, `unknown-model`, `all-down`, `all-busy` or `registry-unavailable`
    record Nowhere(String type, String detail, long retryAfterMillis) implements Route {}
  }

  @Inject
  Router(
      Selections selections,
      Credentials credentials,
      Reporter reporter,
      InFlight inFlight,
      CoolDowns coolDowns,
      InstantSource clock) {
    this.selections = selections;
    this.credentials = credentials;
    this.reporter = reporter;
    this.inFlight = inFlight;
    this.coolDowns = coolDowns;
    this.ranking = new Ranking(inFlight, coolDowns, RandomGenerator.of("L64X128MixRandom"));
    this.clock = clock;
  }

  /// A route from what is known now, without blocking; null if the registry must be asked.
  public @Nullable Route known(String model, Ranking.Request request, Set<String> exclude) {
    Snapshot snapshot = selections.current(model);
    if (snapshot == null) {
      return null;
    }
    List<Candidate> order;
    synchronized (ranking) {
      order = ranking.rank(snapshot, request, exclude);
    }
    boolean promising = !order.isEmpty() && !coolDowns.resting(order.getFirst().backendId());
    return promising ? new Route.To(order, snapshot) : null;
  }

  /// A route, with a call to the registry if what is known offers none. Blocks for a bounded time.
  public Route route(String model, Ranking.Request request, Set<String> exclude) {
    Route known = known(model, request, exclude);
    if (known != null) {
      return known;
    }
    Snapshot snapshot = selections.refresh(model);
    if (snapshot == null) {
      return new Route.Nowhere(
          "registry-unavailable", "The backend registry cannot be reached.", 2_000);
    }
    Selection selection = snapshot.selection();
    Selection.Unavailable unavailable = selection.unavailable();
    if (selection.candidates().isEmpty()) {
      if (unavailable == null) {
        return new Route.Nowhere("all-down", "No backend is available.", 2_000);
      }
      String detail = unavailable.detail();
      Long wait = unavailable.retryAfterMs();
      return new Route.Nowhere(
          unavailable.type(),
          detail == null ? "No backend is available." : detail,
          wait == null ? 2_000 : wait);
    }
    List<Candidate> order;
    synchronized (ranking) {
      order = ranking.rank(snapshot, request, exclude);
    }
    if (!order.isEmpty()) {
      return new Route.To(order, snapshot);
    }
    boolean tried = selection.candidates().stream().allMatch(c -> exclude.contains(c.backendId()));
    return tried
        ? new Route.Nowhere("all-down", "No other backend is available.", shortestRest(selection))
        : new Route.Nowhere("all-busy", "Every backend is at its limit.", 1_000);
  }

  private long shortestRest(Selection selection) {
    return selection.candidates().stream()
        .mapToLong(c -> coolDowns.remainingMillis(c.backendId()))
        .min()
        .stream()
        .map(millis -> Math.max(1_000, millis))
        .findFirst()
        .orElse(2_000);
  }

  /// The key if it is at hand, else null: then [#credential] blocks to fetch it.
  public @Nullable String cachedCredential(Candidate candidate) {
    return credentials.cached(candidate);
  }

  public String credential(Candidate candidate) {
    return credentials.fetch(candidate);
  }

  /// One attempt under way; its end is reported exactly once.
  public final class Attempt {
    private final Candidate candidate;
    private final InFlight.Ticket ticket;
    private final long promptTokens;
    private @Nullable Long firstTokenMillis;
    private boolean over;

    private Attempt(Candidate candidate, InFlight.Ticket ticket, long promptTokens) {
      this.candidate = candidate;
      this.ticket = ticket;
      this.promptTokens = promptTokens;
    }

    public Candidate candidate() {
      return candidate;
    }

    public synchronized void firstToken() {
      if (firstTokenMillis == null) {
        firstTokenMillis = ticket.ageMillis();
        ticket.firstToken();
      }
    }

    public synchronized @Nullable Long firstTokenMillis() {
      return firstTokenMillis;
    }

    public synchronized void succeeded(long outputTokens) {
      if (end()) {
        coolDowns.succeeded(candidate.backendId());
        report(FailureClass.Kind.SUCCESS, "ok", outputTokens, null);
      }
    }

    public synchronized void failed(FailureClass failure) {
      if (!end()) {
        return;
      }
      switch (failure.kind()) {
        case FAILURE, MISCONFIGURED -> coolDowns.failed(candidate.backendId());
        case RATE_LIMITED -> {
          Long wait = failure.retryAfterMillis();
          coolDowns.restFor(candidate.backendId(), wait == null ? 5_000 : wait);
        }
        case NEUTRAL, SUCCESS -> {
          // Says nothing about the backend.
        }
      }
      report(failure.kind(), failure.reason(), 0, failure.retryAfterMillis());
    }

    /// The client, or a stop, ended it.
    public synchronized void cancelled() {
      if (end()) {
        report(FailureClass.Kind.NEUTRAL, "cancelled", 0, null);
      }
    }

    private boolean end() {
      boolean first = !over;
      over = true;
      ticket.release();
      return first;
    }

    private void report(
        FailureClass.Kind kind, String reason, long outputTokens, @Nullable Long retryAfter) {
      Long first = firstTokenMillis;
      boolean success = kind == FailureClass.Kind.SUCCESS;
      reporter.add(
          new RegistryApi.Outcome(
              candidate.backendId(),
              candidate.model(),
              clock.instant(),
              kind.wire(),
              reason,
              ticket.inFlightAtStart(),
              promptTokens,
              outputTokens,
              success ? first : null,
              success && first != null ? Math.max(0, ticket.ageMillis() - first) : null,
              retryAfter));
    }
  }

  public Attempt begin(Candidate candidate, Snapshot snapshot, long promptTokens) {
    int there = (int) Math.round(ranking.estimatedInFlight(snapshot, candidate));
    return new Attempt(candidate, inFlight.start(candidate.backendId(), there), promptTokens);
  }
}
