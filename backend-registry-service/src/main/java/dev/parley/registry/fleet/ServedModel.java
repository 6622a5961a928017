package dev.parley.registry.fleet;

import java.util.List;

/// A model and the backends that serve it.
///
/// @param available whether one of them could be asked now
public record ServedModel(String id, List<String> backendIds, boolean available) {

  public ServedModel {
    backendIds = List.copyOf(backendIds);
  }
}
