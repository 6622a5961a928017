package dev.parley.kv.node;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.client.BackupFile;
import dev.parley.kv.client.BackupTool;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import io.restassured.response.Response;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A cluster of one node is filled, backed up, emptied, and restored.
@QuarkusTest
@WithTestResource(FreshDataDirectory.class)
class BackupTest {

  private static final String TOKEN = "Bearer test-service-token-0123";

  @ConfigProperty(name = "parley.data-dir")
  String dataDir = "";

  @TempDir Path folder = Path.of("");

  @BeforeEach
  void begin() {
    empty();
  }

  private static void empty() {
    for (List<String> keys = keys(); !keys.isEmpty(); keys = keys()) {
      batch(
          keys.stream().map(key -> new JsonObject().put("op", "delete").put("key", key)).toList());
    }
  }

  private static void batch(List<JsonObject> operations) {
    authorized()
        .contentType("application/json")
        .body(new JsonObject().put("operations", new JsonArray(operations)).encode())
        .post("/v1/batch")
        .then()
        .statusCode(200);
  }

  private static io.restassured.specification.RequestSpecification authorized() {
    return given().header("Authorization", TOKEN);
  }

  private static List<String> keys() {
    return authorized().get("/v1/kv?limit=1000").then().extract().path("entries.key");
  }

  private static void fill() {
    List<JsonObject> puts = new ArrayList<>();
    for (int i = 0; i < 600; i++) {
      puts.add(
          new JsonObject()
              .put("op", "put")
              .put("key", "b/%04d".formatted(i))
              .put("value", "value " + i));
    }
    batch(puts);
    given().body(new byte[1 << 20]).put("/v1/kv/large").then().statusCode(201);
    given().body(new byte[0]).put("/v1/kv/empty").then().statusCode(201);
    given().body(new byte[] {0, (byte) 0xff}).put("/v1/kv/汉 \"x\"").then().statusCode(201);
    authorized().body("secret").put("/v1/kv/backends/1").then().statusCode(201);
  }

  private static byte[] backup() {
    Response response = authorized().get("/v1/backup");
    assertEquals(200, response.statusCode());
    assertEquals("application/x-ndjson", response.contentType());
    return response.asByteArray();
  }

  private static Response restore(byte[] backup) {
    return authorized().contentType("application/x-ndjson").body(backup).post("/v1/restore");
  }

  private static TreeMap<String, BackupFile.Row> rows(byte[] backup) throws Exception {
    TreeMap<String, BackupFile.Row> rows = new TreeMap<>();
    BackupFile.read(new ByteArrayInputStream(backup), row -> rows.put(row.key(), row));
    return rows;
  }

  private static BackupFile.Row row(TreeMap<String, BackupFile.Row> rows, String key) {
    return Objects.requireNonNull(rows.get(key), key);
  }

  @Test
  void whatWasBackedUpIsRestoredAtVersionsAboveAllInTheBackup() throws Exception {
    fill();
    byte[] backup = backup();
    TreeMap<String, BackupFile.Row> before = rows(backup);
    assertEquals(604, before.size());
    assertArrayEquals(new byte[] {0, (byte) 0xff}, row(before, "汉 \"x\"").value());
    long highest = before.values().stream().mapToLong(BackupFile.Row::version).max().orElse(0);

    restore(backup)
        .then()
        .statusCode(409)
        .contentType("application/problem+json")
        .body("type", equalTo("/problems/kv/not-empty"));
    assertEquals(before.keySet(), rows(backup()).keySet());

    empty();
    Response restored = restore(backup);
    assertEquals(200, restored.statusCode());
    List<String> events = restored.asString().lines().toList();
    assertEquals("{\"event\":\"verified\",\"restored\":0,\"of\":604}", events.getFirst());
    assertEquals("{\"event\":\"done\",\"restored\":604,\"of\":604}", events.getLast());

    TreeMap<String, BackupFile.Row> after = rows(backup());
    assertEquals(before.keySet(), after.keySet());
    for (var row : after.entrySet()) {
      assertArrayEquals(row(before, row.getKey()).value(), row.getValue().value());
      assertTrue(row.getValue().version() > highest, row.getKey());
    }
    awaitNoSpool();
  }

  @Test
  void aBackupThatWasCutOrChangedIsRefusedAndNothingIsWritten() throws Exception {
    given().body("1").put("/v1/kv/a").then().statusCode(201);
    given().body("2").put("/v1/kv/b").then().statusCode(201);
    String good = new String(backup(), StandardCharsets.UTF_8);
    empty();
    List<String> lines = good.lines().toList();
    String header = lines.get(0) + "\n";
    String first = lines.get(1) + "\n";
    String second = lines.get(2) + "\n";
    String trailer = lines.get(3) + "\n";
    String[][] bad = {
      {"", "the backup is empty"},
      {"nonsense\n", "line 1: not valid JSON"},
      {"{\"format\":\"tar\"}\n", "line 1: this is not a backup of the store"},
      {header.replace(":1,", ":2,") + first, "line 1: the backup is of version 2 of the format"},
      {header, "the backup was cut after line 1"},
      {header + first + second, "the backup was cut after line 3"},
      {good.substring(0, good.length() - 1), "the backup was cut in line 4"},
      {good.substring(0, header.length() + 9), "the backup was cut in line 2"},
      {header + first + trailer, "line 3: the backup says it has 2 keys, but it has 1"},
      {header + second + first + trailer, "line 3: the keys do not ascend"},
      {header + first + first + trailer, "line 3: the keys do not ascend"},
      {header + first.replace("MQ==", "Mg==") + second + trailer, "line 4: the backup was changed"},
      {good.replace("\"key\":\"b\"", "\"key\":\"c\""), "line 4: the backup was changed"},
      {header + first + "{\"error\":\"no quorum\"}\n", "could not finish the backup: no quorum"},
      {good + "{}\n", "there is something after the last line"},
      {header + first.replace("\"a\"", "\"..\"") + trailer, "no part of a key"},
      {header + "{\"key\":\"a\"}\n", "line 2: the line of a key has"},
      {header + "x".repeat(1_500_000), "line 2 is too long"}
    };
    for (String[] each : bad) {
      restore(each[0].getBytes(StandardCharsets.UTF_8))
          .then()
          .statusCode(400)
          .contentType("application/problem+json")
          .body("type", equalTo("/problems/kv/bad-backup"))
          .body("detail", containsString(each[1]));
      assertEquals(List.of(), keys());
    }
    assertTrue(restore(good.getBytes(StandardCharsets.UTF_8)).asString().contains("done"));
    assertEquals(List.of("a", "b"), keys());
  }

