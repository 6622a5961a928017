package dev.parley.chat.generation;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.chat.ChatConfig;
import dev.parley.chat.balance.Candidate;
import dev.parley.chat.balance.Ranking;
import dev.parley.chat.context.TokenCounter;
import dev.parley.chat.conversation.Conversation;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.chat.conversation.Keys;
import dev.parley.chat.conversation.Message;
import dev.parley.chat.conversation.Parameters;
import dev.parley.chat.conversation.PrefixFilter;
import dev.parley.chat.conversation.State;
import dev.parley.chat.openai.FailureClass;
import dev.parley.chat.openai.StreamChunk;
import dev.parley.chat.openai.UpstreamFailure;
import dev.parley.chat.openai.Usage;
import dev.parley.chat.routing.Router;
import dev.parley.chat.upstream.UpstreamCall;
import dev.parley.chat.upstream.UpstreamClient;
import dev.parley.chat.upstream.UpstreamListener;
import dev.parley.kv.client.StoreUnavailableException;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Gets an answer's text from backends, from one after the other if need be.
///
/// Before the first token another backend takes over unseen. In the middle of the text the next one
/// is given what there is and continues it; one that cannot continue is asked afresh, and what it
/// says is used as long as it repeats what is known.
final class Writer {

  /// With JSON around it, the largest text that is still one value of the store.
  private static final long MAX_TEXT_BYTES = 950_000;

  private static final int CONTEXT_MESSAGES = 400;
  private static final int MAX_ATTEMPTS_PER_ANSWER = 50;
  private static final int MAX_SHRINKS = 3;
  private static final long RETRY_MILLIS = 300;

  /// Everything a writer works with.
  record Tools(
      ConversationStore store,
      Router router,
      UpstreamClient upstream,
      TokenCounter tokens,
      ObjectMapper mapper,
      Hub hub,
      ChatConfig.Chat settings,
      InstantSource clock,
      MeterRegistry metrics) {}

  /// How one attempt ended.
  private sealed interface Ending {
    record Complete(@Nullable Usage usage) implements Ending {}

    record Broken(UpstreamFailure failure) implements Ending {}

    record Interrupted() implements Ending {}

    record TooLong() implements Ending {}

    record Diverged() implements Ending {}
  }

  private final GenerationRun run;
  private final Tools tools;
  private final long startedNanos = System.nanoTime();
  private final Set<String> tried = new HashSet<>();
  private final Set<String> rejectsPrefill = new HashSet<>();
  private int limit;
  private int shrinks;
  private int attempts;
  private int fruitless;
  private boolean spliced;
  private @Nullable Prompt prompt;
  private @Nullable Usage usage;
  private long patienceUntilNanos;

  Writer(GenerationRun run, Tools tools) {
    this.run = run;
    this.tools = tools;
    this.spliced = run.text.length() > 0;
    Parameters parameters = run.record().parameters();
    Integer own = parameters.maxTokens();
    int reserve = own == null ? tools.settings.answerTokens() : own;
    int whole = tools.settings.contextTokens();
    this.limit = Math.max(whole / 4, whole - reserve);
    resetPatience();
  }

  /// Works until there is an end to tell. Null if the answer is no longer ours to end.
  GenerationRun.@Nullable End write() throws InterruptedException {
    while (true) {
      if (run.lost() || run.handingOver()) {
        return null;
      }
      if (run.stopRequested()) {
        return new GenerationRun.End(State.STOPPED, null);
      }
      Prompt asked;
      try {
        asked = prompt();
      } catch (StoreUnavailableException unavailable) {
        if (patient()) {
          Thread.sleep(RETRY_MILLIS);
          continue;
        }
        return failed("store-unavailable", "The conversation could not be read.", true);
      }
      if (asked == null) {
        run.lose();
        return null;
      }
      GenerationRun.End end = attempt(asked);
      if (end != null) {
        return end;
      }
    }
  }

  Usage usage() {
    Usage told = usage;
    if (told != null && !spliced) {
      return told;
    }
    int promptTokens = prompt == null ? 0 : prompt.fitted().tokens();
    return new Usage(promptTokens, tools.tokens.count(run.text.toString()), true);
  }

