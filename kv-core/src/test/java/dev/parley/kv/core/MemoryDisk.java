package dev.parley.kv.core;

import dev.parley.kv.core.log.SegmentStorage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.random.RandomGenerator;

/// A disk in memory that forgets, at a crash, any sectors that were not forced.
public final class MemoryDisk implements SegmentStorage {

  private static final int SECTOR = 512;

  private record Write(long segment, int offset, byte[] bytes) {}

  private final TreeMap<Long, byte[]> seen = new TreeMap<>();
  private final TreeMap<Long, byte[]> durable = new TreeMap<>();
  private final List<Write> unforced = new ArrayList<>();
  private final boolean lies;

  public MemoryDisk() {
    this(false);
  }

  /// @param lies a disk that says it forced, and did not
  public MemoryDisk(boolean lies) {
    this.lies = lies;
  }

  @Override
  public List<Long> list() {
    return List.copyOf(seen.keySet());
  }

  @Override
  public void create(long segment, int size) {
    seen.put(segment, new byte[size]);
    durable.put(segment, new byte[size]);
  }

  @Override
  public int size(long segment) throws IOException {
    return bytes(segment).length;
  }

  @Override
  public byte[] read(long segment, int offset, int length) throws IOException {
    return Arrays.copyOfRange(bytes(segment), offset, offset + length);
  }

  @Override
  public void write(long segment, int offset, byte[] bytes) throws IOException {
    System.arraycopy(bytes, 0, bytes(segment), offset, bytes.length);
    unforced.add(new Write(segment, offset, bytes.clone()));
  }

  @Override
  public void force(long segment) {
    if (!lies) {
      unforced.removeIf(
          write -> {
            if (write.segment() != segment) {
              return false;
            }
            keep(write, 0, write.bytes().length);
            return true;
          });
    }
  }

  @Override
  public void delete(long segment) {
    seen.remove(segment);
    durable.remove(segment);
    unforced.removeIf(write -> write.segment() == segment);
  }

  /// The machine loses power: of what was not forced, any subset of sectors survives.
  public void crash(RandomGenerator random) {
    for (Write write : unforced) {
      int from = 0;
      while (from < write.bytes().length) {
        int sectorEnd = ((write.offset() + from) / SECTOR + 1) * SECTOR - write.offset();
        int to = Math.min(sectorEnd, write.bytes().length);
        if (random.nextBoolean()) {
          keep(write, from, to);
        }
        from = to;
      }
    }
    unforced.clear();
    for (var segment : durable.entrySet()) {
      seen.put(segment.getKey(), segment.getValue().clone());
    }
  }

  /// Flips one bit, as a bad sector would.
  public void flip(long segment, int offset) throws IOException {
    for (var disk : List.of(seen, durable)) {
      bytes(disk, segment)[offset] ^= 1;
    }
  }

  /// Loses the tail of a segment's content.
  public void zeroFrom(long segment, int offset) throws IOException {
    for (var disk : List.of(seen, durable)) {
      Arrays.fill(bytes(disk, segment), offset, size(segment), (byte) 0);
    }
  }

  private void keep(Write write, int from, int to) {
    byte[] target = durable.get(write.segment());
    if (target != null) {
      System.arraycopy(write.bytes(), from, target, write.offset() + from, to - from);
    }
  }

  private byte[] bytes(long segment) throws IOException {
    return bytes(seen, segment);
  }

  private static byte[] bytes(TreeMap<Long, byte[]> disk, long segment) throws IOException {
    byte[] bytes = disk.get(segment);
    if (bytes == null) {
      throw new IOException("no segment " + segment);
    }
    return bytes;
  }
}
