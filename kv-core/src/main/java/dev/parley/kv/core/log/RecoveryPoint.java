package dev.parley.kv.core.log;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// What the log must at least contain: up to which record it is known to be durable, and which
/// segment is the oldest that is still needed. It lies outside the segments, so that a segment that
/// lost its end, or is gone, is told apart from one that never held more.
///
/// The point is only moved to what was durable before, so it is true whether or not the move itself
/// reaches the disk; that is why it need not be forced with every group. Written to the operating
/// system at once, it is exact after the death of the process; after a power failure it may be as
/// old as the last [#force].
///
/// Two slots, each in a disk block of its own, hold it. Between two forces only one of them is
/// written, so that a torn write leaves the other. Kafka keeps a file of the same name for the same
/// reason.
final class RecoveryPoint {

  /// Its number in the storage; segments begin at 1.
  static final long FILE = 0;

  /// One disk block.
  private static final int SLOT = 4096;

  static final int SIZE = 2 * SLOT;

  private static final long MAGIC = 0x5041524c4559_5250L;

  /// CRC, padding, magic, record, segment. Fits into one sector of 512 bytes, which is not torn.
  private static final int LENGTH = 32;

  private final SegmentStorage storage;
  private int slot;
  private long lsn;
  private long firstSegment = 1;
  private boolean forced;

  private RecoveryPoint(SegmentStorage storage) {
    this.storage = storage;
  }

  /// A new one: nothing is durable yet.
  static RecoveryPoint create(SegmentStorage storage) throws IOException {
    storage.create(FILE, SIZE);
    return begin(storage);
  }

  private static RecoveryPoint begin(SegmentStorage storage) throws IOException {
    RecoveryPoint point = new RecoveryPoint(storage);
    point.write();
    point.force();
    return point;
  }

  /// @param segmentsExist whether it must have been complete once
  /// @throws DamagedLogException if it is not readable
  static RecoveryPoint read(SegmentStorage storage, boolean segmentsExist)
      throws IOException, DamagedLogException {
    if (storage.size(FILE) != SIZE) {
      throw new DamagedLogException(
          "the recovery point is %d bytes long, not %d".formatted(storage.size(FILE), SIZE));
    }
    // What is read here may not be on disk yet, and the other slot is about to be written.
    storage.force(FILE);
    RecoveryPoint newest = null;
    for (int slot = 0; slot < 2; slot++) {
      RecoveryPoint point = decode(storage, slot);
      if (point != null
          && (newest == null
              || point.lsn > newest.lsn
              || point.lsn == newest.lsn && point.firstSegment > newest.firstSegment)) {
        newest = point;
      }
    }
    if (newest != null) {
      return newest;
    }
    if (segmentsExist) {
      throw new DamagedLogException("the recovery point is damaged");
    }
    // The machine died while it was being made; the first segment comes after it.
    return begin(storage);
  }

  private static @Nullable RecoveryPoint decode(SegmentStorage storage, int slot)
      throws IOException {
    byte[] bytes = storage.read(FILE, slot * SLOT, LENGTH);
    ByteBuffer in = ByteBuffer.wrap(bytes);
    if (in.getInt(0) != crcOf(bytes) || in.getLong(8) != MAGIC) {
      return null;
    }
    RecoveryPoint point = new RecoveryPoint(storage);
    point.lsn = in.getLong(16);
    point.firstSegment = in.getLong(24);
    point.forced = true;
    point.slot = 1 - slot;
    return point;
  }

  /// Up to which record the log was durable at least.
  long lsn() {
    return lsn;
  }

  /// The oldest segment that must be there.
  long firstSegment() {
    return firstSegment;
  }

  /// Moves the point, without forcing it. Neither number ever falls.
  void move(long durableLsn, long first) throws IOException {
    if (durableLsn < lsn || first < firstSegment) {
      throw new IllegalStateException("the recovery point would move back");
    }
    if (durableLsn != lsn || first != firstSegment) {
      lsn = durableLsn;
      firstSegment = first;
      write();
    }
  }

  /// Makes the point durable where it is.
  void force() throws IOException {
    if (!forced) {
      storage.force(FILE);
      forced = true;
      slot = 1 - slot;
    }
  }

  private void write() throws IOException {
    byte[] bytes = new byte[LENGTH];
    ByteBuffer out = ByteBuffer.wrap(bytes);
    out.putLong(8, MAGIC).putLong(16, lsn).putLong(24, firstSegment);
    out.putInt(0, crcOf(bytes));
    forced = false;
    storage.write(FILE, slot * SLOT, bytes);
  }

  private static int crcOf(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, Integer.BYTES, LENGTH - Integer.BYTES);
    return (int) crc.getValue();
  }
}
