package dev.parley.system;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/// Gives the tests of a class the one [Cluster] that all test classes share, and after each test
/// starts again what the test killed and takes back the faults that it planted.
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(WithCluster.Extension.class)
@interface WithCluster {

  final class Extension implements ParameterResolver, AfterEachCallback {

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
      return parameter.getParameter().getType() == Cluster.class;
    }

    @Override
    public Cluster resolveParameter(ParameterContext parameter, ExtensionContext context) {
      return cluster(context);
    }

    @Override
    public void afterEach(ExtensionContext context) {
      Cluster cluster = cluster(context);
      cluster.up();
      for (int i = 1; i <= 3; i++) {
        cluster.http("demo-backend-" + i).delete("/faults");
      }
    }

    private static Cluster cluster(ExtensionContext context) {
      return context
          .getRoot()
          .getStore(ExtensionContext.Namespace.GLOBAL)
          .computeIfAbsent(Cluster.class, _ -> Cluster.start(), Cluster.class);
    }
  }
}
