package dev.parley.kv.node;

import io.quarkus.runtime.ApplicationLifecycleManager;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.annotations.QuarkusMain;
import java.net.BindException;
import org.eclipse.microprofile.config.ConfigProvider;
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
      var config = ConfigProvider.getConfig();
      String host = config.getValue("quarkus.http.host", String.class);
      System.err.println(
          "kv-node: "
              + reason(cause, host + ":" + config.getValue("quarkus.http.port", String.class)));
    }
    ApplicationLifecycleManager.getDefaultExitCodeHandler().accept(code, cause);
  }

  /// The node's own words if it has any, else those of whatever came first.
  ///
  /// @param address where the node was to listen
  static String reason(Throwable cause, String address) {
    Throwable first = cause;
    for (Throwable at = cause; at != null; at = at.getCause()) {
      if (at instanceof CannotStartException || at instanceof IllegalArgumentException) {
        return String.valueOf(at.getMessage());
      }
      first = at;
    }
    String message = first.getMessage() == null ? first.toString() : first.getMessage();
    // Netty's own transports do not throw a BindException.
    return first instanceof BindException || message.startsWith("bind(")
        ? "cannot listen on " + address + " (parley.host, parley.port): " + message
        : "cannot start: " + message;
  }
}
