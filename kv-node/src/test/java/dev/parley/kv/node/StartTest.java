package dev.parley.kv.node;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.BindException;
import org.junit.jupiter.api.Test;

class StartTest {

  private static String reason(Throwable cause) {
    return Start.reason(new RuntimeException("failed to start", cause), "127.0.0.1:9527");
  }

  @Test
  void anAddressThatCannotBeHadIsNamedWithItsSettings() {
    String where = "cannot listen on 127.0.0.1:9527 (parley.host, parley.port): ";
    String netty = "bind(..) failed with error(-98): Address already in use";
    assertEquals(where + netty, reason(new IOException(netty)));
    assertEquals(where + "in use", reason(new BindException("in use")));
  }

  @Test
  void theNodesOwnWordsComeFirst() {
    assertEquals("no", reason(new CannotStartException("no")));
    assertEquals("cannot start: other", reason(new IOException("other")));
  }
}
