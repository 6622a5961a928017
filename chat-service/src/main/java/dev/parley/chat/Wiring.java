package dev.parley.chat;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import dev.parley.chat.balance.CoolDowns;
import dev.parley.chat.balance.InFlight;
import dev.parley.chat.balance.RetryBudget;
import dev.parley.chat.context.BpeTokenCounter;
import dev.parley.chat.context.TokenCounter;
import dev.parley.chat.conversation.ConversationStore;
import dev.parley.kv.client.HttpKvStore;
import dev.parley.kv.client.KvStore;
import io.quarkus.arc.DefaultBean;
import jakarta.enterprise.inject.Disposes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.InstantSource;

/// Makes the parts that know nothing of the framework.
public final class Wiring {

  /// JSON as this service writes it: snake_case, RFC 3339 times, nulls written out.
  public static ObjectMapper json() {
    return new ObjectMapper()
        .registerModule(new JavaTimeModule())
        .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
        .setDefaultPropertyInclusion(JsonInclude.Include.ALWAYS)
        .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
        .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
  }

  @Produces
  @Singleton
  ObjectMapper mapper() {
    return json();
  }

  @Produces
  @Singleton
  @DefaultBean
  KvStore store(ChatConfig config) {
    return new HttpKvStore(config.kvNodes(), config.serviceToken());
  }

  void closeStore(@Disposes KvStore store) {
    store.close();
  }

  @Produces
  @Singleton
  ConversationStore conversations(KvStore store, ObjectMapper mapper) {
    return new ConversationStore(store, mapper);
  }

  @Produces
  @Singleton
  InstantSource clock() {
    return InstantSource.system();
  }

  @Produces
  @Singleton
  TokenCounter tokens() {
    return new BpeTokenCounter();
  }

  @Produces
  @Singleton
  InFlight inFlight() {
    return new InFlight(System::nanoTime);
  }

  @Produces
  @Singleton
  CoolDowns coolDowns() {
    return new CoolDowns(System::nanoTime);
  }

  @Produces
  @Singleton
  RetryBudget retryBudget() {
    return new RetryBudget(System::nanoTime);
  }
}
