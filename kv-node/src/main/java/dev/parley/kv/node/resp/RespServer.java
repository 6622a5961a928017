package dev.parley.kv.node.resp;

import dev.parley.kv.node.CannotStartException;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.redis.RedisDecoder;
import io.netty.handler.codec.redis.RedisEncoder;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.core.Vertx;
import io.vertx.core.impl.VertxInternal;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.security.SecureRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The port for Redis clients, if there is one: Netty's Redis codec on Vert.x's event loops.
@ApplicationScoped
class RespServer {

  private static final Logger LOG = Logger.getLogger(RespServer.class);

  private static final int MAX_CONNECTIONS = 1000;

  private static final int END_MILLIS = 1000;

  private final Vertx vertx;
  private final Settings settings;
  private final NodeHost host;
  private final MeterRegistry meters;
  private final ChannelGroup connections = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
  private final AtomicLong ids = new AtomicLong();
  private final AtomicLong held = new AtomicLong();
  private @Nullable Channel port;

  RespServer(Vertx vertx, Settings settings, NodeHost host, MeterRegistry meters) {
    this.vertx = vertx;
    this.settings = settings;
    this.host = host;
    this.meters = meters;
  }

  void start(@Observes StartupEvent event) throws InterruptedException {
    if (settings.respPort() == 0) {
      return;
    }
    Commands commands = new Commands(settings, host, new Cursors(new SecureRandom()));
    var bound =
        new ServerBootstrap()
            .group(vertx.nettyEventLoopGroup())
            .channelFactory(((VertxInternal) vertx).transport().serverChannelFactory(false))
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(ChannelOption.SO_KEEPALIVE, true)
            .childHandler(
                new ChannelInitializer<SocketChannel>() {
                  @Override
                  protected void initChannel(SocketChannel channel) {
                    connect(channel, commands);
                  }
                })
            .bind(settings.respHost(), settings.respPort())
            .await();
    if (!bound.isSuccess()) {
      throw new CannotStartException(
          "cannot listen for Redis clients on "
              + settings.respHost()
              + ":"
              + settings.respPort()
              + ": "
              + bound.cause().getMessage());
    }
    port = bound.channel();
    Gauge.builder("parley.kv.resp.connections", connections, ChannelGroup::size)
        .description("Connections of Redis clients")
        .register(meters);
    LOG.infof("Redis clients: %s:%d", settings.respHost(), settings.respPort());
  }

  void stop(@Observes ShutdownEvent event) throws InterruptedException {
    Channel open = port;
    if (open == null) {
      return;
    }
    open.close().await();
    for (Channel connection : connections) {
      connection
          .eventLoop()
          .execute(
              () -> {
                Connection handler = connection.pipeline().get(Connection.class);
                var context = connection.pipeline().context(Connection.class);
                if (handler != null && context != null) {
                  handler.end(context);
                }
              });
    }
    connections.newCloseFuture().await(END_MILLIS, TimeUnit.MILLISECONDS);
    connections.close();
  }

  private void connect(SocketChannel channel, Commands commands) {
    channel.pipeline().addLast(new RedisEncoder());
    if (connections.size() >= MAX_CONNECTIONS) {
      var _ =
          channel
              .writeAndFlush(Replies.error("ERR max number of clients reached"))
              .addListener(_ -> channel.close());
      return;
    }
    connections.add(channel);
    channel
        .pipeline()
        .addLast(new RedisDecoder(true))
        .addLast(new CommandDecoder(held))
        .addLast(
            new Connection(
                commands, new Session(ids.incrementAndGet(), channel.eventLoop()), held));
  }
}
