package dev.parley.kv.client;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// The format of a backup: newline-delimited JSON.
///
/// ```
/// {"format":"parley-kv-backup","format_version":1,"cluster_id":"parley","created_at":"2026-…Z"}
/// {"key":"a","version":7,"value":"eA=="}
/// {"key":"b","version":9,"value":"eQ==","expires_at":1798761600000}
/// {"count":2,"highest_version":9,"sha256":"…"}
/// ```
///
/// The keys ascend by their UTF-8 bytes. The last line tells a whole backup from one that was cut
/// or changed: its SHA-256 is that of all bytes before it. The highest version stands there and not
/// in the first line, because keys are still written while a backup is made, so that it is not
/// known before the end.
public final class BackupFile {

  private static final String FORMAT = "parley-kv-backup";
  private static final int FORMAT_VERSION = 1;

  /// A value of the largest size in Base64, a key of the largest size every byte of which is
  /// escaped, and the rest.
  private static final int MAX_LINE = (KvStore.MAX_VALUE_BYTES + 2) / 3 * 4 + 6 * 512 + 1024;

  /// A version has at most 18 digits in an ETag, and those of a restored cluster lie above these.
  private static final long MAX_VERSION = 99_999_999_999_999_999L;

  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private BackupFile() {}

  /// The first line.
  ///
  /// @param createdAt when the backup was begun, as RFC 3339
  public record Header(String clusterId, String createdAt) {}

  /// One key.
  ///
  /// @param expiresAtMillis Unix time after which it is deleted, 0 for never
  @SuppressWarnings("ArrayRecordComponent") // A row of the store, never compared by value.
  public record Row(String key, long version, byte[] value, long expiresAtMillis) {}

  /// What a whole and unchanged backup holds.
  ///
  /// @param highestVersion of all keys, 0 if there are none
  public record Summary(Header header, long count, long highestVersion) {}

  /// Takes the rows of a backup one by one.
  public interface RowHandler {
    void row(Row row) throws IOException, InterruptedException;
  }

  /// Makes the lines of a backup. One that has made its last line is used up.
  public static final class Writer {
    private final MessageDigest sha = sha256();
    private long count;
    private long highest;

    /// The first line.
    public byte[] header(Header header) {
      return line(
          json -> {
            json.writeStringField("format", FORMAT);
            json.writeNumberField("format_version", FORMAT_VERSION);
            json.writeStringField("cluster_id", header.clusterId());
            json.writeStringField("created_at", header.createdAt());
          });
    }

    /// The line of one key.
    public byte[] row(Row row) {
      count++;
      highest = Math.max(highest, row.version());
      return line(
          json -> {
            json.writeStringField("key", row.key());
            json.writeNumberField("version", row.version());
            json.writeBinaryField("value", row.value());
            if (row.expiresAtMillis() != 0) {
              json.writeNumberField("expires_at", row.expiresAtMillis());
            }
          });
    }

    /// The last line.
    public byte[] trailer() {
      String digest = HexFormat.of().formatHex(sha.digest());
      return line(
          json -> {
            json.writeNumberField("count", count);
            json.writeNumberField("highest_version", highest);
            json.writeStringField("sha256", digest);
          });
    }

    /// How many keys it was given.
    public long count() {
      return count;
    }

    private interface Fields {
      void write(JsonGenerator json) throws IOException;
    }

    private byte[] line(Fields fields) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      try (JsonGenerator json = JSON.createGenerator(out)) {
        json.writeStartObject();
        fields.write(json);
        json.writeEndObject();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      out.write('\n');
      byte[] line = out.toByteArray();
      sha.update(line);
      return line;
    }
  }

