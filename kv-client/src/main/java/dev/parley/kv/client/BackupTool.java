package dev.parley.kv.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// The command behind `./parley kv backup FILE` and `./parley kv restore FILE`: the nodes come from
/// `PARLEY_KV_NODES`, the service token from `PARLEY_SERVICE_TOKEN`.
///
/// A backup holds every conversation and every key of a backend, so its file is readable by its
/// owner only. It gets its name when it is whole and was read back.
public final class BackupTool {

  private static final ObjectMapper JSON = new ObjectMapper();

  /// A node answers or refuses within about two seconds, or it is not there.
  private static final Duration ANSWER = Duration.ofSeconds(8);

  /// In the middle of a backup a node waits for others for up to 50 s, and says nothing then.
  private static final Duration SILENCE = Duration.ofSeconds(60);

  private static final int LOOK_MILLIS = 100;

  private final List<URI> nodes;
  private final String authorization;
  private final PrintStream out;
  private final Duration answer;
  private final Duration silence;
  private final HttpClient http =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(3))
          .build();

  /// What went wrong, in a sentence for whoever gave the command.
  public static final class FailedException extends Exception {
    private static final long serialVersionUID = 1L;

    FailedException(String message) {
      super(message);
    }
  }

  /// @param out where progress goes
  public BackupTool(List<URI> nodes, String serviceToken, PrintStream out) {
    this(nodes, serviceToken, out, ANSWER, SILENCE);
  }

  /// @param answer after this without an answer the next node is asked
  /// @param silence after this without a byte a backup or restore that has begun is given up
  BackupTool(
      List<URI> nodes, String serviceToken, PrintStream out, Duration answer, Duration silence) {
    this.answer = answer;
    this.silence = silence;
    this.nodes = List.copyOf(nodes);
    this.authorization = "Bearer " + serviceToken;
    this.out = out;
  }

  public static void main(String... arguments) throws InterruptedException {
    Map<String, String> environment = System.getenv();
    List<URI> nodes =
        Arrays.stream(environment.getOrDefault("PARLEY_KV_NODES", "").split(","))
            .filter(node -> !node.isBlank())
            .map(node -> URI.create(node.strip()))
            .toList();
    if (arguments.length != 2 || nodes.isEmpty()) {
      System.err.println("usage: PARLEY_KV_NODES=URL,... BackupTool backup|restore FILE");
      System.exit(2);
    }
    BackupTool tool =
        new BackupTool(nodes, environment.getOrDefault("PARLEY_SERVICE_TOKEN", ""), System.out);
    try {
      Path file = Path.of(arguments[1]);
      if (arguments[0].equals("backup")) {
        tool.backup(file);
      } else {
        tool.restore(file);
      }
    } catch (FailedException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  /// Writes a backup to `file`, which must not exist yet.
  ///
  /// @throws FailedException saying why there is no backup; nothing is left behind then
  public void backup(Path file) throws FailedException, InterruptedException {
    if (Files.exists(file)) {
      throw new FailedException(file + " exists already");
    }
    Path part = file.resolveSibling(file.getFileName() + ".part");
    FileChannel channel = create(part); // Not within the try: a file of others is not deleted.
    try (channel) {
      String why = "no node was named";
      for (URI node : nodes) {
        try {
          download(node, channel);
          BackupFile.Summary summary = verified(part);
          Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
          out.printf(
              "%s: %,d keys, %,d bytes, of cluster %s%n",
              file, summary.count(), Files.size(file), summary.header().clusterId());
          return;
        } catch (IOException | DamagedBackupException e) {
          why = node + ": " + (e.getMessage() == null ? e : e.getMessage());
        }
      }
      throw new FailedException("there is no backup: " + why);
    } catch (IOException e) {
      throw new FailedException("cannot close " + part + ": " + e.getMessage());
    } finally {
      delete(part);
    }
  }

  /// Made before a node is asked, so that none is blamed for what is wrong here.
  private static FileChannel create(Path part) throws FailedException {
    try {
      return FileChannel.open(
          part,
          EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    } catch (NoSuchFileException e) {
      throw new FailedException("there is no directory " + part.toAbsolutePath().getParent());
    } catch (FileAlreadyExistsException e) {
      throw new FailedException(
          part + " exists: another backup is being written, or was interrupted; then delete it");
    } catch (IOException e) {
      throw new FailedException("cannot write " + part + ": " + e);
    }
  }

  /// Brings the backup in `file` into the cluster, which must be empty.
  ///
  /// @throws FailedException saying what was not done
  public void restore(Path file) throws FailedException, InterruptedException {
    BackupFile.Summary summary;
    try {
      summary = verified(file);
    } catch (DamagedBackupException e) {
      throw new FailedException(file + " is no sound backup: " + e.getMessage());
    } catch (IOException e) {
      throw new FailedException("cannot read " + file + ": " + e);
    }
    out.printf(
        "%,d keys of cluster %s, backed up at %s%n",
        summary.count(), summary.header().clusterId(), summary.header().createdAt());
    String why = "no node was named";
    for (URI node : nodes) {
      HttpResponse<InputStream> response;
      try (Upload upload = new Upload(Files.newInputStream(file))) {
        // Asked first, so that a cluster that is not empty costs no upload.
        HttpRequest request =
            request(node, "/v1/restore")
                .header("Content-Type", "application/x-ndjson")
                .expectContinue(true)
                .POST(upload.publisher(Files.size(file)))
                .build();
        response = ask(request, upload);
      } catch (IOException e) {
        // Nothing is written before the answer begins, and a second restore is refused unless the
        // cluster is still empty.
        why = node + ": " + e;
        continue;
      }
      follow(node, response, summary.count());
      return;
    }
    throw new FailedException("nothing was restored: " + why);
  }

  /// The file on its way to a node, and when some of it was last taken.
  private static final class Upload extends FilterInputStream {
    private volatile boolean begun;
    private volatile long lastNanos = System.nanoTime();

    Upload(InputStream in) {
      super(in);
    }

    BodyPublisher publisher(long bytes) {
      return BodyPublishers.fromPublisher(BodyPublishers.ofInputStream(() -> this), bytes);
    }

    @Override
    public int read(byte[] bytes, int from, int length) throws IOException {
      begun = true;
      lastNanos = System.nanoTime();
      return super.read(bytes, from, length);
    }
  }

  /// Asks, and waits for the beginning of the answer.
  ///
  /// @param upload what is sent along, or null
  /// @throws FailedException if the node fell silent after it had begun to take the upload: it may
  ///     still carry it out
  private HttpResponse<InputStream> ask(HttpRequest request, @Nullable Upload upload)
      throws IOException, InterruptedException, FailedException {
    long startNanos = System.nanoTime();
    var asked = http.sendAsync(request, BodyHandlers.ofInputStream());
    while (true) {
      try {
        return asked.get(LOOK_MILLIS, TimeUnit.MILLISECONDS);
      } catch (TimeoutException e) {
        if (upload == null || !upload.begun) {
          if (System.nanoTime() - startNanos > answer.toNanos()) {
            asked.cancel(true);
            throw new HttpTimeoutException("no answer in " + answer.toSeconds() + " s");
          }
        } else if (System.nanoTime() - upload.lastNanos > silence.toNanos()) {
          asked.cancel(true);
          throw unfinished(
              request.uri().resolve("/") + ": no answer in " + silence.toSeconds() + " s");
        }
      } catch (ExecutionException e) {
        throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
      }
    }
  }

  private static FailedException unfinished(String why) {
    return new FailedException(
        "the restore did not finish: "
            + why
            + ". Begin again with an empty cluster: what is there now is only a part.");
  }

  private void follow(URI node, HttpResponse<InputStream> response, long count)
      throws FailedException {
    String last = "the connection ended early";
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                new Attended(response.body(), silence), StandardCharsets.UTF_8))) {
      if (response.statusCode() != 200) {
        throw new FailedException("nothing was restored: " + problem(lines.readLine(), response));
      }
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        JsonNode event = JSON.readTree(line);
        long restored = event.path("restored").asLong();
        switch (event.path("event").asText()) {
          case "progress" -> out.printf("%,d of %,d keys%n", restored, count);
          case "done" -> {
            out.printf("Restored %,d keys.%n", restored);
            return;
          }
          default -> last = event.path("detail").asText(last);
        }
      }
    } catch (IOException e) {
      last = node + ": " + (e.getMessage() == null ? e : e.getMessage());
    }
    throw unfinished(last);
  }

  private static String problem(String body, HttpResponse<?> response) {
    try {
      JsonNode document = JSON.readTree(body == null ? "" : body);
      String detail = document.path("detail").asText(document.path("title").asText(""));
      if (!detail.isEmpty()) {
        return detail;
      }
    } catch (IOException e) {
      // Not a problem document.
    }
    return "the node answered " + response.statusCode();
  }

  private void download(URI node, FileChannel channel)
      throws IOException, InterruptedException, FailedException {
    HttpResponse<InputStream> response = ask(request(node, "/v1/backup").GET().build(), null);
    try (InputStream in = new Attended(response.body(), silence)) {
      if (response.statusCode() != 200) {
        String body = new String(in.readNBytes(1 << 16), StandardCharsets.UTF_8);
        String why = problem(body, response);
        if (response.statusCode() < 500) {
          throw new FailedException("there is no backup: " + why);
        }
        throw new IOException(why);
      }
      channel.truncate(0); // Of what another node sent before it failed.
      copy(in, channel);
      channel.force(true);
    }
  }

  private void copy(InputStream in, FileChannel channel) throws IOException {
    byte[] buffer = new byte[1 << 16];
    long bytes = 0;
    long lines = 0;
    long tellAt = System.nanoTime() + 1_000_000_000L;
    for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
      ByteBuffer rest = ByteBuffer.wrap(buffer, 0, n);
      while (rest.hasRemaining()) {
        channel.write(rest);
      }
      bytes += n;
      for (int i = 0; i < n; i++) {
        lines += buffer[i] == '\n' ? 1 : 0;
      }
      if (System.nanoTime() - tellAt > 0) {
        out.printf("%,d keys, %,d bytes%n", Math.max(0, lines - 1), bytes);
        tellAt = System.nanoTime() + 1_000_000_000L;
      }
    }
  }

  private static BackupFile.Summary verified(Path file)
      throws IOException, InterruptedException, DamagedBackupException {
    try (InputStream in = Files.newInputStream(file)) {
      return BackupFile.read(in, _ -> {});
    }
  }

  private static void delete(Path part) throws FailedException {
    try {
      Files.deleteIfExists(part);
    } catch (IOException e) {
      throw new FailedException("cannot delete " + part + ": " + e.getMessage());
    }
  }

  private HttpRequest.Builder request(URI node, String path) {
    String base = node.toString();
    String slashless = base.endsWith("/") ? base.substring(0, base.length() - 1) : base;
    return HttpRequest.newBuilder(URI.create(slashless + path))
        .header("Authorization", authorization);
  }
}
