package dev.parley.demo.api;

import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/// Ready once the idioms have been read.
@ApplicationScoped
@Readiness
class DictionaryReady implements HealthCheck {
  private final Answers answers;

  DictionaryReady(Answers answers) {
    this.answers = answers;
  }

  @Override
  public HealthCheckResponse call() {
    return HealthCheckResponse.named("dictionary")
        .status(answers.replies().isDone() && !answers.replies().isCompletedExceptionally())
        .build();
  }
}
