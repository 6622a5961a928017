package dev.parley.kv.client;

/// A backup that was cut short, changed, or is none. The message names the line.
public final class DamagedBackupException extends Exception {

  private static final long serialVersionUID = 1L;

  public DamagedBackupException(String message) {
    super(message);
  }
}
