package dev.parley.kv.core;

import dev.parley.kv.core.log.SegmentStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;

/// A disk in memory that forgets, at a crash, any sectors that were not forced, and fails or flips
/// bits when told to.
public final class MemoryDisk implements SegmentStorage {

  private static final int SECTOR = 512;

  /// How the disk breaks its promises, for the bugs that are planted below the log.
  enum Honesty {
    HONEST,
    /// It says that it forced, and did not.
    SKIPS_FORCE,
    /// A group torn by a crash carries the checksum of what is left of it: to the log that reads
    /// it, this is what not checking would be.
    SEALS_TORN_GROUPS
  }

  private record Write(long segment, int offset, byte[] bytes) {}

  private final TreeMap<Long, byte[]> seen = new TreeMap<>();
  private final TreeMap<Long, byte[]> durable = new TreeMap<>();
  private final List<Write> unforced = new ArrayList<>();
  private final Honesty honesty;
  private long provenSegment = -1;
  private int provenOffset;
  private int callsUntilError = -1;

  public MemoryDisk() {
    this(Honesty.HONEST);
  }

  MemoryDisk(Honesty honesty) {
    this.honesty = honesty;
  }

  @Override
  public List<Long> list() {
    return List.copyOf(seen.keySet());
  }

  @Override
  public void create(long segment, int size) throws IOException {
    mayFail();
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
    mayFail(); // Any part of it may have been written.
  }

  @Override
  public void force(long segment) throws IOException {
    mayFail(); // Any part of what was to be forced may have been.
    if (honesty == Honesty.SKIPS_FORCE) {
      return;
    }
    unforced.removeIf(
        write -> {
          if (write.segment() != segment) {
            return false;
          }
          keep(write, 0, write.bytes().length);
          // Zeros wipe; anything else is a group or a header. The recovery point is no segment.
          if (segment > 0 && write.bytes()[0] != 0) {
            provenSegment = segment;
            provenOffset = write.offset();
          }
          return true;
        });
  }

  @Override
  public void delete(long segment) throws IOException {
    mayFail();
    seen.remove(segment);
    durable.remove(segment);
    unforced.removeIf(write -> write.segment() == segment);
  }

  /// The machine loses power, or its operating system survives: of what was not forced nothing,
  /// everything, or any subset of sectors is left.
  public void crash(RandomGenerator random) {
    int luck = random.nextInt(6);
    for (Write write : unforced) {
      int from = 0;
      boolean begins = false;
      while (from < write.bytes().length) {
        int sectorEnd = ((write.offset() + from) / SECTOR + 1) * SECTOR - write.offset();
        int to = Math.min(sectorEnd, write.bytes().length);
        if (luck == 0 || luck > 1 && random.nextBoolean()) {
          keep(write, from, to);
          begins |= from == 0;
        }
        from = to;
      }
      if (begins && honesty == Honesty.SEALS_TORN_GROUPS) {
        seal(write);
      }
    }
    unforced.clear();
    callsUntilError = -1;
    for (var segment : durable.entrySet()) {
      seen.put(segment.getKey(), segment.getValue().clone());
    }
  }

  /// The disk as it would be found now after a power loss that spared nothing unforced.
  MemoryDisk copy() {
    MemoryDisk copy = new MemoryDisk(honesty);
    durable.forEach(
        (segment, bytes) -> {
          copy.durable.put(segment, bytes.clone());
          copy.seen.put(segment, bytes.clone());
        });
    copy.provenSegment = provenSegment;
    copy.provenOffset = provenOffset;
    return copy;
  }

  /// One of the next calls, the `calls`th from now, fails.
  void failSoon(int calls) {
    callsUntilError = calls;
  }

  /// Flips a bit anywhere before the last group that was forced, which proves that what stood there
  /// was durable. False if there is no such place yet.
  boolean flipProven(RandomGenerator random) throws IOException {
    List<Long> numbers = new ArrayList<>(durable.headMap(provenSegment, true).keySet());
    numbers.remove(0L);
    if (!numbers.isEmpty() && numbers.getLast() == provenSegment && provenOffset == 0) {
      numbers.removeLast();
    }
    if (numbers.isEmpty()) {
      return false;
    }
    long segment = numbers.get(random.nextInt(numbers.size()));
    int offset = random.nextInt(segment == provenSegment ? provenOffset : size(segment));
    for (var disk : List.of(seen, durable)) {
      bytes(disk, segment)[offset] ^= (byte) (1 << random.nextInt(8));
    }
    return true;
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

  private void mayFail() throws IOException {
    if (callsUntilError > 0 && --callsUntilError == 0) {
      callsUntilError = -1;
      throw new IOException("Input/output error");
    }
  }

  /// The CRC32C of a group stands in its bytes 32 to 35 and covers all others.
  private void seal(Write write) {
    byte[] target = durable.get(write.segment());
    if (target == null || write.offset() == 0 || write.bytes().length <= 40) {
      return;
    }
    CRC32C crc = new CRC32C();
    crc.update(target, write.offset(), 32);
    crc.update(target, write.offset() + 36, write.bytes().length - 36);
    ByteBuffer.wrap(target).putInt(write.offset() + 32, (int) crc.getValue());
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