  /// Reads a backup to its end. Rows are handed over as they are read, before it is known whether
  /// the whole is sound: read once to find out, and a second time to use them.
  ///
  /// @throws DamagedBackupException if anything at all is wrong with it, naming the line
  public static Summary read(InputStream in, RowHandler each)
      throws IOException, InterruptedException, DamagedBackupException {
    return new Reader(new BufferedInputStream(in, 1 << 16), each).read();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static final class Reader {
    private final InputStream in;
    private final RowHandler each;
    private final MessageDigest sha = sha256();
    private long lineNumber;
    private long count;
    private long highest;
    private byte[] lastKey = {};

    Reader(InputStream in, RowHandler each) {
      this.in = in;
      this.each = each;
    }

    Summary read() throws IOException, InterruptedException, DamagedBackupException {
      byte[] first = line();
      if (first == null) {
        throw new DamagedBackupException("the backup is empty");
      }
      Header header = header(fields(first));
      while (true) {
        sha.update(first);
        sha.update((byte) '\n');
        first = line();
        if (first == null) {
          throw new DamagedBackupException(
              "the backup was cut after line " + lineNumber + ": it has no last line");
        }
        Fields fields = fields(first);
        if (fields.names.contains("error")) {
          throw damaged("the node could not finish the backup: " + fields.text);
        }
        if (fields.names.contains("count")) {
          trailer(fields);
          if (line() != null) {
            throw damaged("there is something after the last line");
          }
          return new Summary(header, count, highest);
        }
        each.row(row(fields));
      }
    }

    /// The next line without its end, or null if there is none. A last line without an end was cut.
    private byte @Nullable [] line() throws IOException, DamagedBackupException {
      ByteArrayOutputStream line = new ByteArrayOutputStream(256);
      for (int b = in.read(); b != '\n'; b = in.read()) {
        if (b < 0) {
          if (line.size() == 0) {
            return null;
          }
          throw new DamagedBackupException("the backup was cut in line " + (lineNumber + 1));
        }
        if (line.size() == MAX_LINE) {
          throw new DamagedBackupException("line " + (lineNumber + 1) + " is too long");
        }
        line.write(b);
      }
      lineNumber++;
      return line.toByteArray();
    }

    private DamagedBackupException damaged(String what) {
      return new DamagedBackupException("line " + lineNumber + ": " + what);
    }

    private static final class Fields {
      private final Set<String> names = new TreeSet<>();
      private String format = "";
      private String clusterId = "";
      private String createdAt = "";
      private String key = "";
      private String sha256 = "";
      private String text = "";
      private byte[] value = {};
      private long formatVersion;
      private long version;
      private long expiresAt;
      private long count;
      private long highestVersion;
    }

    private Fields fields(byte[] line) throws DamagedBackupException {
      Fields fields = new Fields();
      try (JsonParser parser = JSON.createParser(line)) {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
          throw damaged("not a JSON object");
        }
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          String name = parser.currentName();
          fields.names.add(name);
          JsonToken token = parser.nextToken();
          boolean number =
              switch (name) {
                case "format_version", "version", "expires_at", "count", "highest_version" -> true;
                default -> false;
              };
          if (token != (number ? JsonToken.VALUE_NUMBER_INT : JsonToken.VALUE_STRING)) {
            throw damaged("the field " + name + " is not what it should be");
          }
          switch (name) {
            case "format" -> fields.format = parser.getText();
            case "format_version" -> fields.formatVersion = parser.getLongValue();
            case "cluster_id" -> fields.clusterId = parser.getText();
            case "created_at" -> fields.createdAt = parser.getText();
            case "key" -> fields.key = parser.getText();
            case "version" -> fields.version = parser.getLongValue();
            case "value" -> fields.value = parser.getBinaryValue();
            case "expires_at" -> fields.expiresAt = parser.getLongValue();
            case "count" -> fields.count = parser.getLongValue();
            case "highest_version" -> fields.highestVersion = parser.getLongValue();
            case "sha256" -> fields.sha256 = parser.getText();
            case "error" -> fields.text = parser.getText();
            default -> throw damaged("the field " + name + " is not known");
          }
        }
        if (parser.nextToken() != null) {
          throw damaged("there is something after the JSON object");
        }
      } catch (IOException e) {
        throw damaged("not valid JSON");
      }
      return fields;
    }

    private Header header(Fields fields) throws DamagedBackupException {
      if (!fields.format.equals(FORMAT)) {
        throw damaged("this is not a backup of the store");
      }
      if (fields.formatVersion != FORMAT_VERSION) {
        throw damaged(
            "the backup is of version "
                + fields.formatVersion
                + " of the format; this program reads version "
                + FORMAT_VERSION);
      }
      if (!fields.names.equals(Set.of("format", "format_version", "cluster_id", "created_at"))) {
        throw damaged("the first line lacks a field, or has one too many");
      }
      return new Header(fields.clusterId, fields.createdAt);
    }

    private Row row(Fields fields) throws DamagedBackupException {
      Set<String> rest = new TreeSet<>(fields.names);
      rest.remove("expires_at");
      if (!rest.equals(Set.of("key", "version", "value"))) {
        throw damaged("the line of a key has a key, a version, a value and perhaps expires_at");
      }
      try {
        Limits.requireKey(fields.key);
        Limits.requireValue(fields.value);
      } catch (IllegalArgumentException e) {
        throw damaged(String.valueOf(e.getMessage()));
      }
      byte[] key = fields.key.getBytes(StandardCharsets.UTF_8);
      if (Arrays.compareUnsigned(lastKey, key) >= 0) {
        throw damaged("the keys do not ascend");
      }
      if (fields.version < 1 || fields.version > MAX_VERSION || fields.expiresAt < 0) {
        throw damaged("a number is out of its range");
      }
      lastKey = key;
      count++;
      highest = Math.max(highest, fields.version);
      return new Row(fields.key, fields.version, fields.value, fields.expiresAt);
    }

    private void trailer(Fields fields) throws DamagedBackupException {
      if (!fields.names.equals(Set.of("count", "highest_version", "sha256"))) {
        throw damaged("the last line lacks a field, or has one too many");
      }
      if (fields.count != count) {
        throw damaged("the backup says it has " + fields.count + " keys, but it has " + count);
      }
      String digest = HexFormat.of().formatHex(sha.digest());
      if (!digest.equals(fields.sha256) || fields.highestVersion != highest) {
        throw damaged("the backup was changed: its checksum does not fit");
      }
    }
  }
}
