package dev.parley.kv.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import io.restassured.RestAssured;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Connections are bounded in number, and nobody keeps one by half a request.
@QuarkusTest
@TestProfile(ConnectionsTest.Few.class)
@WithTestResource(FreshDataDirectory.class)
class ConnectionsTest {

  private static final int MOST = 4;

  public static final class Few implements QuarkusTestProfile {
    @Override
    public Map<String, String> getConfigOverrides() {
      // Longer than a watch is silent: five seconds, and one until it is seen.
      return Map.of(
          "parley.max-connections", Integer.toString(MOST), "quarkus.http.idle-timeout", "8s");
    }
  }

  private static Socket sending(String text) throws IOException {
    Socket socket = new Socket("127.0.0.1", RestAssured.port);
    socket.setSoTimeout(30_000);
    socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    return socket;
  }

  @Test
  void idleConnectionsEndAndWatchesGoOn() throws IOException {
    try (Socket watching = sending("GET /v1/watch?prefix=w/ HTTP/1.1\r\nHost: x\r\n\r\n")) {
      BufferedReader watch =
          new BufferedReader(
              new InputStreamReader(watching.getInputStream(), StandardCharsets.UTF_8));
      assertEquals("HTTP/1.1 200 OK", watch.readLine());
      List<Socket> halves = new ArrayList<>();
      for (int i = 1; i < MOST; i++) {
        halves.add(sending("GET /v1/kv/x HTTP/1.1\r\nHo"));
      }
      try (Socket more = sending("")) {
        assertEquals(-1, more.getInputStream().read());
      }
      for (Socket half : halves) {
        assertEquals(-1, half.getInputStream().read());
        half.close();
      }
      // The second comment comes after a time in which the others were cut.
      for (int lines = 0; lines < 2; ) {
        String line = watch.readLine();
        assertTrue(line != null, "the watch was cut");
        lines += line.startsWith(":") ? 1 : 0;
      }
    }
  }
}
