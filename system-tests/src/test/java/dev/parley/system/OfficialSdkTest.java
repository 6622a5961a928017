package dev.parley.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.errors.NotFoundException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// OpenAI's own client works with nothing but the base URL changed.
@WithCluster
class OfficialSdkTest {

  private final OpenAIClient client;

  OfficialSdkTest(Cluster cluster) {
    client =
        OpenAIOkHttpClient.builder()
            .baseUrl(cluster.url("frontend") + "/v1")
            .apiKey("any")
            .maxRetries(0)
            .build();
  }

  @AfterEach
  void close() {
    client.close();
  }

  @Test
  void listsTheModels() {
    assertTrue(
        client.models().list().data().stream().anyMatch(model -> model.id().equals("parley-demo")));
  }

  @Test
  void completesAtOnce() {
    ChatCompletion completion = client.chat().completions().create(countTo5().build());
    var choice = completion.choices().getFirst();
    assertEquals("1\n2\n3\n4\n5", choice.message().content().orElseThrow().strip());
    assertEquals("stop", choice.finishReason().asString());
    assertTrue(completion.usage().orElseThrow().completionTokens() > 0);
  }

  @Test
  void streamsAndReportsUsageAtTheEnd() {
    var params =
        countTo5()
            .streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build())
            .build();
    try (var stream = client.chat().completions().createStreaming(params)) {
      List<ChatCompletionChunk> chunks = stream.stream().toList();
      String text =
          chunks.stream()
              .flatMap(chunk -> chunk.choices().stream())
              .map(choice -> choice.delta().content().orElse(""))
              .collect(Collectors.joining());
      assertEquals("1\n2\n3\n4\n5", text.strip());
      assertTrue(chunks.getLast().usage().orElseThrow().completionTokens() > 0);
      assertTrue(chunks.getLast().choices().isEmpty());
    }
  }

  @Test
  void anUnknownModelIsTheSdksNotFound() {
    var params = countTo5().model("no-such-model").build();
    assertThrows(NotFoundException.class, () -> client.chat().completions().create(params));
  }

  private static ChatCompletionCreateParams.Builder countTo5() {
    return ChatCompletionCreateParams.builder().model("parley-demo").addUserMessage("count to 5");
  }
}
