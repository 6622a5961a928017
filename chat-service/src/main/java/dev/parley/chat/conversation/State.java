package dev.parley.chat.conversation;

import com.fasterxml.jackson.annotation.JsonProperty;

/// How far a message is.
///
/// ```
/// queued → generating ⇄ recovering → done | stopped | failed
/// ```
public enum State {
  @JsonProperty("queued")
  QUEUED,
  @JsonProperty("generating")
  GENERATING,
  @JsonProperty("recovering")
  RECOVERING,
  @JsonProperty("done")
  DONE,
  @JsonProperty("stopped")
  STOPPED,
  @JsonProperty("failed")
  FAILED;

  public boolean terminal() {
    return this == DONE || this == STOPPED || this == FAILED;
  }
}
