package dev.parley.kv.node.resp;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.equalTo;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.node.FreshDataDirectory;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.resps.ScanResult;

/// The port for Redis clients, spoken to by Jedis and, where errors and limits matter, by hand.
@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class RespTest {

  private static final String TOKEN = "test-service-token-0123";

  @ConfigProperty(name = "parley.resp.port")
  int port;

  private Jedis jedis() {
    return new Jedis("127.0.0.1", port, 10_000);
  }

  /// What the node answers to exactly these bytes, until it has answered so many lines.
  private List<String> lines(String request, int count) throws IOException {
    try (Socket socket = new Socket("127.0.0.1", port)) {
      socket.setSoTimeout(10_000);
      socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
      return lines(new BufferedInputStream(socket.getInputStream()), count);
    }
  }

  private static List<String> lines(InputStream in, int count) throws IOException {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    while (lines.size() < count) {
      int b = in.read();
      if (b < 0) {
        lines.add("(closed)");
        return lines;
      }
      if (b == '\n') {
        lines.add(line.toString().stripTrailing());
        line.setLength(0);
      } else {
        line.append((char) b);
      }
    }
    return lines;
  }

  private static String command(String... parts) {
    StringBuilder text = new StringBuilder("*" + parts.length + "\r\n");
    for (String part : parts) {
      int length = part.getBytes(StandardCharsets.UTF_8).length;
      text.append('$').append(length).append("\r\n").append(part).append("\r\n");
    }
    return text.toString();
  }

  private String answer(String... parts) throws IOException {
    return lines(command(parts), 1).getFirst();
  }

  @Test
  void storesReadsAndDeletesWhatTheHttpApiSeesToo() {
    try (Jedis jedis = jedis()) {
      byte[] key = "resp/bytes".getBytes(StandardCharsets.UTF_8);
      byte[] value = {0, (byte) 0xff, 13, 10, 36};
      assertEquals("OK", jedis.set(key, value));
      assertArrayEquals(value, jedis.get(key));
      assertArrayEquals(value, given().get("/v1/kv/resp/bytes").asByteArray());
      given().body("by http").put("/v1/kv/resp/bytes").then().statusCode(200);
      assertEquals("by http", jedis.get("resp/bytes"));
      assertEquals("", jedis.set("resp/empty", "").equals("OK") ? jedis.get("resp/empty") : "?");
      assertEquals(2, jedis.exists("resp/bytes", "resp/bytes", "resp/none"));
      assertEquals(2, jedis.del("resp/bytes", "resp/bytes", "resp/empty", "resp/none"));
      assertEquals(0, jedis.del("resp/bytes"));
      assertNull(jedis.get("resp/bytes"));
      given().get("/v1/kv/resp/bytes").then().statusCode(404);
    }
  }

  @Test
  void setHonoursItsConditions() {
    try (Jedis jedis = jedis()) {
      assertNull(jedis.set("resp/cond", "1", SetParams.setParams().xx()));
      assertEquals("OK", jedis.set("resp/cond", "2", SetParams.setParams().nx()));
      assertNull(jedis.set("resp/cond", "3", SetParams.setParams().nx()));
      assertEquals("2", jedis.get("resp/cond"));
      assertEquals("OK", jedis.set("resp/cond", "4", SetParams.setParams().xx()));
      assertEquals("4", jedis.get("resp/cond"));
    }
  }

  @Test
  void aValueWithATimeToLiveGoesAway() {
    try (Jedis jedis = jedis()) {
      assertEquals("OK", jedis.set("resp/ex", "1", SetParams.setParams().ex(1)));
      assertEquals("OK", jedis.set("resp/px", "1", SetParams.setParams().px(1).nx()));
      assertEquals("OK", jedis.set("resp/long", "1", SetParams.setParams().ex(1000)));
      given().queryParam("ttl_seconds", 1).body("1").put("/v1/kv/resp/http").then().statusCode(201);
      long deadline = System.nanoTime() + 20_000_000_000L;
      while (jedis.exists("resp/ex", "resp/px", "resp/http") > 0) {
        assertTrue(System.nanoTime() < deadline, "still there");
      }
      assertEquals("1", jedis.get("resp/long"));
      assertEquals("OK", jedis.set("resp/long", "2"));
    }
  }

  @Test
  void manyValuesComeInTheOrderOfTheirKeys() {
    try (Jedis jedis = jedis()) {
      jedis.set("resp/m1", "1");
      jedis.set("resp/m2", "2");
      List<String> values = jedis.mget("resp/m2", "resp/none", "resp/m1", "resp/m2");
      assertEquals(java.util.Arrays.asList("2", null, "1", "2"), values);
    }
  }

  @Test
  void manyValuesAreBoundedTogether() {
    try (Jedis jedis = jedis()) {
      byte[] largest = new byte[1 << 20];
      byte[] key = "resp/large".getBytes(StandardCharsets.UTF_8);
      jedis.set(key, largest);
      assertEquals(1 << 20, jedis.get(key).length);
      byte[][] eight = Collections.nCopies(8, key).toArray(byte[][]::new);
      assertEquals(8, jedis.mget(eight).size());
      byte[][] nine = Collections.nCopies(9, key).toArray(byte[][]::new);
      String error =
          String.valueOf(
              assertThrows(JedisDataException.class, () -> jedis.mget(nine)).getMessage());
      assertTrue(error.startsWith("ERR the values have more than 8388608 bytes"), error);
      jedis.del(key);
    }
  }

  @Test
  void aPipelineIsAnsweredInOrderAndSeesItsOwnWrites() {
    try (Jedis jedis = jedis()) {
      Pipeline pipeline = jedis.pipelined();
      List<Response<String>> reads = new ArrayList<>();
      for (int i = 0; i < 1000; i++) {
        pipeline.set("resp/p" + i % 3, Integer.toString(i));
        reads.add(pipeline.get("resp/p" + i % 3));
      }
      Response<Long> deleted = pipeline.del("resp/p0", "resp/p1");
      Response<ScanResult<String>> left =
          pipeline.scan("0", new ScanParams().match("resp/p?").count(100));
      pipeline.set("resp/p0", "later");
      pipeline.sync();
      for (int i = 0; i < 1000; i++) {
        assertEquals(Integer.toString(i), reads.get(i).get());
      }
      assertEquals(2, deleted.get());
      assertEquals(List.of("resp/p2"), left.get().getResult());
    }
  }

  @Test
  void scanReturnsWhatMatches() {
    try (Jedis jedis = jedis()) {
      for (String key : List.of("sm/a1", "sm/a2", "sm/b1", "smx/a1")) {
        jedis.set(key, "1");
      }
      ScanResult<String> all = jedis.scan("0", new ScanParams().match("sm/a?"));
      assertEquals("0", all.getCursor());
      assertEquals(List.of("sm/a1", "sm/a2"), all.getResult());
      assertEquals(List.of(), jedis.scan("0", new ScanParams().match("sm/*"), "hash").getResult());
      assertEquals(3, jedis.scan("0", new ScanParams().match("sm/*"), "string").getResult().size());
    }
  }

  /// The promise of Redis, that whatever exists during the whole scan is returned, while keys come
  /// and go on another connection.
  @Test
  void scanMissesNothingThatExistsThroughout() throws InterruptedException {
    Set<String> stable = new TreeSet<>();
    try (Jedis jedis = jedis()) {
      Pipeline pipeline = jedis.pipelined();
      for (int i = 0; i < 300; i++) {
        String key = "sc/%03d".formatted(i);
        pipeline.set(key, "1");
        if (i % 3 != 0) {
          stable.add(key);
        }
      }
      pipeline.sync();
      AtomicBoolean over = new AtomicBoolean();
      Thread churn =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try (Jedis other = jedis()) {
                      for (int i = 0; !over.get(); i++) {
                        other.del("sc/%03d".formatted(i % 100 * 3));
                        other.set("sc/%03d+".formatted(i % 300), "new");
                        other.set("sc/%03d".formatted((i + 50) % 100 * 3), "again");
                      }
                    }
                  });
      try {
        for (int round = 0; round < 3; round++) {
          Set<String> seen = new HashSet<>();
          String cursor = "0";
          int pages = 0;
          do {
            ScanResult<String> page = jedis.scan(cursor, new ScanParams().match("sc/*").count(7));
            // A client that lost the answer asks with the same cursor again.
            if (pages % 5 == 0) {
              page = jedis.scan(cursor, new ScanParams().match("sc/*").count(7));
            }
            seen.addAll(page.getResult());
            cursor = page.getCursor();
            pages++;
          } while (!cursor.equals("0"));
          assertTrue(pages > 20, "pages: " + pages);
          assertTrue(seen.containsAll(stable), () -> "missed some of " + stable);
        }
      } finally {
        over.set(true);
        churn.join();
      }
    }
  }

  @Test
  void whatClientsSayWhenTheyConnectIsUnderstood() throws IOException {
    try (Jedis jedis = jedis()) {
      assertEquals("PONG", jedis.ping());
      assertEquals("hello", jedis.ping("hello"));
      assertEquals("echoed", jedis.echo("echoed"));
      assertEquals("OK", jedis.select(0));
      assertEquals("OK", jedis.clientSetname("a-test"));
      assertEquals("a-test", jedis.clientGetname());
      assertTrue(jedis.clientId() > 0);
      assertTrue(jedis.info().contains("node_id:kv-test"));
      assertEquals("OK", jedis.auth(TOKEN));
      assertEquals("OK", jedis.auth("default", TOKEN));
    }
    assertEquals("-NOPROTO unsupported protocol version", answer("HELLO", "3"));
    assertEquals("-ERR Protocol version is not an integer or out of range", answer("HELLO", "x"));
    assertEquals("*14", answer("HELLO", "2", "AUTH", "default", TOKEN, "SETNAME", "x"));
    assertEquals("*14", answer("HELLO"));
    assertTrue(answer("HELLO", "2", "AUTH", "default", "wrong").startsWith("-WRONGPASS "));
    assertEquals("-ERR DB index is out of range", answer("SELECT", "1"));
    assertEquals("*0", answer("COMMAND", "DOCS"));
    assertEquals("+OK", answer("CLIENT", "SETINFO", "LIB-NAME", "x"));
    List<String> help = lines(command("CLIENT", "HELP"), 12);
    assertEquals("*11", help.getFirst());
    assertTrue(help.containsAll(List.of("+GETNAME", "+ID", "+SETNAME <name>")), help.toString());
    assertEquals(List.of("+OK", "(closed)"), lines(command("QUIT") + command("PING"), 2));
  }

  @Test
  void errorsAreWordedAsInRedis() throws IOException {
    assertEquals("-ERR wrong number of arguments for 'get' command", answer("GET"));
    assertEquals("-ERR wrong number of arguments for 'get' command", answer("get", "a", "b"));
    assertEquals("-ERR wrong number of arguments for 'set' command", answer("SET", "a"));
    assertEquals(
        "-ERR unknown command 'LPUSH', with args beginning with: 'a' 'b'",
        answer("LPUSH", "a", "b"));
    assertEquals("-ERR unknown command 'X  +OK', with args beginning with:", answer("X\r\n+OK"));
    assertEquals("-ERR syntax error", answer("SET", "a", "b", "NX", "XX"));
    assertEquals("-ERR syntax error", answer("SET", "a", "b", "EX"));
    assertEquals("-ERR syntax error", answer("SET", "a", "b", "WHAT"));
    assertEquals(
        "-ERR value is not an integer or out of range", answer("SET", "a", "b", "EX", "1.5"));
    assertEquals("-ERR invalid expire time in 'set' command", answer("SET", "a", "b", "EX", "0"));
    assertEquals(
        "-ERR invalid expire time in 'set' command",
        answer("SET", "a", "b", "EX", "9223372036854775807"));
    assertEquals("-ERR invalid cursor", answer("SCAN", "x"));
    assertEquals("-ERR syntax error", answer("SCAN", "0", "COUNT"));
    assertEquals("-ERR syntax error", answer("SCAN", "0", "COUNT", "0"));
    assertTrue(answer("SCAN", "123456").startsWith("-ERR invalid cursor: a scan goes on at"));
    assertEquals("-ERR unknown subcommand 'KILL'. Try CLIENT HELP.", answer("CLIENT", "KILL", "x"));
    assertEquals(
        "-ERR wrong number of arguments for 'client|setname' command", answer("CLIENT", "SETNAME"));
  }

  @Test
  void keysAreCheckedAsAtEveryOtherDoor() throws IOException {
    assertEquals("-ERR the key is empty", answer("GET", ""));
    assertEquals("-ERR the key is longer than 512 bytes", answer("GET", "x".repeat(513)));
    assertEquals(
        "-ERR no part of a key between slashes may be . or ..", answer("SET", "a/../b", "1"));
    try (Socket socket = new Socket("127.0.0.1", port)) {
      socket.getOutputStream().write("*2\r\n$3\r\nGET\r\n$1\r\n".getBytes(StandardCharsets.UTF_8));
      socket.getOutputStream().write(new byte[] {(byte) 0xff, 13, 10});
      assertEquals(List.of("-ERR the key is not valid UTF-8"), lines(socket.getInputStream(), 1));
    }
  }

  @Test
  void aValueOverAMebibyteIsRefusedAndTheConnectionSurvives() throws IOException {
    try (Jedis jedis = jedis()) {
      JedisDataException refused =
          assertThrows(
              JedisDataException.class,
              () -> jedis.set("resp/over".getBytes(StandardCharsets.UTF_8), new byte[1048577]));
      assertEquals("ERR a value has at most 1048576 bytes", refused.getMessage());
      assertNull(jedis.get("resp/over"));
      byte[][] keys = Collections.nCopies(1001, new byte[] {'k'}).toArray(byte[][]::new);
      assertEquals(
          "ERR at most 1000 arguments",
          assertThrows(JedisDataException.class, () -> jedis.mget(keys)).getMessage());
      assertEquals("PONG", jedis.ping());
    }
    assertEquals(
        List.of("-ERR Protocol error: invalid multibulk length", "(closed)"),
        lines("*2147483647\r\n", 2));
  }

  @Test
  void whatIsNotRespEndsTheConnectionAfterWhatWasAskedBefore() throws IOException {
    List<String> answers = lines(command("PING") + "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 3);
    assertEquals("+PONG", answers.get(0));
    assertTrue(answers.get(1).startsWith("-ERR Protocol error: "), answers.get(1));
    assertEquals("(closed)", answers.get(2));
    answers = lines("*1\r\n:1\r\n", 2);
    assertEquals("-ERR Protocol error: a command is an array of bulk strings", answers.get(0));
    assertEquals("(closed)", answers.get(1));
  }

  @Test
  void aNullWithinACommandEndsTheConnectionAndNothingIsCarriedOut() throws IOException {
    List<String> refused = List.of("-ERR Protocol error: invalid bulk length", "(closed)");
    String set = "$3\r\nSET\r\n$9\r\nresp/null\r\n$1\r\nv\r\n";
    assertEquals(refused, lines("*4\r\n" + set + "$-1\r\n" + command("PING"), 3));
    assertEquals(refused, lines("*4\r\n$-1\r\n" + set, 3));
    assertEquals("$-1", answer("GET", "resp/null"));
    assertEquals("+OK", answer("SET", "resp/null", "v"));
    assertEquals(refused, lines("*3\r\n$3\r\nDEL\r\n$-1\r\n$9\r\nresp/null\r\n", 3));
    assertEquals(List.of("$1", "v"), lines(command("GET", "resp/null"), 2));
  }

  @Test
  void anEmptyAndANullArrayAreIgnored() throws IOException {
    assertEquals(List.of("+PONG"), lines("*-1\r\n*0\r\n\r\n" + command("PING"), 1));
  }

  @Test
  void protectedKeyspacesNeedThePassword() throws IOException {
    String refused = "-NOPERM No permissions to access a key: AUTH with the service token first";
    assertEquals(refused, answer("GET", "backends/r"));
    assertEquals(refused, answer("SET", "backends/r", "1"));
    assertEquals(refused, answer("MGET", "free", "backends/r"));
    assertEquals(refused, answer("DEL", "backends"));
    assertEquals(refused, answer("SCAN", "0"));
    assertEquals(refused, answer("SCAN", "0", "MATCH", "back*"));
    assertEquals(
        "-WRONGPASS invalid username-password pair or user is disabled.", answer("AUTH", "wrong"));
    assertEquals(
        "-WRONGPASS invalid username-password pair or user is disabled.",
        answer("AUTH", "someone", TOKEN));
    try (Jedis jedis = jedis()) {
      jedis.auth(TOKEN);
      assertEquals("OK", jedis.set("backends/r", "1"));
      assertTrue(
          jedis
              .scan("0", new ScanParams().match("backends/*").count(1000))
              .getResult()
              .contains("backends/r"));
      assertEquals(1, jedis.del("backends/r"));
    }
  }

  /// A client that sends without reading is not read from any more, and loses nothing.
  @Test
  void aClientThatDoesNotReadIsSlowedDown() throws Exception {
    try (Jedis jedis = jedis()) {
      jedis.set("resp/slow".getBytes(StandardCharsets.UTF_8), new byte[200_000]);
    }
    int commands = 300;
    byte[] get = command("GET", "resp/slow").getBytes(StandardCharsets.UTF_8);
    try (Socket socket = new Socket("127.0.0.1", port)) {
      socket.setSoTimeout(30_000);
      Thread writer =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      OutputStream out = socket.getOutputStream();
                      for (int i = 0; i < commands; i++) {
                        out.write(get);
                      }
                    } catch (IOException e) {
                      throw new java.io.UncheckedIOException(e);
                    }
                  });
      given().get("/v1/kv/other").then().statusCode(404);
      InputStream in = new BufferedInputStream(socket.getInputStream());
      for (int i = 0; i < commands; i++) {
        assertEquals(List.of("$200000"), lines(in, 1));
        in.skipNBytes(200_002);
      }
      writer.join();
    }
    given()
        .get("/q/metrics")
        .then()
        .body(org.hamcrest.Matchers.containsString("parley_kv_resp_connections"));
    given().get("/v1/kv/resp/slow").then().header("Content-Length", equalTo("200000"));
  }
}
