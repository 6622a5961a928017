package dev.parley.kv.node.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;

/// What all routes that speak JSON have in common.
final class JsonText {

  /// Refuses a field that is given twice.
  static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private JsonText() {}

  /// The value as text if it is UTF-8, else in Base64.
  static void value(JsonGenerator json, byte[] value) throws IOException {
    try {
      json.writeStringField("value", Requests.text(value));
    } catch (CharacterCodingException e) {
      json.writeBinaryField("value_base64", value);
    }
  }

  /// Reads a body to its end, for what a more lenient reader would let pass.
  static void check(byte[] utf8) {
    try (JsonParser parser = JSON.createParser(Requests.text(utf8))) {
      while (parser.nextToken() != null) {
        parser.finishToken();
      }
    } catch (IOException e) {
      throw bad(e);
    }
  }

  /// Why a body could not be read to its end.
  static Requests.BadRequestException bad(IOException e) {
    String message = String.valueOf(e.getMessage());
    StreamReadConstraints limits = JSON.streamReadConstraints();
    String detail = "the body is not valid JSON";
    if (e instanceof StreamConstraintsException) {
      // Valid, but more than is read; Jackson says which limit it is in words only.
      detail =
          message.contains("nesting")
              ? "the JSON is nested deeper than " + limits.getMaxNestingDepth()
              : message.contains("Number")
                  ? "the JSON has a number of more than " + limits.getMaxNumberLength() + " digits"
                  : "the JSON has a name of more than " + limits.getMaxNameLength() + " characters";
    } else if (message.startsWith("Duplicate field")) {
      detail = "the JSON has a field twice";
    } else if (e instanceof CharacterCodingException) {
      detail = "the body is not valid UTF-8";
    }
    return new Requests.BadRequestException(Problem.BAD_REQUEST, detail);
  }
}
