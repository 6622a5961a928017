package dev.parley.kv.node.http;

import dev.parley.kv.core.Key;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.node.Keys;
import dev.parley.kv.node.Settings;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Turns parts of an HTTP request into the core's types, strictly.
final class Requests {

  /// The high half of the operation ids made by this process: 64 bits that no other process drew.
  /// The ids need to be unique, not secret, and asking the system for chance at each request costs
  /// more than parsing it.
  private static final long PROCESS = new SecureRandom().nextLong();

  private static final AtomicLong OPERATIONS = new AtomicLong(new SecureRandom().nextLong());

  /// A version from before a write was first sent; in a refusal, one that would do now.
  static final String BASE = "Parley-Base";

  /// Above every version there can be: those of a backup end at half of it, and a restore goes on
  /// from there.
  private static final long NO_VERSION = 200_000_000_000_000_000L;

  private static final Pattern JSON =
      Pattern.compile(
          "application/json\\s*(;\\s*charset=(utf-8|\"utf-8\")\\s*)?", Pattern.CASE_INSENSITIVE);

  private static final Pattern TAG = Pattern.compile("(W/)?\"[!#-~]*\"");

  private Requests() {}

  /// A request that cannot be understood, and which problem that is.
  static final class BadRequestException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Problem problem;

    BadRequestException(Problem problem, String message) {
      super(message);
      this.problem = problem;
    }

