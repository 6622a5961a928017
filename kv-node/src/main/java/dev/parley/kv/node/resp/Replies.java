package dev.parley.kv.node.resp;

import dev.parley.kv.core.Answer;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.redis.ArrayRedisMessage;
import io.netty.handler.codec.redis.ErrorRedisMessage;
import io.netty.handler.codec.redis.FullBulkStringRedisMessage;
import io.netty.handler.codec.redis.IntegerRedisMessage;
import io.netty.handler.codec.redis.RedisMessage;
import io.netty.handler.codec.redis.SimpleStringRedisMessage;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// The replies of RESP2, and what the core's answers are in it.
final class Replies {

  private static final int MAX_ERROR = 400;

  private Replies() {}

  static RedisMessage ok() {
    return simple("OK");
  }

  static RedisMessage simple(String text) {
    return new SimpleStringRedisMessage(text);
  }

  static RedisMessage integer(long number) {
    return new IntegerRedisMessage(number);
  }

  static RedisMessage bulk(byte[] bytes) {
    return new FullBulkStringRedisMessage(Unpooled.wrappedBuffer(bytes));
  }

  static RedisMessage bulk(String text) {
    return bulk(text.getBytes(StandardCharsets.UTF_8));
  }

  static RedisMessage nil() {
    return FullBulkStringRedisMessage.NULL_INSTANCE;
  }

  static RedisMessage array(List<RedisMessage> elements) {
    return new ArrayRedisMessage(elements);
  }

  /// An error is one line, whatever of the client's own words is in it.
  static RedisMessage error(String line) {
    StringBuilder safe = new StringBuilder();
    for (int i = 0; i < line.length() && i < MAX_ERROR; i++) {
      char c = line.charAt(i);
      safe.append(c < ' ' || c > '~' ? ' ' : c);
    }
    return new ErrorRedisMessage(safe.toString());
  }

  static RedisMessage wrongArguments(String command) {
    return error("ERR wrong number of arguments for '" + command + "' command");
  }

  static RedisMessage syntax() {
    return error("ERR syntax error");
  }

  /// Every answer that is not the one hoped for. The first word tells a program what is known:
  /// `UNAVAILABLE` was certainly not applied, `UNKNOWN` may have been.
  static RedisMessage failed(Answer answer) {
    return switch (answer) {
      case Answer.NotApplied(var reason) -> error("UNAVAILABLE not applied: " + reason);
      case Answer.Unavailable(var reason) -> error("UNAVAILABLE " + reason);
      case Answer.Unknown(var reason) -> error("UNKNOWN it may have been applied: " + reason);
      case Answer.Forgotten _ ->
          error(
              "UNKNOWN it may have been applied: the operation may be older than what the key, or"
                  + " its partition, remembers");
      case Answer.NoRoom() -> error("OOM not applied: there is no room for new values");
      case Answer.Applied _,
          Answer.Missing _,
          Answer.Conflict _,
          Answer.Found _,
          Answer.Absent _,
          Answer.Page _,
          Answer.Watched _,
          Answer.OfChange _ ->
          throw new IllegalStateException("not a failure: " + answer.getClass());
    };
  }
}
