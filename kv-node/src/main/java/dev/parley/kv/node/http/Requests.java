package dev.parley.kv.node.http;

import dev.parley.kv.core.Key;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.node.Settings;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Turns parts of an HTTP request into the core's types, strictly.
final class Requests {

  /// The high half of the operation ids made by this process: 64 bits that no other process drew.
  /// The ids need to be unique, not secret, and asking the system for chance at each request costs
  /// more than parsing it.
  private static final long PROCESS = new SecureRandom().nextLong();

  private static final AtomicLong OPERATIONS = new AtomicLong(new SecureRandom().nextLong());

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
    String raw = path.startsWith(before) ? path.substring(before.length()) : "";
    return key(decode(raw));
  }

  static Key key(byte[] utf8) {
    try {
      text(utf8);
      return Key.ofUtf8(utf8);
    } catch (CharacterCodingException e) {
      throw new BadRequestException(Problem.BAD_KEY, "the key is not valid UTF-8");
    } catch (IllegalArgumentException e) {
      throw new BadRequestException(Problem.BAD_KEY, String.valueOf(e.getMessage()));
    }
  }

  /// @throws CharacterCodingException if the bytes are not well-formed UTF-8
  static String text(byte[] utf8) throws CharacterCodingException {
    return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
  }

  private static byte[] decode(String raw) {
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
      int high = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 1), 16) : -1;
      int low = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 2), 16) : -1;
      if (high < 0 || low < 0) {
        throw new BadRequestException(Problem.BAD_KEY, "a % is not followed by two hex digits");
      }
      out.write(high << 4 | low);
      i += 2;
    }
    return out.toByteArray();
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
    if (!tag.matches("\"[0-9]{1,18}\"")) {
      throw bad("If-Match takes one strong ETag of this store, in quotes, or *");
    }
    return new Precondition.At(Long.parseLong(tag.substring(1, tag.length() - 1)));
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

  /// Refuses a key of a protected keyspace without the service token.
  static void authorize(RoutingContext context, Settings settings, Key key) {
    if (settings.isProtected(key.toString())) {
      requireToken(context, settings);
    }
  }

  static void requireToken(RoutingContext context, Settings settings) {
    if (!settings.authorized(context.request().getHeader("Authorization"))) {
      throw new BadRequestException(Problem.UNAUTHORIZED, "this keyspace needs the service token");
    }
  }
}
