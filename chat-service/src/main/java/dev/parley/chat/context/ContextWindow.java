package dev.parley.chat.context;

import java.util.ArrayList;
import java.util.List;

/// Chooses which messages of a conversation a model is shown, within a budget of tokens.
///
/// Kept are the system prompt, the pinned messages and the newest exchanges. An *exchange* is a
/// user's message with everything that answers it, and is kept or dropped as one, so that no answer
/// is ever shown without its question and no tool result without its call. The newest exchange is
/// always kept: a question too long for the model is for the model to refuse, not for us to cut.
public final class ContextWindow {

  /// What the chat format adds to each message (role and separators), and to the whole (the primer
  /// of the answer), as in OpenAI's own counting recipe.
  public static final int TOKENS_PER_MESSAGE = 4;

  public static final int TOKENS_PER_PROMPT = 3;

  private ContextWindow() {}

  /// @param tokens of the kept messages and the system prompt, all framing included
  /// @param dropped how many messages were left out
  public record Fitted(List<Turn> turns, int tokens, int limit, int dropped) {

    public Fitted {
      turns = List.copyOf(turns);
    }
  }

  /// @param systemTokens length of the system prompt, 0 if there is none
  /// @param turns oldest first, without the system prompt
  public static Fitted fit(int systemTokens, List<Turn> turns, int limit) {
    List<List<Turn>> exchanges = exchanges(turns);
    boolean[] kept = new boolean[exchanges.size()];
    int used = TOKENS_PER_PROMPT + (systemTokens > 0 ? systemTokens + TOKENS_PER_MESSAGE : 0);
    for (int i = 0; i < kept.length; i++) {
      boolean newest = i == kept.length - 1;
      if (newest || exchanges.get(i).stream().anyMatch(Turn::pinned)) {
        kept[i] = true;
        used += cost(exchanges.get(i));
      }
    }
    for (int i = kept.length - 2; i >= 0; i--) {
      if (kept[i]) {
        continue;
      }
      int cost = cost(exchanges.get(i));
      if (used + cost > limit) {
        break;
      }
      kept[i] = true;
      used += cost;
    }
    List<Turn> shown = new ArrayList<>();
    for (int i = 0; i < kept.length; i++) {
      if (kept[i]) {
        shown.addAll(exchanges.get(i));
      }
    }
    return new Fitted(shown, used, limit, turns.size() - shown.size());
  }

  private static List<List<Turn>> exchanges(List<Turn> turns) {
    List<List<Turn>> exchanges = new ArrayList<>();
    for (Turn turn : turns) {
      if (turn.opensExchange() || exchanges.isEmpty()) {
        exchanges.add(new ArrayList<>());
      }
      exchanges.getLast().add(turn);
    }
    // What stands before the first question answers nothing that can be shown.
    if (!exchanges.isEmpty() && !exchanges.getFirst().getFirst().opensExchange()) {
      exchanges.removeFirst();
    }
    return exchanges;
  }

  private static int cost(List<Turn> exchange) {
    return exchange.stream().mapToInt(turn -> turn.tokens() + TOKENS_PER_MESSAGE).sum();
  }
}
