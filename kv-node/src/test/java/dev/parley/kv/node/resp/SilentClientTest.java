package dev.parley.kv.node.resp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.Settings;
import dev.parley.kv.node.TestSettings;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.redis.RedisDecoder;
import io.netty.handler.codec.redis.RedisEncoder;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Who keeps a connection without using it. Time stands still unless a test moves it.
class SilentClientTest {

  private static final String PING = "*1\r\n$4\r\nPING\r\n";
  private static final String AUTH = "*2\r\n$4\r\nAUTH\r\n$16\r\n" + TestSettings.TOKEN + "\r\n";
  private static final int DAY = 86_400;

  private final AtomicLong held = new AtomicLong();
  private EmbeddedChannel channel = new EmbeddedChannel();

  @AfterEach
  void close() {
    channel.finishAndReleaseAll();
  }

  @SuppressWarnings("NullAway") // No command here asks the store.
  private void connect(boolean needPassword) {
    Settings settings =
        TestSettings.of(Map.of("parley.resp.require-auth", Boolean.toString(needPassword)));
    NodeHost unasked = null;
    Commands commands = new Commands(settings, unasked, new Cursors(new SecureRandom()));
    channel = new EmbeddedChannel();
    channel.freezeTime();
    channel
        .pipeline()
        .addLast(new RedisEncoder())
        .addLast(new RedisDecoder(true))
        .addLast(new CommandDecoder(held))
        .addLast(new Connection(commands, new Session(1, channel.eventLoop()), held));
  }

  private void send(String bytes) {
    channel.writeInbound(Unpooled.copiedBuffer(bytes, StandardCharsets.US_ASCII));
    channel.outboundMessages().forEach(ReferenceCountUtil::release);
    channel.outboundMessages().clear();
  }

  private void pass(int seconds) {
    channel.advanceTimeBy(seconds, TimeUnit.SECONDS);
    channel.runPendingTasks();
  }

  private void staysFor(int seconds) {
    pass(seconds);
    assertTrue(channel.isOpen());
  }

  private void isClosedAfter(int seconds) {
    staysFor(seconds - 1);
    pass(1);
    assertFalse(channel.isOpen());
  }

  @Test
  void whoNeverSendsACommandIsSentAway() {
    connect(false);
    staysFor(5);
    send("*1\r\n$4\r\nPI");
    isClosedAfter(5);
  }

  @Test
  void whoHasSentACommandMayBeSilent() {
    connect(false);
    send(PING);
    staysFor(DAY);
  }

  @Test
  void whoDoesNotShowThePasswordIsSentAwayWhateverItSends() {
    connect(true);
    send(PING);
    staysFor(5);
    send(PING);
    isClosedAfter(5);
  }

  @Test
  void whoHasShownThePasswordMayBeSilent() {
    connect(true);
    send(AUTH);
    staysFor(DAY);
    send(PING);
    staysFor(DAY);
  }

  @Test
  void aCommandThatDoesNotComeToItsEndEndsTheConnection() {
    connect(true);
    send(AUTH);
    staysFor(DAY);
    send(PING + "*2\r\n$4\r\nECHO\r\n$100\r\na");
    for (int i = 0; i < 29; i++) {
      staysFor(1);
      send("a");
    }
    assertTrue(held.get() > 0);
    isClosedAfter(1);
    assertEquals(0, held.get());
  }

  @Test
  void everyCommandHasItsOwnTime() {
    connect(false);
    send("*1\r\n$4\r\nPI");
    staysFor(9);
    send("NG\r\n*1\r\n");
    staysFor(29);
    send("$4\r\nPING\r\n*1\r\n");
    staysFor(29);
    send("$4\r\nPING\r\n");
    staysFor(DAY);
  }

  @Test
  void theTimeOfACommandStandsStillWhileTheNodeDoesNotRead() {
    channel = new EmbeddedChannel(new RedisDecoder(true), new CommandDecoder(held));
    channel.freezeTime();
    send("*1\r\n");
    staysFor(29);
    channel.config().setAutoRead(false);
    channel.pipeline().fireChannelWritabilityChanged();
    staysFor(DAY);
    channel.config().setAutoRead(true);
    isClosedAfter(30);
  }
}
