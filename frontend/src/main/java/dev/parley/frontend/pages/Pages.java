package dev.parley.frontend.pages;

import io.quarkus.qute.CheckedTemplate;
import io.quarkus.qute.TemplateInstance;
import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.Response;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/// The pages. They carry no data: scripts fetch it, so a page is the same for everyone who reads
/// the same language in the same theme.
@Path("/")
@RunOnVirtualThread
@Produces("text/html; charset=utf-8")
public final class Pages {

  /// Type-safe templates, checked in the build.
  @CheckedTemplate(basePath = "")
  static final class Templates {
    private Templates() {}

    static native TemplateInstance chat(Texts.Catalogue t, Look look);

    static native TemplateInstance backends(Texts.Catalogue t, Look look);

    static native TemplateInstance cluster(Texts.Catalogue t, Look look);

    static native TemplateInstance patterns(Texts.Catalogue t, Look look);
  }

  /// How the visitor wants pages to look.
  ///
  /// @param lang code of the language
  /// @param theme dark, light or system
  /// @param page which page this is, for the navigation
  public record Look(String lang, String theme, String page) {}

  private final Texts texts;

  Pages(Texts texts) {
    this.texts = texts;
  }

  @GET
  public Response chat(@Context HttpHeaders headers) {
    return page("chat", Templates::chat, headers);
  }

  /// The script reads the conversation's id from the address.
  @GET
  @Path("c/{id}")
  public Response conversation(@Context HttpHeaders headers) {
    return page("chat", Templates::chat, headers);
  }

  @GET
  @Path("backends")
  public Response backends(@Context HttpHeaders headers) {
    return page("backends", Templates::backends, headers);
  }

  @GET
  @Path("cluster")
  public Response cluster(@Context HttpHeaders headers) {
    return page("cluster", Templates::cluster, headers);
  }

  @GET
  @Path("patterns")
  public Response patterns(@Context HttpHeaders headers) {
    return page("patterns", Templates::patterns, headers);
  }

  private Response page(
      String name,
      BiFunction<Texts.Catalogue, Look, TemplateInstance> template,
      HttpHeaders headers) {
    var language =
        Language.of(
            cookie(headers, "parley_lang"), headers.getHeaderString(HttpHeaders.ACCEPT_LANGUAGE));
    var wanted = cookie(headers, "parley_theme");
    var theme = "dark".equals(wanted) ? "dark" : "light".equals(wanted) ? "light" : "system";
    var html = template.apply(texts.in(language), new Look(language.code(), theme, name)).render();
    return Response.ok(html)
        .header("Cache-Control", "no-cache")
        .header("Vary", "Cookie, Accept-Language")
        .build();
  }

  private static @Nullable String cookie(HttpHeaders headers, String name) {
    var cookie = headers.getCookies().get(name);
    return cookie == null ? null : cookie.getValue();
  }
}
