package dev.parley.demo.api;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.concurrent.atomic.AtomicInteger;

/// Counts what is being answered and what was.
@ApplicationScoped
class Traffic {
  private final AtomicInteger active = new AtomicInteger();
  private final MeterRegistry registry;
  private final Counter tokens;

  Traffic(MeterRegistry registry) {
    this.registry = registry;
    Gauge.builder("parley.demo.active.requests", active, AtomicInteger::get)
        .description("Completions being answered now")
        .register(registry);
    this.tokens =
        Counter.builder("parley.demo.tokens").description("Tokens sent").register(registry);
  }

  void began() {
    active.incrementAndGet();
  }

  /// @param outcome complete, refused, fault or disconnected
  void ended(String outcome) {
    active.decrementAndGet();
    Counter.builder("parley.demo.completions")
        .description("Completions by how they ended")
        .tag("outcome", outcome)
        .register(registry)
        .increment();
  }

  void sent(int count) {
    tokens.increment(count);
  }

  int active() {
    return active.get();
  }
}
