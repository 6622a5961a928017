package dev.parley.chat.conversation;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.parley.kv.client.Condition;
import dev.parley.kv.client.Entry;
import dev.parley.kv.client.KvStore;
import dev.parley.kv.client.Page;
import dev.parley.kv.client.WriteOutcome;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Records in the store, typed. Every call blocks.
public final class ConversationStore {

  private static final int PAGE = 500;

  private final KvStore kv;
  private final ObjectMapper mapper;

  public ConversationStore(KvStore kv, ObjectMapper mapper) {
    this.kv = kv;
    this.mapper = mapper;
  }

  /// A value with the version to name when replacing it.
  public record Versioned<T>(T value, String version) {}

  public <T> Optional<Versioned<T>> get(String key, Class<T> type) {
    return kv.get(key).map(entry -> new Versioned<>(read(entry, type), entry.version()));
  }

  public WriteOutcome put(String key, Object value, Condition condition) {
    return kv.put(key, bytes(value), condition);
  }

  public WriteOutcome delete(String key) {
    return kv.delete(key, Condition.ALWAYS);
  }

  public WriteOutcome delete(String key, Condition condition) {
    return kv.delete(key, condition);
  }

  public byte[] bytes(Object value) {
    try {
      return mapper.writeValueAsBytes(value);
    } catch (JsonProcessingException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }

  /// Whether a value is small enough to be stored, with some room for fields added later.
  public boolean fits(Object value) {
    return bytes(value).length <= KvStore.MAX_VALUE_BYTES - 4_096;
  }

  /// Messages with ordinals above `after`, oldest first.
  public List<Message> messages(String id, int after, int limit) {
    List<Message> found = new ArrayList<>();
    String from = Keys.message(id, after);
    while (found.size() < limit) {
      Page page = kv.list(Keys.messages(id), from, Math.min(PAGE, limit - found.size()));
      page.entries().forEach(entry -> found.add(read(entry, Message.class)));
      if (page.next() == null || page.entries().isEmpty()) {
        break;
      }
      from = page.entries().getLast().key();
    }
    return found;
  }

  /// A generation's chunks from `index` on, in order and without a gap.
  public List<Generation.Chunk> chunks(String id, String messageId, int index) {
    List<Generation.Chunk> found = new ArrayList<>();
    String after = index == 0 ? null : Keys.chunk(id, messageId, index - 1);
    while (true) {
      Page page = kv.list(Keys.chunks(id, messageId), after, PAGE);
      for (Entry entry : page.entries()) {
        if (!entry.key().equals(Keys.chunk(id, messageId, index + found.size()))) {
          return found;
        }
        found.add(read(entry, Generation.Chunk.class));
      }
      if (page.next() == null || page.entries().isEmpty()) {
        return found;
      }
      after = page.entries().getLast().key();
    }
  }

  /// The values under a prefix, at most `limit`, in the order of their keys.
  public <T> List<T> all(String prefix, Class<T> type, int limit) {
    List<T> found = new ArrayList<>();
    String after = null;
    while (found.size() < limit) {
      Page page = kv.list(prefix, after, Math.min(PAGE, limit - found.size()));
      page.entries().forEach(entry -> found.add(read(entry, type)));
      if (page.next() == null || page.entries().isEmpty()) {
        break;
      }
      after = page.entries().getLast().key();
    }
    return found;
  }

  /// Keys under a prefix after `after`, at most one page of them.
  public List<String> keys(String prefix, @Nullable String after) {
    return kv.list(prefix, after, PAGE).entries().stream().map(Entry::key).toList();
  }

  private <T> T read(Entry entry, Class<T> type) {
    try {
      return mapper.readValue(entry.value(), type);
    } catch (IOException unreadable) {
      throw new UncheckedIOException("unreadable record at " + entry.key(), unreadable);
    }
  }
}