    Problem problem() {
      return problem;
    }
  }

  /// The key that follows `before` in the request's raw path, percent-decoded once.
  static Key key(HttpServerRequest request, String before) {
    String path = request.path();
    if (!path.startsWith(before)) {
      // The router matched it all the same, after decoding or after dropping a doubled slash.
      throw new BadRequestException(
          Problem.BAD_REQUEST, "the path before the key must be written exactly as " + before);
    }
    return key(decode(path.substring(before.length()), Problem.BAD_KEY));
  }

  static Key key(byte[] utf8) {
    try {
      return Keys.of(utf8);
    } catch (IllegalArgumentException e) {
      throw new BadRequestException(Problem.BAD_KEY, String.valueOf(e.getMessage()));
    }
  }

  static Key key(String text) {
    try {
      return Keys.of(text);
    } catch (IllegalArgumentException e) {
      throw new BadRequestException(Problem.BAD_KEY, String.valueOf(e.getMessage()));
    }
  }

  /// The request's query parameters, decoded once and strictly: each known, each at most once.
  static Map<String, String> parameters(HttpServerRequest request, Set<String> known) {
    String query = request.query();
    if (query == null || query.isEmpty()) {
      return Map.of();
    }
    Map<String, String> parameters = new HashMap<>();
    for (String pair : query.split("&", -1)) {
      int equals = pair.indexOf('=');
      String name = parameter(equals < 0 ? pair : pair.substring(0, equals));
      String value = equals < 0 ? "" : parameter(pair.substring(equals + 1));
      if (!known.contains(name)) {
        throw new BadRequestException(
            Problem.BAD_REQUEST,
            known.isEmpty()
                ? "this request takes no query parameters"
                : "the query parameters are " + String.join(", ", new TreeSet<>(known)));
      }
      if (parameters.put(name, value) != null) {
        throw new BadRequestException(
            Problem.BAD_REQUEST, "the query parameter " + name + " is given twice");
      }
    }
    return parameters;
  }

  /// A plus sign is a space here, as browsers write their forms.
  private static String parameter(String raw) {
    try {
      return text(decode(raw.replace('+', ' '), Problem.BAD_REQUEST));
    } catch (CharacterCodingException e) {
      throw new BadRequestException(Problem.BAD_REQUEST, "the query is not valid UTF-8");
    }
  }

  /// @throws CharacterCodingException if the bytes are not well-formed UTF-8
  static String text(byte[] utf8) throws CharacterCodingException {
    return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
  }

  /// @throws CharacterCodingException if the text has half a surrogate pair
  static byte[] utf8(String text) throws CharacterCodingException {
    ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
    byte[] bytes = new byte[encoded.remaining()];
    encoded.get(bytes);
    return bytes;
  }

  private static byte[] decode(String raw, Problem problem) {
    if (raw.indexOf('%') < 0) {
      return raw.getBytes(StandardCharsets.UTF_8);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(raw.length());
    for (int i = 0; i < raw.length(); i++) {
      char c = raw.charAt(i);
      if (c != '%') {
        out.writeBytes(String.valueOf(c).getBytes(StandardCharsets.UTF_8));
        continue;
      }
      int octet = octet(raw, i);
      if (octet < 0) {
        throw new BadRequestException(problem, BAD_PERCENT);
      }
      out.write(octet);
      i += 2;
    }
    return out.toByteArray();
  }

  static final String BAD_PERCENT = "a % is not followed by two hex digits";

  /// The byte that a percent sign and what follows it stand for, or -1 if for none.
  static int octet(String raw, int percent) {
    if (percent + 2 >= raw.length()) {
      return -1;
    }
    int high = Character.digit(raw.charAt(percent + 1), 16);
    int low = Character.digit(raw.charAt(percent + 2), 16);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
  }

  /// A header that may be there once at most.
  static @Nullable String single(HttpServerRequest request, String name) {
    List<String> values = request.headers().getAll(name);
    if (values.size() > 1) {
      throw new BadRequestException(Problem.BAD_REQUEST, "the header " + name + " is given twice");
    }
    return values.isEmpty() ? null : values.getFirst();
  }

  static Precondition condition(HttpServerRequest request) {
    List<String> match = request.headers().getAll("If-Match");
    List<String> noneMatch = request.headers().getAll("If-None-Match");
    if (match.isEmpty() && noneMatch.isEmpty()) {
      return new Precondition.Always();
    }
    if (match.size() + noneMatch.size() > 1) {
      throw bad("one condition at a time");
    }
    if (!noneMatch.isEmpty()) {
      if (!noneMatch.getFirst().strip().equals("*")) {
        throw bad("If-None-Match takes only *");
      }
      return new Precondition.Absent();
    }
    String tag = match.getFirst().strip();
    if (tag.equals("*")) {
      return new Precondition.Present();
    }
    if (tag.startsWith("W/")) {
      throw bad("If-Match compares strongly; a weak ETag (W/) never matches");
    }
    if (!tag.matches("\"[0-9]{1,18}\"")) {
      throw bad("If-Match takes one strong ETag of this store, in quotes, or *");
    }
    return new Precondition.At(Long.parseLong(tag.substring(1, tag.length() - 1)));
  }

  /// The ETags that a condition of a read lists, or null if there is no such condition. Other
  /// stores' tags are none of this one's, so that they match nothing.
  static @Nullable Set<String> tags(HttpServerRequest request, String name) {
    List<String> lines = request.headers().getAll(name);
    if (lines.isEmpty()) {
      return null;
    }
    Set<String> tags = new HashSet<>();
    for (String part : String.join(",", lines).split(",", -1)) {
      String tag = part.strip();
      if (!tag.equals("*") && !TAG.matcher(tag).matches()) {
        throw bad(name + " takes ETags, in quotes, or *");
      }
      tags.add(tag);
    }
    return tags;
  }

  private static BadRequestException bad(String detail) {
    return new BadRequestException(Problem.BAD_CONDITION, detail);
  }

  /// The operation's name: from the idempotency key, so that every retry anywhere has the same, or
  /// a new one.
  static OpId operation(@Nullable String idempotencyKey, Key key) {
    if (idempotencyKey == null) {
      return new OpId(PROCESS, OPERATIONS.getAndIncrement());
    }
    if (!idempotencyKey.matches("[!-~]{1,128}")) {
      throw new BadRequestException(
          Problem.BAD_REQUEST, "Idempotency-Key takes 1 to 128 visible ASCII characters");
    }
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      sha.update(key.utf8());
      sha.update((byte) 0);
      byte[] digest = sha.digest(idempotencyKey.getBytes(StandardCharsets.US_ASCII));
      ByteBuffer buffer = ByteBuffer.wrap(digest);
      return new OpId(buffer.getLong(), buffer.getLong());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Whether this may be repeated in logs and headers: 1 to 64 of `A-Za-z0-9._-`.
  static boolean isRequestId(String text) {
    if (text.isEmpty() || text.length() > 64) {
      return false;
    }
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean allowed =
          c >= 'a' && c <= 'z'
              || c >= 'A' && c <= 'Z'
              || c >= '0' && c <= '9'
              || c == '.'
              || c == '_'
              || c == '-';
      if (!allowed) {
        return false;
      }
    }
    return true;
  }

  /// An id for a request that came without: unlikely to repeat, and nothing depends on it.
  static String newRequestId() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    return new UUID(random.nextLong(), random.nextLong()).toString();
  }

  /// A write as the request's headers name it.
  static Mutation mutation(
      HttpServerRequest request, Key key, Precondition condition, byte @Nullable [] body) {
    String idempotencyKey = single(request, "Idempotency-Key");
    long base =
        base(condition, idempotencyKey, single(request, "Parley-Attempt"), single(request, BASE));
    return new Mutation(operation(idempotencyKey, key), condition, body, base);
  }

  /// From before when a write is: the version it names as its base, or that of its condition. One
  /// that names none is from before it came here, if it comes for the first time; of a retry, which
  /// may come to a node that never saw the operation, only 0 is certain. A write that cannot be
  /// retried, because its id is known here only, may be given a base when it is evaluated.
  ///
  /// @param attempt how often it is sent, as the client counts: 1 or nothing is the first time
  static long base(
      Precondition condition,
      @Nullable String idempotencyKey,
      @Nullable String attempt,
      @Nullable String base) {
    if (attempt != null && !attempt.matches("[1-9][0-9]{0,8}")) {
      throw new BadRequestException(
          Problem.BAD_REQUEST, "the attempt must be a whole number from 1 to 999999999");
    }
    if (base != null) {
      if (!base.matches("[0-9]{1,18}") || Long.parseLong(base) > NO_VERSION) {
        throw new BadRequestException(Problem.BAD_REQUEST, "the base is not a version");
      }
      return Long.parseLong(base);
    }
    if (idempotencyKey == null) {
      return Mutation.NO_BASE;
    }
    if (condition instanceof Precondition.At(var version)) {
      return version; // It was read before the write was first sent.
    }
    return attempt == null || attempt.equals("1") ? Mutation.ON_RECEIPT : 0;
  }

  /// When a value expires that is to live for so many seconds: Unix time in milliseconds, or 0 for
  /// never. The clock is this node's; it decides when the value is deleted, and nothing else.
  static long expiry(@Nullable String ttlSeconds) {
    if (ttlSeconds == null) {
      return 0;
    }
    if (!ttlSeconds.matches("[1-9][0-9]{0,9}")) {
      throw new BadRequestException(
          Problem.BAD_REQUEST, "ttl_seconds must be a whole number from 1 to 9999999999");
    }
    return System.currentTimeMillis() + Long.parseLong(ttlSeconds) * 1000;
  }

  /// Refuses a body that is not said to be JSON.
  static void requireJson(HttpServerRequest request) {
    String type = single(request, "Content-Type");
    if (type == null || !JSON.matcher(type.strip()).matches()) {
      throw new BadRequestException(Problem.WRONG_TYPE, "the body must be application/json");
    }
  }

  /// Refuses a key of a protected keyspace without the service token.
  static void authorize(RoutingContext context, Settings settings, Key key) {
    if (settings.isProtected(key.toString())) {
      requireToken(context, settings, "this keyspace");
    }
  }

  /// @param what needs it, in the words of the refusal
  static void requireToken(RoutingContext context, Settings settings, String what) {
    if (!settings.authorized(context.request().getHeader("Authorization"))) {
      throw new BadRequestException(Problem.UNAUTHORIZED, what + " needs the service token");
    }
  }
}
