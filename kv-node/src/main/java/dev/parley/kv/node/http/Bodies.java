package dev.parley.kv.node.http;

import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.function.Consumer;

/// Reads request bodies, bounded one by one, all together, and in time.
///
/// A body's room is reserved before its first byte is read, so that no upload is ever stuck half
/// done for want of room, and it is given back when the response ends. Small bodies are refused
/// when there is none. Large ones, which may take only a part of it, wait for their turn: clients
/// that bring many of them at once are slowed down rather than refused.
public final class Bodies {

  /// What all bodies of one sort may take at once, in bytes, over all connections.
  private static final long ALL = 24 << 20;

  /// What the large ones of clients may take of it. Each becomes several copies in memory, on three
  /// nodes: more at once would not be faster, for it is the disk that they wait for.
  private static final long ALL_LARGE = 8 << 20;

  /// A body above this is large.
  private static final int LARGE = 64 << 10;

  /// How many large bodies wait for their turn. Each costs a connection, but no memory yet.
  private static final int WAITING = 256;

  /// How long they wait. One that is turned away was certainly not applied, so that a client that
  /// gave up earlier has missed nothing.
  private static final long WAITING_NANOS = 5_000_000_000L;

  /// How long an upload may take: a mebibyte in this time is a bad mobile connection.
  private static final long UPLOAD_NANOS = 10_000_000_000L;

  private static final int SWEEP_MILLIS = 250;

  /// Whose bodies they are. Peers have a bound of their own, so that clients that stall in the
  /// middle of their uploads cannot cut the node off from the cluster.
  public enum From {
    CLIENT(ALL_LARGE),
    PEER(ALL);

    private final Room room;

    From(long allLarge) {
      this.room = new Room(allLarge);
    }
  }

  /// One request's claim: waiting for its turn, being uploaded, then held until the response ends.
  private static final class Claim {
    final RoutingContext context;
    final Context loop;
    final long bytes;
    /// When it began to wait, then when it began to be uploaded.
    long begun;
    Runnable granted = () -> {};
    boolean held;

    Claim(RoutingContext context, long bytes, long begun) {
      this.context = context;
      this.loop = Vertx.currentContext();
      this.bytes = bytes;
      this.begun = begun;
    }

    boolean large() {
      return bytes > LARGE;
    }

    /// On the request's own event loop, whoever found it.
    void later(Runnable action) {
      loop.runOnContext(_ -> action.run());
    }
  }

  /// The room of one sort of bodies. Requests come from any event loop.
  private static final class Room {
    private final long allLarge;
    private final ArrayDeque<Claim> waiting = new ArrayDeque<>();
    private final LinkedHashSet<Claim> uploading = new LinkedHashSet<>();
    private long held;
    private long heldLarge;

    Room(long allLarge) {
      this.allLarge = allLarge;
    }

    /// @return false if there is no room and none to wait for
    boolean claim(Claim claim, Runnable granted) {
      synchronized (this) {
        if (!fits(claim)) {
          if (!claim.large() || waiting.size() == WAITING) {
            return false;
          }
          claim.granted = granted;
          waiting.add(claim);
          return true;
        }
        hold(claim);
      }
      granted.run();
      return true;
    }

    private boolean fits(Claim claim) {
      // In order among the large ones; a small one need not wait for them.
      return held + claim.bytes <= ALL
          && (!claim.large() || waiting.isEmpty() && heldLarge + claim.bytes <= allLarge);
    }

    private void hold(Claim claim) {
      claim.begun = System.nanoTime();
      claim.held = true;
      held += claim.bytes;
      heldLarge += claim.large() ? claim.bytes : 0;
      uploading.add(claim);
    }

    synchronized void uploaded(Claim claim) {
      uploading.remove(claim);
    }

