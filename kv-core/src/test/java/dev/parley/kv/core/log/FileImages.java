package dev.parley.kv.core.log;

import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;

/// Files as they lie on a disk whose machine is off: they can be copied and damaged.
final class FileImages implements SegmentStorage {

  private final TreeMap<Long, byte[]> files = new TreeMap<>();

  FileImages copy() {
    FileImages copy = new FileImages();
    files.forEach((number, bytes) -> copy.files.put(number, bytes.clone()));
    return copy;
  }

  /// The content itself, to be damaged.
  byte[] bytes(long number) {
    byte[] bytes = files.get(number);
    if (bytes == null) {
      throw new IllegalArgumentException("no file " + number);
    }
    return bytes;
  }

  void truncate(long number, int size) {
    files.put(number, Arrays.copyOf(bytes(number), size));
  }

  /// As a file system does that lost the last writes, but not the size.
  void zeroFrom(long number, int offset) {
    Arrays.fill(bytes(number), offset, bytes(number).length, (byte) 0);
  }

  @Override
  public List<Long> list() {
    return List.copyOf(files.keySet());
  }

  @Override
  public void create(long segment, int size) {
    files.put(segment, new byte[size]);
  }

  @Override
  public int size(long segment) {
    return bytes(segment).length;
  }

  @Override
  public byte[] read(long segment, int offset, int length) {
    return Arrays.copyOfRange(bytes(segment), offset, offset + length);
  }

  @Override
  public void write(long segment, int offset, byte[] bytes) {
    System.arraycopy(bytes, 0, bytes(segment), offset, bytes.length);
  }

  @Override
  public void force(long segment) {}

  @Override
  public void delete(long segment) {
    files.remove(segment);
  }
}
