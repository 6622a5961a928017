package dev.parley.demo.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.restassured.RestAssured;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A plain-socket client that sees what a client library would hide: what came before the end, and
/// how the connection ended.
final class Sse {
  static final ObjectMapper JSON = new ObjectMapper();

  /// @param head status line and headers
  /// @param data the payload of each event, in order
  /// @param complete whether the chunked body ended as HTTP says it must
  /// @param reset whether the connection was reset
  record Answer(String head, List<String> data, boolean complete, boolean reset) {
    String text() {
      var text = new StringBuilder();
      for (String event : data) {
        if (isJson(event)) {
          text.append(read(event).path("choices").path(0).path("delta").path("content").asText(""));
        }
      }
      return text.toString();
    }

    List<JsonNode> frames() {
      return data.stream().filter(Answer::isJson).map(Answer::read).toList();
    }

    private static boolean isJson(String event) {
      try {
        return JSON.readTree(event).isObject();
      } catch (IOException e) {
        return false;
      }
    }

    private static JsonNode read(String event) {
      try {
        return JSON.readTree(event);
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }
  }

  private Sse() {}

  static Answer post(Object body, Map<String, String> headers) throws IOException {
    try (Socket socket = open(body, headers)) {
      socket.setSoTimeout(20_000);
      return read(socket.getInputStream());
    }
  }

  /// Sends the request and leaves the answer to be read, or not.
  static Socket open(Object body, Map<String, String> headers) throws IOException {
    var socket = new Socket("127.0.0.1", RestAssured.port);
    byte[] bytes = JSON.writeValueAsBytes(body);
    var head = new StringBuilder("POST /v1/chat/completions HTTP/1.1\r\nHost: parley\r\n");
    head.append("Content-Type: application/json\r\nConnection: close\r\n");
    headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
    head.append("Content-Length: ").append(bytes.length).append("\r\n\r\n");
    socket.getOutputStream().write(head.toString().getBytes(StandardCharsets.UTF_8));
    socket.getOutputStream().write(bytes);
    return socket;
  }

  private static Answer read(InputStream in) {
    var bytes = new ByteArrayOutputStream();
    boolean reset = false;
    try {
      in.transferTo(bytes);
    } catch (SocketTimeoutException e) {
      throw new AssertionError("the connection stays open", e);
    } catch (IOException e) {
      reset = true;
    }
    String all = bytes.toString(StandardCharsets.UTF_8);
    int body = all.indexOf("\r\n\r\n");
    List<String> data = new ArrayList<>();
    for (String line : all.split("\r?\n")) {
      if (line.startsWith("data: ")) {
        data.add(line.substring(6));
      }
    }
    return new Answer(
        body < 0 ? all : all.substring(0, body), data, all.endsWith("\r\n0\r\n\r\n"), reset);
  }
}
