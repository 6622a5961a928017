package dev.parley.demo.reply;

import java.util.List;

/// The part of an answer that one request gets: what is left of it after the prefill, up to a stop
/// sequence or the allowed number of tokens.
///
/// @param text what is sent
/// @param tokens how many tokens that is
/// @param cutByLimit whether tokens were left over
public record Completion(String text, int tokens, boolean cutByLimit) {
  /// @param prefill the beginning of the answer the client already has; empty if none. An answer
  ///     that does not begin with it exactly is given whole, as a new paragraph.
  public static Completion of(String answer, String prefill, List<String> stops, int maxTokens) {
    String rest = answer.startsWith(prefill) ? answer.substring(prefill.length()) : "\n\n" + answer;
    int stopAt = rest.length();
    for (String stop : stops) {
      int found = rest.indexOf(stop);
      if (found >= 0) {
        stopAt = Math.min(stopAt, found);
      }
    }
    String wanted = rest.substring(0, stopAt);
    int tokens = 0;
    int at = 0;
    while (at < wanted.length() && tokens < maxTokens) {
      at = Tokens.end(wanted, at);
      tokens++;
    }
    return new Completion(wanted.substring(0, at), tokens, at < wanted.length());
  }

  public String finishReason() {
    return cutByLimit ? "length" : "stop";
  }
}
