package dev.parley.frontend.routing;

/// What the last readiness check of a replica said, best first.
///
/// It orders replicas and excludes none: a replica that is alive but not ready (say, the store
/// has no quorum) can still tell the user why, and serves what needs no store; one that seems
/// silent costs only a refused connection and may just have come back.
public enum Standing {
  /// It says it wants traffic.
  READY,
  /// Not checked yet.
  UNKNOWN,
  /// It answers, and says it is not ready.
  NOT_READY,
  /// It does not answer.
  SILENT
}
