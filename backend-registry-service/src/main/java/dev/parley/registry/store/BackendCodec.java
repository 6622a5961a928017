package dev.parley.registry.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.parley.registry.backend.ApiKey;
import dev.parley.registry.backend.Backend;
import dev.parley.registry.fleet.ContinuationFact;
import java.io.IOException;
import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// How backends lie in the store. Fields that a later version may add are passed over.
final class BackendCodec {

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();

  private record BackendRecord(
      String id,
      String name,
      String provider,
      String baseUrl,
      @Nullable String apiKey,
      @Nullable String apiKeyVersion,
      List<String> models,
      double weight,
      @Nullable Integer maxConcurrency,
      int tier,
      boolean enabled,
      Map<String, String> labels,
      boolean draining,
      String createdAt,
      String updatedAt) {}

  private record ContinuationRecord(
      String backendId, String baseUrl, String model, boolean continues) {}

  /// A stored value that cannot be read.
  static final class UnreadableException extends Exception {
    private static final long serialVersionUID = 1L;

    /// The cause is left out: its message would quote the value, which may hold a key.
    UnreadableException(Throwable cause) {
      super(cause.getClass().getSimpleName());
    }
  }

  private BackendCodec() {}

  static byte[] write(Backend backend) {
    ApiKey key = backend.apiKey();
    return bytes(
        new BackendRecord(
            backend.id(),
            backend.name(),
            backend.provider(),
            backend.baseUrl().toString(),
            key == null ? null : key.value(),
            key == null ? null : key.version(),
            backend.models(),
            backend.weight(),
            backend.maxConcurrency(),
            backend.tier(),
            backend.enabled(),
            backend.labels(),
            backend.draining(),
            backend.createdAt().toString(),
            backend.updatedAt().toString()));
  }

  static Backend readBackend(byte[] value) throws UnreadableException {
    try {
      BackendRecord row = JSON.readValue(value, BackendRecord.class);
      return new Backend(
          row.id,
          row.name,
          row.provider,
          URI.create(row.baseUrl),
          row.apiKey == null ? null : new ApiKey(row.apiKey, String.valueOf(row.apiKeyVersion)),
          row.models,
          row.weight,
          row.maxConcurrency,
          row.tier,
          row.enabled,
          row.labels,
          row.draining,
          Instant.parse(row.createdAt),
          Instant.parse(row.updatedAt));
    } catch (IOException | RuntimeException e) {
      throw new UnreadableException(e);
    }
  }

  static byte[] write(ContinuationFact fact) {
    return bytes(
        new ContinuationRecord(
            fact.backendId(), fact.baseUrl().toString(), fact.model(), fact.continues()));
  }

  static ContinuationFact readContinuation(byte[] value) throws UnreadableException {
    try {
      ContinuationRecord row = JSON.readValue(value, ContinuationRecord.class);
      return new ContinuationFact(row.backendId, URI.create(row.baseUrl), row.model, row.continues);
    } catch (IOException | RuntimeException e) {
      throw new UnreadableException(e);
    }
  }

  private static byte[] bytes(Object row) {
    try {
      return JSON.writeValueAsBytes(row);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a record cannot be written as JSON");
    }
  }
}
