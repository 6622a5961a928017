package dev.parley.kv.node.resp;

import static java.util.concurrent.TimeUnit.SECONDS;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.redis.RedisCodecException;
import io.netty.handler.codec.redis.RedisMessage;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// One client's connection: commands are begun as they come, up to a bound, and answered in the
/// order in which they came. While the bound is reached, or the client does not read its answers,
/// nothing more is read from it.
///
/// A client that does not introduce itself soon is sent away, or a thousand silent ones would keep
/// out all others. One that has may be silent for as long as it likes, as in Redis.
final class Connection extends ChannelInboundHandlerAdapter {

  private static final Logger LOG = Logger.getLogger(Connection.class);

  /// Commands begun and not yet answered. What one read brought beyond that waits, and one read is
  /// at most 64 KiB.
  private static final int MAX_BEGUN = 64;

  /// Time to show the password, where one is needed, and else to send a first command.
  private static final int INTRODUCTION_SECONDS = 10;

  private static final class Begun {
    private final Command command;
    private @Nullable RedisMessage reply;

    private Begun(Command command) {
      this.command = command;
    }
  }

  private final Commands commands;
  private final Session session;
  private final AtomicLong heldByAll;
  private final Order order = new Order();
  private final ArrayDeque<Command> waiting = new ArrayDeque<>();
  private final ArrayDeque<Begun> begun = new ArrayDeque<>();
  private boolean writing;
  private boolean closing;
  private boolean spoken;

  Connection(Commands commands, Session session, AtomicLong heldByAll) {
    this.commands = commands;
    this.session = session;
    this.heldByAll = heldByAll;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    var deadline =
        context.executor().schedule(() -> sendAway(context), INTRODUCTION_SECONDS, SECONDS);
    context.channel().closeFuture().addListener(_ -> deadline.cancel(false));
  }

  /// Without a word and without waiting for what it has not read.
  private void sendAway(ChannelHandlerContext context) {
    boolean introduced = commands.needPassword() ? session.authenticated() : spoken;
    if (!introduced) {
      context.close();
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    Command command = (Command) message;
    spoken = true;
    if (closing) {
      release(command);
      return;
    }
    waiting.add(command);
    advance(context);
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    advance(context);
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    closing = true;
    waiting.forEach(this::release);
    waiting.clear();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    Throwable root = cause.getCause() == null ? cause : cause.getCause();
    if (root instanceof RedisCodecException) {
      // What was asked before is answered first.
      if (!closing) {
        waiting.add(new Command(List.of(), "ERR Protocol error: " + root.getMessage(), 0));
        advance(context);
      }
    } else {
      if (!(root instanceof IOException)) {
        LOG.error("a RESP connection failed", cause);
      }
      context.close();
    }
  }

  /// Takes no more commands; what is begun is still answered, then the connection is closed.
  void end(ChannelHandlerContext context) {
    closing = true;
    waiting.forEach(this::release);
    waiting.clear();
    write(context);
  }

  private void advance(ChannelHandlerContext context) {
    while (!closing
        && !waiting.isEmpty()
        && begun.size() < MAX_BEGUN
        && context.channel().isWritable()) {
      begin(context, waiting.remove());
    }
    boolean ready = waiting.isEmpty() && begun.size() < MAX_BEGUN && context.channel().isWritable();
    context.channel().config().setAutoRead(ready && !closing);
  }

  private void begin(ChannelHandlerContext context, Command command) {
    Begun next = new Begun(command);
    begun.add(next);
    boolean last = command.parts().isEmpty() || command.name().equals("quit");
    if (last) {
      closing = true;
      waiting.forEach(this::release);
      waiting.clear();
    }
    var _ =
        commands
            .run(session, order, command)
            .whenComplete(
                (reply, why) -> {
                  if (why != null) {
                    LOG.error("a RESP command failed", why);
                  }
                  next.reply = why == null ? reply : Replies.error("ERR internal error");
                  if (!writing) {
                    // Later in this turn of the loop, together with what else gets ready in it.
                    writing = true;
                    context.executor().execute(() -> write(context));
                  }
                });
  }

  private void write(ChannelHandlerContext context) {
    writing = false;
    for (Begun first = begun.peek(); first != null; first = begun.peek()) {
      RedisMessage reply = first.reply;
      if (reply == null) {
        break;
      }
      begun.remove();
      release(first.command);
      context.write(reply, context.voidPromise());
    }
    if (closing && begun.isEmpty()) {
      var _ = context.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
      return;
    }
    context.flush();
    advance(context);
  }

  private void release(Command command) {
    heldByAll.addAndGet(-command.held());
  }
}
