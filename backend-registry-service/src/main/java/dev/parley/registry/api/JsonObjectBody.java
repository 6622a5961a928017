package dev.parley.registry.api;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/// Reads a body that must be one JSON object. What its fields mean is for the core to say.
final class JsonObjectBody {

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /// The body is no JSON object.
  static final class MalformedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    MalformedException(String detail) {
      super(detail);
    }
  }

  private JsonObjectBody() {}

  /// The object, or an empty one for an empty body.
  static Map<String, Object> optional(byte[] body) {
    return body.length == 0 ? Map.of() : read(body);
  }

  static Map<String, Object> read(byte[] body) {
    Object value;
    try {
      value = JSON.readValue(body, Object.class);
    } catch (IOException e) {
      // Its message would quote the body, which may hold a key.
      throw new MalformedException("the body is not valid JSON");
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw new MalformedException("the body must be a JSON object");
    }
    Map<String, Object> object = new LinkedHashMap<>();
    map.forEach((key, field) -> object.put(String.valueOf(key), field));
    return object;
  }
}
