package dev.parley.demo;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import io.smallrye.config.WithName;
import java.util.List;
import java.util.Optional;

/// The settings of a demonstration backend.
@ConfigMapping(prefix = "parley")
public interface DemoConfig {
  /// The address to listen on. Anybody who can reach it can set faults: keep it on loopback.
  @WithDefault("127.0.0.1")
  String host();

  /// The port to listen on.
  @WithDefault("8091")
  int port();

  /// Whether log lines are JSON objects.
  @WithName("log.json")
  @WithDefault("false")
  boolean logJson();

  /// This instance's name: what it answers to "who are you?".
  @WithDefault("demo-backend")
  String name();

  /// Not used: a demonstration backend calls no other service. Known so that one environment can be
  /// given to all services.
  Optional<String> serviceToken();

  /// The model ids it serves, separated by commas; all answer alike. They must be the same on every
  /// demonstration backend, so that these form one pool.
  @WithDefault("parley-demo")
  List<String> models();

  /// Milliseconds from a request to the first token of its answer.
  @WithDefault("150")
  int firstTokenDelayMs();

  /// Tokens per second after the first.
  @WithDefault("40")
  double tokensPerSecond();

  /// Chooses among equally good answers; the same number on every backend gives the same answers.
  @WithDefault("0")
  long seed();

  /// Bytes of the largest request body it accepts. All bodies being read together may take a
  /// sixteenth of the heap, so that a small heap accepts less.
  @WithDefault("33554432")
  int maxBodyBytes();
}
