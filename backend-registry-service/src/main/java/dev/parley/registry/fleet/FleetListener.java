package dev.parley.registry.fleet;

/// Hears of changes. It is called while the fleet is locked, so it must only take note.
public interface FleetListener {

  /// A backend is there, or something about it changed.
  ///
  /// @param urgent whether its description or its state changed, and not only its figures
  void changed(String backendId, boolean urgent);

  void removed(String backendId);
}
