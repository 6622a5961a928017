package dev.parley.chat.conversation;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Locale;

/// Who speaks.
public enum Role {
  @JsonProperty("user")
  USER,
  @JsonProperty("assistant")
  ASSISTANT;

  public String wire() {
    return name().toLowerCase(Locale.ROOT);
  }
}
