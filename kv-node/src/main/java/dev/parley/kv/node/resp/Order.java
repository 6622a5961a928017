package dev.parley.kv.node.resp;

import dev.parley.kv.core.Key;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/// Keeps the commands of one connection in order where it can be told: those that touch a common
/// key run one after the other, as does everything around a scan; the others run side by side. Used
/// on the connection's event loop only, where all the futures complete too.
final class Order {

  private final Map<Key, CompletableFuture<?>> lastOfKey = new HashMap<>();
  private CompletableFuture<?> lastBarrier = CompletableFuture.completedFuture(null);

  /// Runs `command` once all earlier ones with one of its keys have ended.
  <T> CompletableFuture<T> after(List<Key> keys, Supplier<CompletableFuture<T>> command) {
    if (keys.isEmpty()) {
      return command.get();
    }
    List<CompletableFuture<?>> before = new ArrayList<>();
    before.add(lastBarrier);
    for (Key key : keys) {
      CompletableFuture<?> last = lastOfKey.get(key);
      if (last != null) {
        before.add(last);
      }
    }
    CompletableFuture<T> result = after(before, command);
    for (Key key : keys) {
      lastOfKey.put(key, result);
    }
    result.whenComplete(
        (_, _) -> {
          for (Key key : keys) {
            lastOfKey.remove(key, result);
          }
        });
    return result;
  }

  /// Runs `command` once all earlier ones have ended, and all later ones after it.
  <T> CompletableFuture<T> alone(Supplier<CompletableFuture<T>> command) {
    List<CompletableFuture<?>> before = new ArrayList<>(lastOfKey.values());
    before.add(lastBarrier);
    CompletableFuture<T> result = after(before, command);
    lastBarrier = result;
    return result;
  }

  /// None of these ever fails: what goes wrong is a reply like any other.
  private static <T> CompletableFuture<T> after(
      Iterable<CompletableFuture<?>> before, Supplier<CompletableFuture<T>> command) {
    List<CompletableFuture<?>> open = new ArrayList<>();
    for (CompletableFuture<?> each : before) {
      if (!each.isDone()) {
        open.add(each);
      }
    }
    return open.isEmpty()
        ? command.get()
        : CompletableFuture.allOf(open.toArray(CompletableFuture<?>[]::new))
            .thenCompose(_ -> command.get());
  }
}
