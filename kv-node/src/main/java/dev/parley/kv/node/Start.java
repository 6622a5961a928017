package dev.parley.kv.node;

import io.quarkus.runtime.ApplicationLifecycleManager;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.annotations.QuarkusMain;
import org.jspecify.annotations.Nullable;

/// The process. What keeps it from starting is said in one line, and the exit code is 1.
@QuarkusMain
public final class Start {

  private Start() {}

  public static void main(String... arguments) {
    // http.Door checks every request's path and query, and says what is wrong with them.
    System.setProperty("vertx.disableURIValidation", "true");
    Quarkus.run(null, Start::ended, arguments);
  }

  private static void ended(int code, @Nullable Throwable cause) {
    if (cause != null) {
      System.err.println("kv-node: " + reason(cause));
    }
    ApplicationLifecycleManager.getDefaultExitCodeHandler().accept(code, cause);
  }

  /// The node's own words if it has any, else those of whatever came first, such as a port that is
  /// taken.
  private static String reason(Throwable cause) {
    Throwable first = cause;
    for (Throwable at = cause; at != null; at = at.getCause()) {
      if (at instanceof CannotStartException || at instanceof IllegalArgumentException) {
        return String.valueOf(at.getMessage());
      }
      first = at;
    }
    return "cannot start: " + (first.getMessage() == null ? first.toString() : first.getMessage());
  }
}
