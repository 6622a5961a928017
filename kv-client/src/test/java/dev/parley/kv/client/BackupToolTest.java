package dev.parley.kv.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/// What the command does with nodes that are stopped, whose connections stay.
@Timeout(60)
class BackupToolTest {

  private static final Duration LIMIT = Duration.ofSeconds(1);

  @TempDir private Path folder;

  private final List<AutoCloseable> open = new ArrayList<>();
  private final ByteArrayOutputStream said = new ByteArrayOutputStream();

  @AfterEach
  void closeAll() throws Exception {
    for (AutoCloseable each : open) {
      each.close();
    }
  }

  private BackupTool tool(URI... nodes) {
    return new BackupTool(
        Arrays.asList(nodes),
        "token",
        new PrintStream(said, true, StandardCharsets.UTF_8),
        LIMIT,
        LIMIT);
  }

  /// A node that reads one request's head, sends these bytes, and then neither reads nor says
  /// anything. Without bytes it does not even read.
  private URI stopsAfter(byte... bytes) throws IOException {
    ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
    open.add(server);
    if (bytes.length > 0) {
      Socket[] kept = new Socket[1];
      open.add(
          () -> {
            if (kept[0] != null) {
              kept[0].close();
            }
          });
      Thread.ofVirtual()
          .start(
              () -> {
                try {
                  kept[0] = server.accept();
                  StringBuilder head = new StringBuilder();
                  while (head.indexOf("\r\n\r\n") < 0) {
                    head.append((char) kept[0].getInputStream().read());
                  }
                  OutputStream out = kept[0].getOutputStream();
                  out.write(bytes);
                } catch (IOException e) {
                  // The test is over.
                }
              });
    }
    return URI.create("http://127.0.0.1:" + server.getLocalPort());
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] backup() {
    BackupFile.Writer writer = new BackupFile.Writer();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(writer.header(new BackupFile.Header("c", "2026-01-01T00:00:00Z")));
    bytes.writeBytes(writer.row(new BackupFile.Row("k", 1, new byte[] {1}, 0)));
    bytes.writeBytes(writer.trailer());
    return bytes.toByteArray();
  }

  private static byte[] answer(byte[] body, int length) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(ascii("HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n"));
    bytes.writeBytes(body);
    return bytes.toByteArray();
  }

  private static String failure(Executable command) {
    return String.valueOf(assertThrows(BackupTool.FailedException.class, command).getMessage());
  }

  @Test
  void aBackupGoesOnAtTheNextNodeWhenOneSaysNothing() throws Exception {
    byte[] whole = backup();
    URI silent = stopsAfter();
    URI half = stopsAfter(answer(Arrays.copyOf(whole, whole.length / 2), whole.length));
    URI well = stopsAfter(answer(whole, whole.length));
    Path file = folder.resolve("b");
    tool(silent, half, well).backup(file);
    assertEquals(new String(whole, StandardCharsets.UTF_8), Files.readString(file));

    Path none = folder.resolve("none");
    String failed = failure(() -> tool(stopsAfter()).backup(none));
    assertTrue(failed.endsWith(": no answer in 1 s"), failed);
    URI again = stopsAfter(answer(Arrays.copyOf(whole, whole.length / 2), whole.length));
    failed = failure(() -> tool(again).backup(none));
    assertEquals("there is no backup: " + again + ": nothing came for 1 s", failed);
    try (var left = Files.list(folder)) {
      assertEquals(List.of(file), left.toList());
    }
  }

  @Test
  void aRestoreGoesOnAtTheNextNodeOnlyBeforeItHasBegun() throws Exception {
    Path file = Files.write(folder.resolve("b"), backup());
    byte[] done = ascii("{\"event\":\"done\",\"restored\":1,\"of\":1}\n");
    tool(stopsAfter(), stopsAfter(answer(done, done.length))).restore(file);
    assertTrue(said.toString(StandardCharsets.UTF_8).contains("Restored 1 keys."));

    byte[] goOn = ascii("HTTP/1.1 100 Continue\r\n\r\n");
    String failed =
        failure(() -> tool(stopsAfter(goOn), stopsAfter(answer(done, done.length))).restore(file));
    assertTrue(failed.contains(": no answer in 1 s. Begin again with an empty"));

    byte[] progress = ascii("{\"event\":\"progress\",\"restored\":0,\"of\":1}\n");
    URI stopped = stopsAfter(answer(progress, 1000));
    failed = failure(() -> tool(stopped).restore(file));
    assertTrue(
        failed.startsWith("the restore did not finish: " + stopped + ": nothing came for 1 s."),
        failed);
  }

  @Test
  void whatIsWrongWithTheFileIsSaidBeforeANodeIsAsked() throws IOException {
    BackupTool tool = tool(URI.create("http://127.0.0.1:1"));
    Path nowhere = folder.resolve("nowhere");
    assertEquals(
        "there is no directory " + nowhere, failure(() -> tool.backup(nowhere.resolve("b"))));
    Path part = Files.createFile(folder.resolve("b.part"));
    assertEquals(
        part + " exists: another backup is being written, or was interrupted; then delete it",
        failure(() -> tool.backup(folder.resolve("b"))));
    assertTrue(Files.exists(part));
    assertFalse(Files.exists(folder.resolve("b")));
  }
}
