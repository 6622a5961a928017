package dev.parley.chat.openai;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A client's request, kept as the bytes it sent.
///
/// Only what routing needs is read from it, in one pass that builds no tree, and only `model` and
/// `stream_options` can be replaced, by splicing bytes: every other member, known to us or not,
/// reaches the backend exactly as written, number formats and key order included.
public final class CompletionRequest {

  private static final JsonFactory JSON = new JsonFactory();

  /// The longest name a backend can have for a model. The registry refuses longer ones, and they
  /// would be kept here as the key of what it said.
  private static final int MAX_MODEL_CHARS = 256;

  private record Span(int from, int to) {}

  private final byte[] body;
  private final int openBrace;
  private final boolean empty;
  private final List<Span> models = new ArrayList<>();
  private final List<Span> streamOptions = new ArrayList<>();

  private String model = "";
  private boolean streamed;
  private boolean usageAsked;
  private int choices = 1;
  private @Nullable Integer maxTokens;

  /// The result of reading a body.
  public sealed interface Reading {
    record Read(CompletionRequest request) implements Reading {}

    /// @param param the member at fault, or null if the body as a whole is
    record Refused(String message, @Nullable String param) implements Reading {}
  }

  private static final class Refusal extends Exception {
    private static final long serialVersionUID = 1L;
    private final String param;

    Refusal(String message, String param) {
      super(message);
      this.param = param;
    }
  }

  public static Reading read(byte[] body) {
    for (int i = 0; i < Math.min(4, body.length); i++) {
      if (body[i] == 0 || body[i] == (byte) 0xFE || body[i] == (byte) 0xFF) {
        return new Reading.Refused("The body is not UTF-8.", null);
      }
    }
    try (JsonParser parser = JSON.createParser(body)) {
      return new Reading.Read(new CompletionRequest(body, parser));
    } catch (Refusal refusal) {
      return new Reading.Refused(String.valueOf(refusal.getMessage()), refusal.param);
    } catch (IOException malformed) {
      return new Reading.Refused("The body is not a JSON object.", null);
    }
  }

  private CompletionRequest(byte[] body, JsonParser parser) throws IOException, Refusal {
    this.body = body;
    if (parser.nextToken() != JsonToken.START_OBJECT) {
      throw new IOException("not an object");
    }
    openBrace = Math.toIntExact(parser.currentTokenLocation().getByteOffset());
    boolean any = false;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      any = true;
      String name = parser.currentName();
      JsonToken token = parser.nextToken();
      int from = Math.toIntExact(parser.currentTokenLocation().getByteOffset());
      switch (name) {
        case "model" -> {
          if (token != JsonToken.VALUE_STRING && token != JsonToken.VALUE_NULL) {
            throw new Refusal("'model' must be a string.", "model");
          }
          model = token == JsonToken.VALUE_NULL ? "" : parser.getText();
          parser.finishToken();
          if (model.length() > MAX_MODEL_CHARS) {
            throw new Refusal("'model' has more than " + MAX_MODEL_CHARS + " characters.", "model");
          }
          models.add(new Span(from, end(parser)));
        }
        case "stream" -> {
          if (!token.isBoolean() && token != JsonToken.VALUE_NULL) {
            throw new Refusal("'stream' must be true or false.", "stream");
          }
          streamed = token == JsonToken.VALUE_TRUE;
        }
        case "n" -> choices = token == JsonToken.VALUE_NUMBER_INT ? parser.getIntValue() : 1;
        case "max_tokens", "max_completion_tokens" ->
            maxTokens = token == JsonToken.VALUE_NUMBER_INT ? parser.getIntValue() : maxTokens;
        case "stream_options" -> {
          readStreamOptions(parser, token);
          streamOptions.add(new Span(from, end(parser)));
        }
        default -> parser.skipChildren();
      }
    }
    empty = !any;
    if (parser.currentToken() != JsonToken.END_OBJECT || parser.nextToken() != null) {
      throw new IOException("trailing text");
    }
  }

  private void readStreamOptions(JsonParser parser, JsonToken token) throws IOException {
    if (token != JsonToken.START_OBJECT) {
      parser.skipChildren();
      return;
    }
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      boolean usage = parser.currentName().equals("include_usage");
      JsonToken value = parser.nextToken();
      if (usage) {
        usageAsked = value == JsonToken.VALUE_TRUE;
      }
      parser.skipChildren();
    }
  }

  private static int end(JsonParser parser) throws IOException {
    return Math.toIntExact(parser.currentLocation().getByteOffset());
  }

  /// The model asked for; empty if the client leaves the choice to us.
  public String model() {
    return model.equals("auto") ? "" : model;
  }

  public boolean streamed() {
    return streamed;
  }

  /// Whether the client itself asked for the extra chunk with figures.
  public boolean usageAsked() {
    return usageAsked;
  }

  public int choices() {
    return Math.max(1, choices);
  }

  public @Nullable Integer maxTokens() {
    return maxTokens;
  }

  /// A rough length in tokens, for scoring only.
  public int roughTokens() {
    return body.length / 4;
  }

  /// The body for a backend that calls the model `served`, asked for usage figures if streamed.
  public byte[] bodyFor(String served) {
    boolean renamed = !model.equals(served) && !served.isEmpty();
    boolean askUsage = streamed && !usageAsked;
    if (!renamed && !askUsage) {
      return body;
    }
    List<Replacement> changes = new ArrayList<>();
    StringBuilder inserted = new StringBuilder();
    if (renamed) {
      String name = '"' + new String(JsonStringEncoder.getInstance().quoteAsString(served)) + '"';
      models.forEach(span -> changes.add(new Replacement(span, name)));
      if (models.isEmpty()) {
        inserted.append("\"model\":").append(name).append(',');
      }
    }
    if (askUsage) {
      String options = "{\"include_usage\":true}";
      streamOptions.forEach(span -> changes.add(new Replacement(span, options)));
      if (streamOptions.isEmpty()) {
        inserted.append("\"stream_options\":").append(options).append(',');
      }
    }
    if (!inserted.isEmpty()) {
      if (empty) {
        inserted.setLength(inserted.length() - 1);
      }
      Span afterBrace = new Span(openBrace + 1, openBrace + 1);
      changes.add(new Replacement(afterBrace, inserted.toString()));
    }
    return spliced(changes);
  }

  private record Replacement(Span span, String text) {}

  private byte[] spliced(List<Replacement> changes) {
    changes.sort((a, b) -> Integer.compare(a.span.from, b.span.from));
    ByteArrayOutputStream out = new ByteArrayOutputStream(body.length + 128);
    int at = 0;
    for (Replacement change : changes) {
      out.write(body, at, change.span.from - at);
      out.writeBytes(change.text.getBytes(StandardCharsets.UTF_8));
      at = change.span.to;
    }
    out.write(body, at, body.length - at);
    return out.toByteArray();
  }
}
