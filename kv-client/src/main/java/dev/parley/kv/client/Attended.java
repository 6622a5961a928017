package dev.parley.kv.client;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;

/// A stream from a server that may fall silent: a read to which nothing comes for too long fails.
/// A process that is stopped keeps its connections, so silence is all there is to know it by.
final class Attended extends FilterInputStream {

  private final Duration silence;
  private final Thread attendant;
  private volatile long sinceNanos;
  private volatile boolean reading;
  private volatile boolean silent;

  /// @param silence how long a read may take
  Attended(InputStream in, Duration silence) {
    super(in);
    this.silence = silence;
    this.attendant = Thread.ofVirtual().name("attendant").start(this::attend);
  }

  private void attend() {
    try {
      while (true) {
        long passed = reading ? System.nanoTime() - sinceNanos : 0;
        if (passed >= silence.toNanos()) {
          silent = true;
          in.close(); // Wakes the reader.
          return;
        }
        Thread.sleep(silence.minusNanos(passed));
      }
    } catch (IOException | InterruptedException e) {
      // Closed.
    }
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] bytes, int from, int length) throws IOException {
    sinceNanos = System.nanoTime();
    reading = true;
    try {
      return in.read(bytes, from, length);
    } catch (IOException e) {
      throw silent ? new IOException("nothing came for " + silence.toSeconds() + " s", e) : e;
    } finally {
      reading = false;
    }
  }

  @Override
  public void close() throws IOException {
    attendant.interrupt();
    super.close();
  }
}
