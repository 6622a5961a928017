package dev.parley;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The decisions of every service are plain Java that is given time and chance. `kv-core`, which a
/// simulator runs, has a stricter test of its own.
class ArchitectureTest {

  private static final String[] CORES = {
    "dev.parley.kv.core..",
    "dev.parley.registry.backend..",
    "dev.parley.registry.policy..",
    "dev.parley.registry.health..",
    "dev.parley.registry.fleet..",
    "dev.parley.chat.sse..",
    "dev.parley.chat.context..",
    "dev.parley.chat.openai..",
    "dev.parley.chat.balance..",
    "dev.parley.chat.conversation..",
    "dev.parley.frontend.routing..",
    "dev.parley.frontend.guard..",
    "dev.parley.frontend.cluster..",
    "dev.parley.demo.idiom..",
    "dev.parley.demo.reply..",
    "dev.parley.demo.fault..",
  };

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .importPaths(
              List.of(
                      "kv-core",
                      "backend-registry-service",
                      "chat-service",
                      "frontend",
                      "demo-backend")
                  .stream()
                  .map(module -> Path.of("..", module, "target", "classes"))
                  .toList());

  @Test
  void everyCoreNamedHereExists() {
    for (String core : CORES) {
      assertFalse(CLASSES.that(resideInAPackage(core)).isEmpty(), core);
    }
  }

  @Test
  void theCoresKnowNoFramework() {
    noClasses()
        .that()
        .resideInAnyPackage(CORES)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.quarkus..",
            "io.vertx..",
            "io.netty..",
            "io.smallrye..",
            "io.micrometer..",
            "jakarta..",
            "java.net.http..",
            "java.nio.channels..")
        .check(CLASSES);
  }

  @Test
  void theCoresStartNoThreads() {
    noClasses()
        .that()
        .resideInAnyPackage(CORES)
        .should()
        .dependOnClassesThat()
        .haveNameMatching(
            "java\\.lang\\.Thread|java\\.util\\.concurrent\\..*(Executor|Future|Timer).*")
        .check(CLASSES);
  }

  @Test
  void theCoresReadNoClockAndRollNoDice() {
    noClasses()
        .that()
        .resideInAnyPackage(CORES)
        .should()
        .callMethod(System.class, "currentTimeMillis")
        .orShould()
        .callMethod(System.class, "nanoTime")
        .orShould()
        .callMethod(java.time.Instant.class, "now")
        .orShould()
        .callMethod(java.time.InstantSource.class, "system")
        .orShould()
        .callMethod(java.time.Clock.class, "systemUTC")
        .orShould()
        .callMethod(java.time.Clock.class, "systemDefaultZone")
        .orShould()
        .callMethod(Math.class, "random")
        .orShould()
        .dependOnClassesThat()
        .haveNameMatching("java\\.util\\.(concurrent\\.ThreadLocal)?Random|java\\.security\\..*")
        .check(CLASSES);
  }
}