  long elapsedMillis() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startedNanos);
  }

  /// One step: find a backend and let it write. Null to go on.
  private GenerationRun.@Nullable End attempt(Prompt asked) throws InterruptedException {
    Parameters parameters = asked.parameters();
    Integer most = parameters.maxTokens();
    Ranking.Request shape = new Ranking.Request(asked.fitted().tokens(), most == null ? 1e9 : most);
    Router.Route route = tools.router.route(run.record().model(), shape, tried);
    return switch (route) {
      case Router.Route.Nowhere nowhere -> nowhere(nowhere);
      case Router.Route.To to -> {
        Candidate candidate = choose(to.candidates());
        boolean continues = continues(candidate);
        Ending ending = stream(asked, candidate, continues, to);
        yield judge(candidate, continues, ending);
      }
    };
  }

  private Candidate choose(List<Candidate> order) {
    if (run.text.length() > 0) {
      for (Candidate candidate : order) {
        if (continues(candidate)) {
          return candidate;
        }
      }
    }
    return order.getFirst();
  }

  private boolean continues(Candidate candidate) {
    return run.text.length() > 0
        && candidate.continues()
        && !rejectsPrefill.contains(candidate.backendId());
  }

  private GenerationRun.@Nullable End nowhere(Router.Route.Nowhere nowhere)
      throws InterruptedException {
    boolean worthWaiting = run.text.length() > 0 || nowhere.type().equals("all-busy");
    if (worthWaiting && patient()) {
      tried.clear();
      Thread.sleep(RETRY_MILLIS);
      return null;
    }
    String type = nowhere.type();
    return failed(type, explained(type, nowhere.detail()), !type.equals("unknown-model"));
  }

  private Ending stream(Prompt asked, Candidate candidate, boolean continues, Router.Route.To route)
      throws InterruptedException {
    String known = run.text.toString();
    attempts++;
    State state = known.isEmpty() ? State.QUEUED : State.RECOVERING;
    begun(candidate, known.length(), state);
    String partial = continues ? known : "";
    int emitted = partial.isEmpty() ? 0 : tools.tokens.count(partial);
    byte[] body = asked.body(candidate.model(), partial, emitted, tools.mapper);
    String credential = tools.router.credential(candidate);
    Router.Attempt attempt =
        tools.router.begin(candidate, route.snapshot(), asked.fitted().tokens());
    PrefixFilter filter = new PrefixFilter(continues ? "" : known);
    CompletableFuture<Ending> ended = new CompletableFuture<>();
    Usage[] told = new Usage[1];
    UpstreamCall call =
        tools.upstream.start(
            new UpstreamClient.Call(
                candidate, "/chat/completions", body, credential, true, 1, run.requestId),
            new UpstreamListener() {
              @Override
              public void part(StreamChunk.Part part) {
                if (ended.isDone()) {
                  return;
                }
                if (part.usage() != null) {
                  told[0] = part.usage();
                }
                if (part.carriesContent()) {
                  attempt.firstToken();
                }
                String fresh = filter.accept(part.text());
                if (filter.diverged()) {
                  ended.complete(new Ending.Diverged());
                } else if (!fresh.isEmpty()) {
                  if (!grow(fresh, attempt)) {
                    ended.complete(new Ending.TooLong());
                  }
                }
              }

              @Override
              public void completed(byte[] unused, String contentType) {
                ended.complete(
                    filter.caughtUp() ? new Ending.Complete(told[0]) : new Ending.Diverged());
              }

              @Override
              public void failed(UpstreamFailure failure) {
                ended.complete(new Ending.Broken(failure));
              }
            });
    run.interruption(() -> ended.complete(new Ending.Interrupted()));
    Ending ending = ended.join();
    run.interruption(null);
    call.cancel();
    account(attempt, ending, told[0], known.length());
    return ending;
  }

  private void account(
      Router.Attempt attempt, Ending ending, @Nullable Usage told, int knownLength) {
    switch (ending) {
      case Ending.Complete(var figures) -> {
        usage = figures;
        long written =
            figures == null
                ? tools.tokens.count(run.text.from(knownLength))
                : figures.completionTokens();
        attempt.succeeded(written);
        over("ok");
      }
      case Ending.Broken(var failure) -> {
        FailureClass verdict = FailureClass.of(failure);
        attempt.failed(verdict);
        over(verdict.reason());
      }
      case Ending.Interrupted _ -> {
        attempt.cancelled();
        over(run.stopRequested() ? "stopped" : "left");
      }
      case Ending.TooLong _ -> {
        attempt.cancelled();
        over("too-long");
      }
      case Ending.Diverged _ -> {
        attempt.cancelled();
        over("diverged");
      }
    }
    if (told != null && usage == null) {
      usage = told;
    }
  }

  /// Adds text. Runs on the call's event loop, and does not block. False if not all of it fits.
  private boolean grow(String fresh, Router.Attempt attempt) {
    if (run.lost() || run.handingOver()) {
      return true;
    }
    Message now = run.message();
    if (now.state() != State.GENERATING) {
      Message generating = now.withState(State.GENERATING);
      if (now.firstTokenMs() == null) {
        long waited = elapsedMillis();
        generating = generating.withFirstTokenMs(waited);
        tools
            .metrics
            .timer("parley_first_token", "api", "conversation")
            .record(waited, TimeUnit.MILLISECONDS);
      }
      run.change(generating);
    }
    attempt.firstToken();
    boolean fits = run.text.appendWithin(fresh, MAX_TEXT_BYTES);
    run.grown(tools.settings.chunkTokens());
    tools.hub.changed(run.conversationId);
    return fits;
  }

  private GenerationRun.@Nullable End judge(Candidate candidate, boolean continued, Ending ending)
      throws InterruptedException {
    return switch (ending) {
      case Ending.Complete _ -> new GenerationRun.End(State.DONE, null);
      case Ending.Interrupted _ -> null;
      case Ending.TooLong _ ->
          new GenerationRun.End(
              State.FAILED,
              new Message.Failure("too-long", "The answer grew beyond what can be stored.", false));
      case Ending.Diverged _ -> {
        tried.add(candidate.backendId());
        yield attempts >= MAX_ATTEMPTS_PER_ANSWER || ++fruitless >= tools.settings.maxAttempts()
            ? failed("diverged", "Another backend could not continue this answer.", true)
            : null;
      }
      case Ending.Broken(var failure) -> broken(candidate, continued, failure);
    };
  }

  private GenerationRun.@Nullable End broken(
      Candidate candidate, boolean continued, UpstreamFailure failure) throws InterruptedException {
    FailureClass verdict = FailureClass.of(failure);
    tools
        .metrics
        .counter("parley_failovers", "api", "conversation", "reason", verdict.reason())
        .increment();
    boolean progress = run.text.length() > run.message().attempts().getLast().offset();
    if (progress) {
      // It wrote something before it broke: the clock of patience starts again.
      fruitless = 0;
      tried.clear();
      spliced = true;
      resetPatience();
    }
    if (run.text.length() > 0) {
      run.change(run.message().withState(State.RECOVERING));
      tools.hub.changed(run.conversationId);
    }
    switch (verdict.next()) {
      case SHORTER -> {
        if (shrinks++ < MAX_SHRINKS) {
          limit = limit / 2;
          prompt = null;
          return null;
        }
        return failed(verdict.reason(), "The conversation is too long for the backend.", true);
      }
      case NOWHERE -> {
        if (continued && !progress) {
          // It was the partial answer that it would not take: ask it without.
          rejectsPrefill.add(candidate.backendId());
          return null;
        }
        if (run.text.length() == 0 || failure instanceof UpstreamFailure.TotalTimeout) {
          boolean filtered = verdict.reason().equals("content-filter");
          return failed(verdict.reason(), "The backend refused the request.", !filtered);
        }
        tried.add(candidate.backendId());
      }
      case ELSEWHERE, ELSEWHERE_OR_SAME -> tried.add(candidate.backendId());
    }
    fruitless++;
    if (attempts >= MAX_ATTEMPTS_PER_ANSWER) {
      return failed(verdict.reason(), "The backends kept failing.", true);
    }
    if (fruitless >= tools.settings.maxAttempts()) {
      if (run.text.length() > 0 && patient()) {
        fruitless = 0;
        tried.clear();
        Thread.sleep(RETRY_MILLIS);
        return null;
      }
      return failed("all-down", "No backend could answer. Try again in a moment.", true);
    }
    return null;
  }

  private void begun(Candidate candidate, int offset, State state) {
    Message now = run.message();
    List<Message.Attempt> all = new ArrayList<>(now.attempts());
    all.add(
        new Message.Attempt(
            candidate.name(),
            candidate.backendId(),
            candidate.model().isEmpty() ? null : candidate.model(),
            "running",
            offset,
            tools.clock.instant()));
    run.change(now.withAttempts(all).withState(state));
    tools.hub.changed(run.conversationId);
  }

  private void over(String outcome) {
    Message now = run.message();
    List<Message.Attempt> all = new ArrayList<>(now.attempts());
    all.set(all.size() - 1, all.getLast().withOutcome(outcome));
    run.change(now.withAttempts(all));
  }

  private @Nullable Prompt prompt() {
    if (prompt != null) {
      return prompt;
    }
    Optional<ConversationStore.Versioned<Conversation>> found =
        tools.store.get(Keys.conversation(run.conversationId), Conversation.class);
    if (found.isEmpty()) {
      return null;
    }
    Conversation conversation = found.get().value();
    int ordinal = run.message().ordinal();
    int from = Math.max(0, ordinal - 1 - CONTEXT_MESSAGES);
    List<Message> before =
        tools.store.messages(run.conversationId, from, ordinal - 1 - from).stream()
            .filter(message -> message.ordinal() < ordinal)
            .toList();
    Prompt made =
        Prompt.of(conversation, before, from, run.record().parameters(), limit, tools.tokens);
    prompt = made;
    run.change(run.message().withContext(made.shown()));
    return made;
  }

  private GenerationRun.End failed(String type, String message, boolean retryable) {
    return new GenerationRun.End(State.FAILED, new Message.Failure(type, message, retryable));
  }

  private boolean patient() {
    return System.nanoTime() - patienceUntilNanos < 0 && !run.interrupted();
  }

  private void resetPatience() {
    patienceUntilNanos = System.nanoTime() + tools.settings.recoveryPatience().toNanos();
  }

  private static String explained(String type, String detail) {
    return switch (type) {
      case "no-backends" -> "There is no backend yet. Add one to get answers.";
      case "all-down" -> "No backend is reachable at the moment.";
      case "all-busy" -> "Every backend is busy at the moment.";
      default -> detail;
    };
  }
}
