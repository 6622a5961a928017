package dev.parley.kv.core.log;

/// The log cannot be trusted, or is not this node's: the node must not start from it.
public final class DamagedLogException extends Exception {

  private static final long serialVersionUID = 1L;

  public DamagedLogException(String message) {
    super(message);
  }
}