  @Test
  void bothNeedTheToken() {
    given().get("/v1/backup").then().statusCode(401);
    given().body("x").post("/v1/restore").then().statusCode(401);
    authorized().get("/v1/backup?x=1").then().statusCode(400);
  }

  @Test
  void anUploadThatBreaksOffLeavesNothingAndLetsTheNextOneIn() throws Exception {
    try (Socket socket = new Socket("127.0.0.1", RestAssured.port)) {
      socket
          .getOutputStream()
          .write(
              ("POST /v1/restore HTTP/1.1\r\nHost: x\r\nAuthorization: "
                      + TOKEN
                      + "\r\nContent-Length: 1000\r\n\r\n{\"format\"")
                  .getBytes(StandardCharsets.US_ASCII));
      // While it is open no other is let in.
      awaitStatus(503, "x");
    }
    awaitStatus(400, "x");
    awaitNoSpool();
  }

  /// It is deleted after the answer.
  private void awaitNoSpool() {
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (Files.exists(Path.of(dataDir, "restore.spool"))) {
      assertTrue(System.nanoTime() < deadline, "still there");
      Thread.onSpinWait();
    }
  }

  private static void awaitStatus(int status, String body) {
    long deadline = System.nanoTime() + 20_000_000_000L;
    int seen;
    do {
      seen = restore(body.getBytes(StandardCharsets.UTF_8)).statusCode();
    } while (seen != status && System.nanoTime() < deadline);
    assertEquals(status, seen);
  }

  @Test
  void theCommandWritesAPrivateFileAndRestoresFromIt() throws Exception {
    fill();
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    // The first of these is a node that is down.
    BackupTool tool =
        new BackupTool(
            List.of(
                URI.create("http://127.0.0.1:1"),
                URI.create("http://127.0.0.1:" + RestAssured.port)),
            "test-service-token-0123",
            new PrintStream(said, true, StandardCharsets.UTF_8));
    Path file = folder.resolve("backup.ndjson");
    tool.backup(file);
    assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    assertEquals(
        file + " exists already",
        assertThrows(BackupTool.FailedException.class, () -> tool.backup(file)).getMessage());

    BackupTool.FailedException refused =
        assertThrows(BackupTool.FailedException.class, () -> tool.restore(file));
    assertEquals(
        "nothing was restored: a backup is restored into an empty cluster only, and this one has"
            + " keys",
        refused.getMessage());
    empty();
    tool.restore(file);
    assertTrue(said.toString(StandardCharsets.UTF_8).contains("Restored 604 keys."));
    authorized().get("/v1/kv/backends/1").then().body(equalTo("secret"));

    Path cut = folder.resolve("cut.ndjson");
    byte[] whole = Files.readAllBytes(file);
    Files.write(cut, java.util.Arrays.copyOf(whole, whole.length / 2));
    BackupTool.FailedException unsound =
        assertThrows(BackupTool.FailedException.class, () -> tool.restore(cut));
    assertTrue(String.valueOf(unsound.getMessage()).contains("is no sound backup: the backup was"));
    BackupTool stranger =
        new BackupTool(
            List.of(URI.create("http://127.0.0.1:" + RestAssured.port)),
            "wrong-token-wrong-token",
            new PrintStream(said, true, StandardCharsets.UTF_8));
    Path never = folder.resolve("never.ndjson");
    assertThrows(BackupTool.FailedException.class, () -> stranger.backup(never));
    try (var left = Files.list(folder)) {
      assertEquals(List.of(file, cut).stream().sorted().toList(), left.sorted().toList());
    }
  }

  /// Written to by others meanwhile, every backup is still whole and holds what stood throughout.
  @Test
  void aBackupTakenDuringWritesHoldsWhatStoodThroughout() throws Exception {
    fill();
    Thread writer =
        Thread.ofVirtual()
            .start(
                () -> {
                  for (int i = 0; i < 60; i++) {
                    given().body("new").put("/v1/kv/b/%04d+".formatted(i * 5));
                  }
                });
    TreeMap<String, BackupFile.Row> rows = rows(backup());
    writer.join();
    for (int i = 0; i < 600; i++) {
      assertEquals(
          "value " + i,
          new String(row(rows, "b/%04d".formatted(i)).value(), StandardCharsets.UTF_8));
    }
  }
}
