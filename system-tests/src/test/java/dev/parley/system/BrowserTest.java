package dev.parley.system;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Playwright;
import com.microsoft.playwright.assertions.LocatorAssertions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// A user with a real browser.
@WithCluster
class BrowserTest {

  private static final double PATIENCE_MS = 30_000;

  private static Playwright playwright;
  private static Browser browser;

  private final Cluster cluster;
  private final List<String> consoleErrors = new ArrayList<>();

  BrowserTest(Cluster cluster) {
    this.cluster = cluster;
  }

  @BeforeAll
  static void launch() {
    Optional<Path> chromium =
        Stream.of("chromium", "chromium-browser", "google-chrome")
            .flatMap(
                name ->
                    Stream.of(System.getenv("PATH").split(":"))
                        .map(folder -> Path.of(folder, name)))
            .filter(Files::isExecutable)
            .findFirst();
    assumeTrue(chromium.isPresent(), "no Chromium on this machine: browser tests skipped");
    playwright =
        Playwright.create(
            new Playwright.CreateOptions().setEnv(Map.of("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")));
    browser =
        playwright
            .chromium()
            .launch(
                new BrowserType.LaunchOptions()
                    .setExecutablePath(chromium.get())
                    .setArgs(
                        List.of(
                            "--no-sandbox",
                            "--disable-gpu",
                            "--disable-quic",
                            "--no-first-run",
                            "--disable-background-networking",
                            "--disable-component-update",
                            "--disable-sync")));
  }

  @AfterAll
  static void quit() {
    if (playwright != null) {
      playwright.close();
    }
  }

  @Test
  void aUserPlaysTheIdiomChainAndSeesWhoAnswered() {
    Page page = open("/");
    Locator answer = ask(page, "成语接龙");
    awaitState(answer, "done");
    assertThat(answer.locator(".message-body")).containsText("「");
    assertThat(answer.locator(".served-by")).containsText("demo-backend-");
    assertEquals(List.of(), consoleErrors);
  }

  @Test
  void aReloadInTheMiddleOfAnAnswerLosesNothing() {
    Page page = open("/");
    Locator answer = ask(page, "count to 60");
    awaitText(answer, "7");
    page.reload();
    answer = lastAnswer(page);
    awaitState(answer, "done");
    assertThat(answer.locator(".message-body")).containsText("60");
    assertThat(answer.locator(".message-body")).containsText("7");
    assertEquals(List.of(), consoleErrors);
  }

  @Test
  void aUserStopsAnAnswer() {
    Page page = open("/");
    page.fill("#composer", "count to 9000");
    page.click("#send");
    Locator answer = lastAnswer(page);
    awaitText(answer, "5");
    page.click("#stop");
    awaitState(answer, "stopped");
    assertEquals(List.of(), consoleErrors);
  }

  @Test
  void aUserAddsABackendAndDeletesIt() {
    Page page = open("/backends");
    assertThat(page.locator("tr[data-backend-name=demo-backend-1]")).isVisible();
    page.click("#add-backend");
    page.fill("[name=name]", "added-in-browser");
    page.fill("[name=base_url]", cluster.url("demo-backend-3") + "/v1");
    page.click("#save-backend");
    Locator row = page.locator("tr[data-backend-name=added-in-browser]");
    assertThat(row).isVisible();
    row.locator("[data-action=delete]").click();
    page.click("#confirm-ok");
    assertThat(row).hasCount(0);
    page.reload();
    assertThat(page.locator("tr[data-backend-name=demo-backend-1]")).isVisible();
    assertThat(row).hasCount(0);
    assertEquals(List.of(), consoleErrors);
  }

  @Test
  void whatAModelWritesIsTextAndNeverAPage() {
    Page page = open("/");
    String hostile =
        "my name is <img src=x onerror=alert(1)><script>alert(2)</script> ![x](https://) "
            + "[y](javascript:alert(3))";
    page.onDialog(dialog -> consoleErrors.add("a script ran: " + dialog.message()));
    Locator answer = ask(page, hostile);
    awaitState(answer, "done");
    page.reload();
    awaitState(lastAnswer(page), "done");
    assertThat(page.locator("article.message script")).hasCount(0);
    assertThat(page.locator("article.message [onerror]")).hasCount(0);
    assertThat(page.locator("article.message a[href^='javascript']")).hasCount(0);
    assertEquals(List.of(), consoleErrors.stream().filter(e -> e.contains("script ran")).toList());
  }

  @Test
  void anAnswerWhoseBackendDiesGoesOnInThePageAndSaysWhoTookOver() {
    Page page = open("/");
    Locator answer = ask(page, "count to 60");
    awaitText(answer, "7");
    String id = page.url().substring(page.url().lastIndexOf('/') + 1);
    var messages =
        cluster
            .http("frontend")
            .get("/api/conversations/" + id + "/messages")
            .json(200)
            .path("messages");
    cluster.kill(messages.path(messages.size() - 1).path("backend").asText());
    awaitState(answer, "done");
    assertThat(answer.locator(".message-body")).containsText("60");
    assertThat(answer.locator(".served-by .takeover")).isVisible();
    assertEquals(List.of(), consoleErrors);
  }

  @Test
  void withoutAnyBackendThePageLeadsToAddingOne() {
    Http http = cluster.http("frontend");
    for (var backend : http.get("/api/backends").json(200).path("backends")) {
      http.delete("/api/backends/" + backend.path("id").asText());
    }
    try {
      Page page = open("/");
      page.locator("#no-backends a").first().click();
      assertThat(page.locator("#add-backend")).isVisible();
      assertEquals(List.of(), consoleErrors);
    } finally {
      for (int i = 1; i <= 3; i++) {
        String name = "demo-backend-" + i;
        http.post("/api/backends", Http.map("name", name, "base_url", cluster.url(name) + "/v1"))
            .json(201);
      }
    }
    Eventually.eventually(
        "all backends are up again",
        () ->
            http.get("/api/backends").json(200).path("backends").findValuesAsText("state").stream()
                    .filter("up"::equals)
                    .count()
                == 3);
  }

  @Test
  void theClusterPageSaysThatNothingIsAtRisk() {
    Page page = open("/cluster");
    assertThat(page.locator("body")).containsText("kv-2");
    assertThat(page.locator("#verdict")).hasAttribute("data-level", "ok");
    assertThat(page.locator("#groups .part-legend")).hasText("all copies: 256 of 256 partitions");
    assertEquals(List.of(), consoleErrors);
  }

  private Page open(String path) {
    Page page = browser.newContext(new Browser.NewContextOptions().setLocale("en-US")).newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.onConsoleMessage(
        message -> {
          if (message.type().equals("error")) {
            consoleErrors.add(message.text());
          }
        });
    page.navigate(cluster.url("frontend") + path);
    return page;
  }

  private static Locator ask(Page page, String text) {
    page.fill("#composer", text);
    page.keyboard().press("Enter");
    return lastAnswer(page);
  }

  private static Locator lastAnswer(Page page) {
    return page.locator("article.message[data-role=assistant]").last();
  }

  private static void awaitText(Locator message, String text) {
    assertThat(message.locator(".message-body"))
        .containsText(text, new LocatorAssertions.ContainsTextOptions().setTimeout(PATIENCE_MS));
  }

  private static void awaitState(Locator message, String state) {
    assertThat(message)
        .hasAttribute(
            "data-state",
            state,
            new LocatorAssertions.HasAttributeOptions().setTimeout(PATIENCE_MS));
  }
}
