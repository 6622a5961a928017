package dev.parley.kv.node.resp;

import static java.util.concurrent.TimeUnit.SECONDS;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.redis.ArrayHeaderRedisMessage;
import io.netty.handler.codec.redis.BulkStringHeaderRedisMessage;
import io.netty.handler.codec.redis.BulkStringRedisContent;
import io.netty.handler.codec.redis.FullBulkStringRedisMessage;
import io.netty.handler.codec.redis.InlineCommandRedisMessage;
import io.netty.handler.codec.redis.LastBulkStringRedisContent;
import io.netty.handler.codec.redis.RedisCodecException;
import io.netty.util.ReferenceCountUtil;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Puts the pieces that Netty's decoder finds together to commands, and bounds them: Netty's own
/// aggregators make room for whatever length a client announces.
///
/// A command that is too large is read to its end without being kept, and then refused, so that
/// the connection survives it. Bytes that are not RESP end the connection, as in Redis. So does a
/// command that is begun and does not come to its end: what it holds is taken from all.
final class CommandDecoder extends ChannelDuplexHandler {

  /// A name and a thousand keys, or a key, a value and options.
  static final int MAX_PARTS = 1001;

  /// More announced parts than this are taken for nonsense, as in Redis.
  private static final long MAX_ANNOUNCED = 1 << 20;

  /// Longest part: the largest value.
  static final int MAX_PART_BYTES = 1 << 20;

  /// Kept of one command: the largest value with its key and options, or a thousand keys.
  private static final int MAX_COMMAND_BYTES = MAX_PART_BYTES + (64 << 10);

  /// Kept of all commands being read or carried out, over all connections.
  private static final long MAX_ALL_BYTES = 24 << 20;

  /// Time for a command to come in, once it has begun. The largest does at 35 KB/s.
  private static final int COMMAND_SECONDS = 30;

  private final AtomicLong heldByAll;
  private List<byte[]> parts = new ArrayList<>();
  private long missing;
  private int held;
  private @Nullable String refusal;
  private @Nullable ByteArrayOutputStream part;
  private @Nullable Future<?> deadline;

  /// @param heldByAll the budget that all connections share
  CommandDecoder(AtomicLong heldByAll) {
    this.heldByAll = heldByAll;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    try {
      switch (message) {
        case ArrayHeaderRedisMessage header -> begin(header.length());
        // redis-cli sends an empty line when it ends a mass insertion.
        case InlineCommandRedisMessage inline when missing == 0 && inline.content().isEmpty() -> {}
        case BulkStringHeaderRedisMessage header when missing > 0 -> beginPart(header);
        case FullBulkStringRedisMessage whole when missing > 0 -> {
          if (whole.isNull()) {
            // Without it the rest would be another command.
            throw new RedisCodecException("invalid bulk length");
          }
          beginPart(null);
          append(whole.content());
          endPart();
        }
        case BulkStringRedisContent content when missing > 0 -> {
          append(content.content());
          if (content instanceof LastBulkStringRedisContent) {
            endPart();
          }
        }
        default -> throw new RedisCodecException("a command is an array of bulk strings");
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
    if (missing == 0 && !parts.isEmpty()) {
      Command command = new Command(parts, refusal, held);
      parts = new ArrayList<>();
      refusal = null;
      held = 0; // The command answers for them now.
      stopTime();
      context.fireChannelRead(command);
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    context.fireChannelReadComplete();
    keepTime(context);
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    context.fireChannelWritabilityChanged();
    keepTime(context);
  }

  @Override
  public void read(ChannelHandlerContext context) {
    context.read();
    keepTime(context);
  }

  /// Lets the time of a begun command run while it is read, and only then: while the node does not
  /// read, the client cannot go on.
  private void keepTime(ChannelHandlerContext context) {
    if (missing == 0 || !context.channel().config().isAutoRead()) {
      stopTime();
    } else if (deadline == null) {
      deadline = context.executor().schedule(() -> context.close(), COMMAND_SECONDS, SECONDS);
    }
  }

  private void stopTime() {
    if (deadline != null) {
      deadline.cancel(false);
      deadline = null;
    }
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    stopTime();
    heldByAll.addAndGet(-held);
    held = 0;
  }

  private void begin(long length) {
    if (missing > 0) {
      throw new RedisCodecException("an array within a command");
    }
    if (length > MAX_ANNOUNCED) {
      throw new RedisCodecException("invalid multibulk length");
    }
    if (length <= 0) {
      return; // Empty or null, a command without a name: nothing to answer, as in Redis.
    }
    missing = length;
    if (length > MAX_PARTS) {
      refusal = "ERR at most " + (MAX_PARTS - 1) + " arguments";
    }
  }

  private void beginPart(@Nullable BulkStringHeaderRedisMessage header) {
    if (header != null && header.bulkStringLength() > MAX_PART_BYTES && refusal == null) {
      refusal = "ERR a value has at most " + MAX_PART_BYTES + " bytes";
    }
    part = new ByteArrayOutputStream(32);
  }

  private void append(ByteBuf content) {
    int length = content.readableBytes();
    if (refusal == null && held + length > MAX_COMMAND_BYTES) {
      refusal = "ERR a command has at most " + MAX_COMMAND_BYTES + " bytes";
    }
    if (refusal == null && heldByAll.get() + length > MAX_ALL_BYTES) {
      refusal = "UNAVAILABLE not applied: too many large requests at once";
    }
    if (refusal == null && part != null) {
      held += length;
      heldByAll.addAndGet(length);
      byte[] bytes = new byte[length];
      content.readBytes(bytes);
      part.writeBytes(bytes);
    }
  }

  private void endPart() {
    if (part != null && parts.size() < MAX_PARTS) {
      parts.add(part.toByteArray());
    }
    part = null;
    missing--;
  }
}