    synchronized void release(Claim claim) {
      if (!claim.held) {
        waiting.remove(claim);
        return;
      }
      claim.held = false;
      uploading.remove(claim);
      held -= claim.bytes;
      heldLarge -= claim.large() ? claim.bytes : 0;
      for (Claim next = waiting.peek();
          next != null && held + next.bytes <= ALL && heldLarge + next.bytes <= allLarge;
          next = waiting.peek()) {
        waiting.remove();
        hold(next);
        next.later(next.granted);
      }
    }

    /// Takes out the claims that have waited, or are being uploaded, for too long.
    synchronized void overdue(long now, List<Claim> waited, List<Claim> stalled) {
      while (!waiting.isEmpty() && now - waiting.peek().begun > WAITING_NANOS) {
        waited.add(waiting.remove());
      }
      for (Iterator<Claim> each = uploading.iterator(); each.hasNext(); ) {
        Claim claim = each.next();
        if (now - claim.begun <= UPLOAD_NANOS) {
          break;
        }
        each.remove();
        stalled.add(claim);
      }
    }
  }

  private Bodies() {}

  /// Ends uploads that take too long, from now on.
  static void watch(Vertx vertx) {
    vertx.setPeriodic(SWEEP_MILLIS, _ -> sweep(System.nanoTime()));
  }

  private static void sweep(long now) {
    for (From from : From.values()) {
      List<Claim> waited = new ArrayList<>();
      List<Claim> stalled = new ArrayList<>();
      from.room.overdue(now, waited, stalled);
      for (Claim claim : waited) {
        claim.later(() -> crowded(claim.context));
      }
      for (Claim claim : stalled) {
        claim.later(
            () -> cut(claim.context, Problem.TOO_SLOW, "the body took more than 10 seconds"));
      }
    }
  }

  /// Reads at most `limit` bytes, or answers 413, 408 if they take too long to arrive, or 503 if
  /// too many bodies are held already. The body counts as held until the response ends.
  public static void read(RoutingContext context, From from, int limit, Consumer<byte[]> then) {
    HttpServerRequest request = context.request();
    long announced = announced(request, limit);
    if (announced > limit) {
      cut(context, Problem.TOO_LARGE, "at most " + limit + " bytes");
      return;
    }
    Claim claim = new Claim(context, announced, System.nanoTime());
    context.addEndHandler(_ -> from.room.release(claim));
    request.exceptionHandler(_ -> {});
    if (!from.room.claim(claim, () -> upload(claim, from, limit, then))) {
      crowded(context);
    }
  }

  private static void upload(Claim claim, From from, int limit, Consumer<byte[]> then) {
    RoutingContext context = claim.context;
    HttpServerRequest request = context.request();
    Buffer body = Buffer.buffer(Math.toIntExact(Math.min(claim.bytes, LARGE)));
    request.handler(
        chunk -> {
          if (context.response().ended()) {
            return;
          }
          if (body.length() + chunk.length() > limit) {
            cut(context, Problem.TOO_LARGE, "at most " + limit + " bytes");
            return;
          }
          body.appendBuffer(chunk);
        });
    request.endHandler(
        _ -> {
          from.room.uploaded(claim);
          if (!context.response().ended()) {
            then.accept(body.getBytes());
          }
        });
    request.resume();
  }

  /// What the request says it brings; one that does not say may bring as much as is allowed.
  private static long announced(HttpServerRequest request, int limit) {
    String header = request.getHeader("Content-Length");
    if (header == null) {
      return request.getHeader("Transfer-Encoding") == null ? 0 : limit;
    }
    try {
      return Long.parseLong(header);
    } catch (NumberFormatException e) {
      return limit;
    }
  }

  /// Refuses, and lets the body, which is not longer than allowed, pass unread.
  private static void crowded(RoutingContext context) {
    Problem.NOT_APPLIED.answer(context, "too many large requests at once");
    context.request().resume();
  }

  /// Answers before the body was read to its end; the connection is of no more use then.
  private static void cut(RoutingContext context, Problem problem, String detail) {
    if (!context.response().headWritten()) {
      context.response().putHeader("Connection", "close");
    }
    problem.answer(context, detail);
    context.request().resume();
  }
}
