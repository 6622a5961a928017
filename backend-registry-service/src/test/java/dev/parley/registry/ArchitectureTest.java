package dev.parley.registry;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {

  private static final String[] CORE = {
    "dev.parley.registry.backend..",
    "dev.parley.registry.policy..",
    "dev.parley.registry.health..",
    "dev.parley.registry.fleet.."
  };

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("dev.parley.registry");

  @Test
  void theCoreKnowsNoFrameworkAndNoStore() {
    noClasses()
        .that()
        .resideInAnyPackage(CORE)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.quarkus..",
            "io.vertx..",
            "io.smallrye..",
            "io.micrometer..",
            "jakarta..",
            "com.fasterxml..",
            "java.net.http..",
            "dev.parley.kv..",
            "dev.parley.registry.store..",
            "dev.parley.registry.probe..",
            "dev.parley.registry.api..")
        .check(CLASSES);
  }

  @Test
  void theCoreStartsNoThreads() {
    noClasses()
        .that()
        .resideInAnyPackage(CORE)
        .should()
        .dependOnClassesThat()
        .haveFullyQualifiedName("java.lang.Thread")
        .orShould()
        .dependOnClassesThat()
        .haveNameMatching("java\\.util\\.concurrent\\..*(Executor|Future|Timer).*")
        .check(CLASSES);
  }

  @Test
  void theCoreReadsNoClockOfItsOwnAndRollsNoDiceOfItsOwn() {
    noClasses()
        .that()
        .resideInAnyPackage(CORE)
        .should()
        .callMethod(System.class, "currentTimeMillis")
        .orShould()
        .callMethod(System.class, "nanoTime")
        .orShould()
        .callMethod(java.time.Instant.class, "now")
        .orShould()
        .dependOnClassesThat()
        .haveFullyQualifiedName("java.time.Clock")
        .orShould()
        .callMethod(java.time.InstantSource.class, "system")
        .orShould()
        .callMethod(Math.class, "random")
        .orShould()
        .dependOnClassesThat()
        .haveNameMatching("java\\.util\\.(concurrent\\.ThreadLocal)?Random|java\\.security\\..*")
        .check(CLASSES);
  }
}
