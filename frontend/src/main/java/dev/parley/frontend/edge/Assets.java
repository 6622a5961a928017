package dev.parley.frontend.edge;

import io.quarkus.runtime.LaunchMode;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;

/// Static files under `/assets`, from the class path: own files as they lie, and the few library
/// files that `libraries.properties` names under `/assets/lib`.
///
/// Modules import each other by plain relative paths, so file names carry no hash; instead every
/// file has a content ETag and is revalidated, which costs a header exchange and never goes stale.
@Singleton
final class Assets {
  private static final Pattern OWN_FILE = Pattern.compile("[a-z0-9-]+(/[a-z0-9-]+)*\\.[a-z0-9]+");

  private static final Map<String, String> TYPES =
      Map.of(
          "js", "text/javascript; charset=utf-8",
          "css", "text/css; charset=utf-8",
          "json", "application/json",
          "svg", "image/svg+xml",
          "png", "image/png");

  /// A file, ready to send.
  private record Asset(String type, String etag, Buffer plain, Buffer gzipped) {}

  private final Properties libraries = new Properties();

  /// Bounded, since only files that exist are kept.
  private final Map<String, Asset> kept = new ConcurrentHashMap<>();

  private final boolean keep = LaunchMode.current() != LaunchMode.DEVELOPMENT;
  private final Vertx vertx;

  Assets(Vertx vertx) {
    this.vertx = vertx;
    try (var in = resource("libraries.properties")) {
      if (in == null) {
        throw new IllegalStateException("libraries.properties is missing");
      }
      libraries.load(in);
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }

  void routes(@Observes Router router) {
    router.get("/assets/*").order(100).handler(this::serve);
    router.get("/favicon.ico").order(100).handler(context -> serve(context, "favicon.svg"));
  }

  private void serve(RoutingContext context) {
    serve(context, context.normalizedPath().substring("/assets/".length()));
  }

  private void serve(RoutingContext context, String name) {
    var ready = kept.get(name);
    if (ready != null) {
      send(context, ready);
      return;
    }
    vertx
        .executeBlocking(() -> load(name))
        .onSuccess(
            asset -> {
              if (asset == null) {
                Problem.NOT_FOUND.answer(context.request());
                return;
              }
              if (keep) {
                kept.put(name, asset);
              }
              send(context, asset);
            })
        .onFailure(context::fail);
  }

  private static void send(RoutingContext context, Asset asset) {
    var response = context.response();
    response.putHeader("ETag", asset.etag());
    response.putHeader("Cache-Control", "no-cache");
    response.putHeader("Vary", "Accept-Encoding");
    var known = context.request().getHeader("If-None-Match");
    if (known != null && known.contains(asset.etag())) {
      response.setStatusCode(304).end();
      return;
    }
    response.putHeader("Content-Type", asset.type());
    var accepts = context.request().getHeader("Accept-Encoding");
    if (accepts != null && accepts.contains("gzip")) {
      response.putHeader("Content-Encoding", "gzip");
      response.end(asset.gzipped());
    } else {
      response.end(asset.plain());
    }
  }

  private @Nullable Asset load(String name) throws IOException {
    var place = place(name);
    if (place == null) {
      return null;
    }
    try (var in = resource(place)) {
      if (in == null) {
        return null;
      }
      var bytes = in.readAllBytes();
      var type =
          TYPES.getOrDefault(name.substring(name.lastIndexOf('.') + 1), "application/octet-stream");
      var zipped = new ByteArrayOutputStream();
      try (var gzip = new Best(zipped)) {
        gzip.write(bytes);
      }
      return new Asset(
          type, etag(bytes), Buffer.buffer(bytes), Buffer.buffer(zipped.toByteArray()));
    }
  }

  private @Nullable String place(String name) {
    if (name.startsWith("lib/")) {
      return libraries.getProperty(name.substring("lib/".length()));
    }
    return OWN_FILE.matcher(name).matches() ? "assets/" + name : null;
  }

  private static String etag(byte[] bytes) {
    try {
      var digest = MessageDigest.getInstance("SHA-256").digest(bytes);
      return '"' + HexFormat.of().formatHex(digest, 0, 12) + '"';
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private static @Nullable InputStream resource(String place) {
    return Thread.currentThread().getContextClassLoader().getResourceAsStream(place);
  }

  /// Compressed once and sent often, so as small as it gets.
  private static final class Best extends GZIPOutputStream {
    Best(ByteArrayOutputStream out) throws IOException {
      super(out);
      def.setLevel(Deflater.BEST_COMPRESSION);
    }
  }
}
