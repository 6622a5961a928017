package dev.parley.system.kv;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import javax.net.SocketFactory;

/// Sockets inside a network namespace, for a process that is outside of it.
///
/// A namespace belongs to a thread, and a socket to the namespace of the thread that created it,
/// whoever connects and uses it later. So one thread goes into the namespace with `setns(2)` and
/// does nothing but create sockets.
final class NamespaceSockets extends SocketFactory implements AutoCloseable {

  private static final int O_CLOEXEC = 0x80000;
  private static final int CLONE_NEWNET = 0x40000000;

  private final ExecutorService inside =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("in-namespace").factory());

  /// @param namespace the namespace's file, as `ip netns add` makes it in `/run/netns`
  NamespaceSockets(Path namespace) {
    try {
      inside
          .submit(
              () -> {
                enter(namespace);
                return true;
              })
          .get();
    } catch (ExecutionException e) {
      inside.shutdown();
      throw new IllegalStateException("cannot enter " + namespace, e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  @SuppressWarnings("restricted")
  private static void enter(Path namespace) throws IOException {
    Linker linker = Linker.nativeLinker();
    var libc = linker.defaultLookup();
    MethodHandle open =
        linker.downcallHandle(
            libc.findOrThrow("open"),
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
            Linker.Option.firstVariadicArg(2));
    MethodHandle setns =
        linker.downcallHandle(
            libc.findOrThrow("setns"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    MethodHandle close =
        linker.downcallHandle(
            libc.findOrThrow("close"),
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment path = arena.allocateFrom(namespace.toString());
      int file = (int) open.invokeExact(path, O_CLOEXEC);
      if (file < 0) {
        throw new IOException("cannot open " + namespace);
      }
      int moved = (int) setns.invokeExact(file, CLONE_NEWNET);
      int closed = (int) close.invokeExact(file);
      if (moved != 0 || closed != 0) {
        throw new IOException("setns refused " + namespace);
      }
    } catch (IOException | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public Socket createSocket() throws IOException {
    try {
      return inside
          .submit(
              () -> {
                Socket socket = new Socket();
                // The first option makes the system's socket, here and not when it connects.
                socket.setTcpNoDelay(true);
                return socket;
              })
          .get();
    } catch (ExecutionException e) {
      throw new IOException(e.getCause());
    } catch (RejectedExecutionException e) {
      throw new IOException("the namespace is being left", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  @Override
  public Socket createSocket(String host, int port) throws IOException {
    return createSocket(InetAddress.getByName(host), port);
  }

  @Override
  public Socket createSocket(InetAddress host, int port) throws IOException {
    Socket socket = createSocket();
    socket.connect(new InetSocketAddress(host, port));
    return socket;
  }

  @Override
  public Socket createSocket(String host, int port, InetAddress local, int localPort) {
    throw new UnsupportedOperationException("the local address is the namespace's");
  }

  @Override
  public Socket createSocket(InetAddress host, int port, InetAddress local, int localPort) {
    throw new UnsupportedOperationException("the local address is the namespace's");
  }

  @Override
  public void close() {
    inside.shutdown();
  }
}
