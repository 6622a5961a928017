package dev.parley.kv.node;

/// The node must not start, for a reason an operator can do something about.
public final class CannotStartException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public CannotStartException(String message) {
    super(message);
  }
}
