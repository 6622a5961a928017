package dev.parley.chat;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.time.Clock;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class PurityTest {

  private static final String[] PURE = {
    "dev.parley.chat.sse..",
    "dev.parley.chat.context..",
    "dev.parley.chat.openai..",
    "dev.parley.chat.balance..",
    "dev.parley.chat.conversation..",
  };

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("dev.parley.chat");

  @Test
  void thePureCoreKnowsNoFramework() {
    noClasses()
        .that()
        .resideInAnyPackage(PURE)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.quarkus..", "io.vertx..", "io.netty..", "jakarta..", "io.smallrye..")
        .check(CLASSES);
  }

  @Test
  void thePureCoreStartsNoThreads() {
    noClasses()
        .that()
        .resideInAnyPackage(PURE)
        .should()
        .dependOnClassesThat()
        .belongToAnyOf(
            Thread.class,
            java.util.concurrent.Executor.class,
            java.util.concurrent.ExecutorService.class,
            java.util.concurrent.Executors.class,
            java.util.concurrent.CompletableFuture.class)
        .check(CLASSES);
  }

  @Test
  void thePureCoreReadsNoClock() {
    noClasses()
        .that()
        .resideInAnyPackage(PURE)
        .should()
        .callMethod(System.class, "currentTimeMillis")
        .orShould()
        .callMethod(System.class, "nanoTime")
        .orShould()
        .callMethod(Instant.class, "now")
        .orShould()
        .callMethod(Clock.class, "systemUTC")
        .orShould()
        .callMethod(Clock.class, "systemDefaultZone")
        .check(CLASSES);
  }
}
