package dev.parley.chat.generation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.chat.Wiring;
import dev.parley.chat.conversation.Conversation;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.chat.conversation.Generation;
import dev.parley.chat.conversation.Keys;
import dev.parley.chat.conversation.Message;
import dev.parley.chat.conversation.Parameters;
import dev.parley.chat.conversation.State;
import dev.parley.kv.client.Condition;
import dev.parley.kv.client.InMemoryKvStore;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class SettlingTest {

  private static final Instant NOW = Instant.EPOCH;

  private final ConversationStore store =
      new ConversationStore(new InMemoryKvStore(), Wiring.json());
  private final Message queued = Message.queued("m1", 2, null, "c1", NOW);
  private final Message last = queued.withState(State.DONE);
  private final Generation record =
      new Generation("c", 1, "chat", State.DONE, 3, false, "", Parameters.NONE, last, NOW);

  private void conversation() {
    Conversation made =
        Conversation.create("c", null, null, null, Parameters.NONE, false, "local", NOW);
    store.put(Keys.conversation("c"), made, Condition.ABSENT).orThrow();
  }

  private String content() {
    return store.get(Keys.message("c", 2), Message.class).orElseThrow().value().content();
  }

  @Test
  void twoThatSettleTheSameAnswerDoNotEmptyIt() {
    conversation();
    store.put(Keys.message("c", 2), queued, Condition.ABSENT).orThrow();
    // While this one gathers the text, the other one finishes and clears the chunks away.
    boolean first =
        Generations.settled(
            store,
            record,
            () -> {
              assertTrue(Generations.settled(store, record, () -> "whole"));
              return "";
            });
    assertFalse(first);
    assertTrue(Generations.settled(store, record, () -> ""));
    assertEquals("whole", content());
  }

  @Test
  void anAnswerWhoseMessageWasNeverWrittenIsWrittenAtItsEnd() {
    conversation();
    assertTrue(Generations.settled(store, record, () -> "whole"));
    assertEquals("whole", content());
  }

  @Test
  void anAnswerInADeletedConversationIsNotBroughtBack() {
    assertTrue(Generations.settled(store, record, () -> "whole"));
    assertTrue(store.get(Keys.message("c", 2), Message.class).isEmpty());
  }
}
