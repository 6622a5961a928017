package dev.parley.registry.policy;

import java.util.List;

/// Puts the backends that may serve a request into the order in which to try them.
///
/// A policy sees only backends that are eligible. It may remember what it chose; its caller keeps
/// it to one thread at a time.
public interface Policy {

  /// The name by which a request asks for it.
  String name();

  /// All candidates, the one to try first in front.
  List<Choice> order(List<Candidate> candidates, Workload workload);

  /// A request to this backend failed.
  default void failed(String backendId) {}

  /// This backend is gone.
  default void forget(String backendId) {}
}
