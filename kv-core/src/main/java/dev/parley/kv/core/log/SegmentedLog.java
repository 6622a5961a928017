package dev.parley.kv.core.log;

import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.wire.Decoder;
import dev.parley.kv.core.wire.Encoder;
import dev.parley.kv.core.wire.MalformedBytesException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// The log of one node: groups of records in segments of one size, each group one write and one
/// force.
///
/// A group's header names its first record, its length, the CRC of the group before it, the last
/// record that was durable when it was written, and its own CRC. Because a group is written only
/// after the one before it was forced, a bad group that a valid one follows was durable once: that
/// is damage, and the node must not start. A bad group with nothing valid behind it is what a crash
/// leaves of a write that was never acknowledged: it is wiped, and the log goes on in its place.
///
/// All calls are blocking and from one thread at a time.
public final class SegmentedLog {

  /// Space for the header of a segment; one disk block.
  static final int SEGMENT_HEADER = 4096;

  static final int GROUP_HEADER = 40;

  /// Most bytes of records in one group. A segment holds several.
  public static final int MAX_GROUP = 4 << 20;

  private static final int GROUP_MAGIC = 0x504b4756;
  private static final long SEGMENT_MAGIC = 0x5041524c4559_4c31L;
  private static final int CHUNK = 1 << 20;

  /// Takes back the records in order.
  public interface Replay {
    void record(long lsn, LogRecord record);
  }

  private record Segment(long number, long firstLsn) {}

  private final SegmentStorage storage;
  private final String cluster;
  private final String node;
  private final int segmentSize;
  private final List<Segment> segments = new ArrayList<>();
  private int offset;
  private int lastCrc;
  private long nextLsn = 1;
  private long durableLsn;
  private long wipedBytes;

  private SegmentedLog(SegmentStorage storage, String cluster, String node, int segmentSize) {
    this.storage = storage;
    this.cluster = cluster;
    this.node = node;
    this.segmentSize = segmentSize;
  }

  /// Opens the log, or begins one, and replays what is in it.
  ///
  /// @throws DamagedLogException if it is another node's, or something durable is not readable
  public static SegmentedLog open(
      SegmentStorage storage, String cluster, String node, int segmentSize, Replay replay)
      throws IOException, DamagedLogException {
    if (segmentSize < SEGMENT_HEADER + GROUP_HEADER + 1024) {
      throw new IllegalArgumentException("a segment of " + segmentSize + " bytes is too small");
    }
    SegmentedLog log = new SegmentedLog(storage, cluster, node, segmentSize);
    log.recover(replay);
    return log;
  }

  /// The number the next record will get.
  public long nextLsn() {
    return nextLsn;
  }

  /// How many segments there are.
  public int segmentCount() {
    return segments.size();
  }

  /// The first record of the second oldest segment, 0 if there is only one.
  public long secondFirstLsn() {
    return segments.size() < 2 ? 0 : segments.get(1).firstLsn();
  }

  /// Bytes of an unacknowledged write that recovery found torn and wiped.
  public long wipedBytes() {
    return wipedBytes;
  }

  /// Most bytes of encoded records that one group can hold.
  public int groupCapacity() {
    return Math.min(MAX_GROUP, segmentSize - SEGMENT_HEADER - GROUP_HEADER);
  }

  /// How many bytes `record` takes in a group.
  public static int sizeOf(LogRecord record) {
    return 4 + new Encoder().record(record).size();
  }

  /// Writes the records as one group, without forcing it.
  public void write(List<LogRecord> records) throws IOException {
    if (durableLsn != nextLsn - 1) {
      throw new IllegalStateException("the group before this one was not forced");
    }
    Encoder payload = new Encoder();
    for (LogRecord record : records) {
      payload.blob(new Encoder().record(record).toByteArray());
    }
    if (payload.size() > segmentSize - SEGMENT_HEADER - GROUP_HEADER) {
      throw new IllegalArgumentException("a group of " + payload.size() + " bytes");
    }
    if (offset + GROUP_HEADER + payload.size() > segmentSize) {
      begin(segments.getLast().number() + 1);
    }
    byte[] group = new byte[GROUP_HEADER + payload.size()];
    payload.copyTo(group, GROUP_HEADER);
    ByteBuffer header = ByteBuffer.wrap(group);
    header.putInt(GROUP_MAGIC).putInt(payload.size()).putLong(nextLsn).putInt(records.size());
    header.putInt(lastCrc).putLong(durableLsn).putInt(0).putInt(0);
    int crc = crcOf(group);
    header.putInt(32, crc);
    storage.write(segments.getLast().number(), offset, group);
    offset += aligned(group.length);
    lastCrc = crc;
    nextLsn += records.size();
  }

  /// Makes what was written durable, and says up to which record.
  public long force() throws IOException {
    storage.force(segments.getLast().number());
    durableLsn = nextLsn - 1;
    return durableLsn;
  }

  /// Deletes the oldest segments as long as all their records are below `lsn`.
  public void dropBelow(long lsn) throws IOException {
    while (segments.size() > 1 && segments.get(1).firstLsn() <= lsn) {
      storage.delete(segments.getFirst().number());
      segments.removeFirst();
    }
  }

  private void begin(long number) throws IOException {
    storage.create(number, segmentSize);
    Encoder header = new Encoder().i64(SEGMENT_MAGIC).i64(number).i64(nextLsn).i32(lastCrc);
    header.text(cluster).text(node);
    byte[] block = new byte[SEGMENT_HEADER];
    header.copyTo(block, 8);
    CRC32C crc = new CRC32C();
    crc.update(block, 8, SEGMENT_HEADER - 8);
    ByteBuffer.wrap(block).putInt((int) crc.getValue()).putInt(header.size());
    storage.write(number, 0, block);
    storage.force(number);
    segments.add(new Segment(number, nextLsn));
    offset = SEGMENT_HEADER;
  }

  private void recover(Replay replay) throws IOException, DamagedLogException {
    List<Long> numbers = storage.list();
    for (int i = 0; i < numbers.size(); i++) {
      long number = numbers.get(i);
      boolean last = i == numbers.size() - 1;
      if (i > 0 && number != numbers.get(i - 1) + 1) {
        throw new DamagedLogException(
            "segment " + (numbers.get(i - 1) + 1) + " of the log is missing");
      }
      if (!readHeader(number, i == 0, last)) {
        // The machine died while this segment was being made; nothing was ever written to it.
        storage.delete(number);
        break;
      }
      readGroups(number, replay);
    }
    if (segments.isEmpty()) {
      begin(numbers.isEmpty() ? 1 : numbers.getLast());
    } else {
      checkTail(segments.getLast().number());
    }
    storage.force(segments.getLast().number());
    durableLsn = nextLsn - 1;
  }

  /// False if this is the torn header of the last segment, with nothing behind it.
  private boolean readHeader(long number, boolean first, boolean last)
      throws IOException, DamagedLogException {
    int size = storage.size(number);
    byte[] block = size < SEGMENT_HEADER ? null : storage.read(number, 0, SEGMENT_HEADER);
    CRC32C crc = new CRC32C();
    if (block != null) {
      crc.update(block, 8, SEGMENT_HEADER - 8);
    }
    if (block == null || ByteBuffer.wrap(block).getInt() != (int) crc.getValue()) {
      if (last && findGroup(number, SEGMENT_HEADER) < 0) {
        return false;
      }
      throw new DamagedLogException("the header of segment " + number + " is damaged");
    }
    try {
      Decoder in = new Decoder(block, 8, SEGMENT_HEADER);
      if (in.i64() != SEGMENT_MAGIC || in.i64() != number) {
        throw new DamagedLogException("segment " + number + " is not a segment of this log");
      }
      long firstLsn = in.i64();
      int previousCrc = in.i32();
      String itsCluster = in.text();
      String itsNode = in.text();
      if (!itsCluster.equals(cluster) || !itsNode.equals(node)) {
        throw new DamagedLogException(
            "the data directory belongs to node %s of cluster %s, not to node %s of cluster %s"
                .formatted(itsNode, itsCluster, node, cluster));
      }
      if (first) {
        nextLsn = firstLsn;
        lastCrc = previousCrc;
      } else if (firstLsn != nextLsn || previousCrc != lastCrc) {
        throw new DamagedLogException(
            "segment %d begins at record %d, but the one before it ends at %d: a durable write is damaged"
                .formatted(number, firstLsn, nextLsn - 1));
      }
      segments.add(new Segment(number, firstLsn));
      offset = SEGMENT_HEADER;
      return true;
    } catch (MalformedBytesException e) {
      throw new DamagedLogException("the header of segment " + number + " is damaged");
    }
  }

  /// Ends at the first bad group. If there is a next segment, its header says whether that was the
  /// end; if not, [#checkTail] does.
  private void readGroups(long number, Replay replay) throws IOException, DamagedLogException {
    int size = storage.size(number);
    while (true) {
      byte[] group = readGroup(number, offset, size);
      if (group == null) {
        break;
      }
      ByteBuffer header = ByteBuffer.wrap(group);
      long firstLsn = header.getLong(8);
      int count = header.getInt(16);
      if (firstLsn != nextLsn || header.getInt(20) != lastCrc) {
        break;
      }
      Decoder in = new Decoder(group, GROUP_HEADER, group.length);
      try {
        for (int i = 0; i < count; i++) {
          replay.record(nextLsn + i, new Decoder(in.blob()).record());
        }
      } catch (MalformedBytesException e) {
        throw new DamagedLogException(
            "a group of segment " + number + " is whole, but not of a known format");
      }
      nextLsn += count;
      lastCrc = header.getInt(32);
      offset += aligned(group.length);
    }
  }

  /// What follows the last group of the last segment must be torn or nothing; it is wiped.
  private void checkTail(long number) throws IOException, DamagedLogException {
    if (findGroup(number, offset) >= 0) {
      throw new DamagedLogException(
          "record %d in segment %d is damaged, yet valid ones follow it: the disk lost what was durable"
              .formatted(nextLsn, number));
    }
    wipe(number, offset, storage.size(number));
  }

  /// The whole group at this place, or null if there is no valid one.
  private byte @Nullable [] readGroup(long number, int at, int size) throws IOException {
    if (at + GROUP_HEADER > size) {
      return null;
    }
    ByteBuffer header = ByteBuffer.wrap(storage.read(number, at, GROUP_HEADER));
    int length = header.getInt(4);
    if (header.getInt(0) != GROUP_MAGIC
        || length < 0
        || length > size - at - GROUP_HEADER
        || header.getLong(8) < 1
        || header.getInt(16) < 0) {
      return null;
    }
    byte[] group = storage.read(number, at, GROUP_HEADER + length);
    return crcOf(group) == header.getInt(32) ? group : null;
  }

  /// Where after `from` a valid group of a record not yet read begins, or -1.
  private int findGroup(long number, int from) throws IOException {
    int size = storage.size(number);
    for (int at = from; at + GROUP_HEADER <= size; at += CHUNK) {
      byte[] chunk = storage.read(number, at, Math.min(CHUNK, size - at));
      for (int i = 0; i + 4 <= chunk.length; i += 8) {
        if (chunk[i] != 0x50 || ByteBuffer.wrap(chunk, i, 4).getInt() != GROUP_MAGIC) {
          continue;
        }
        byte[] group = readGroup(number, at + i, size);
        if (group != null && ByteBuffer.wrap(group).getLong(8) >= nextLsn) {
          return at + i;
        }
      }
    }
    return -1;
  }

  private void wipe(long number, int from, int size) throws IOException {
    for (int at = from; at < size; at += CHUNK) {
      int length = Math.min(CHUNK, size - at);
      byte[] there = storage.read(number, at, length);
      int dirty = 0;
      for (byte b : there) {
        dirty += b == 0 ? 0 : 1;
      }
      if (dirty > 0) {
        wipedBytes += dirty;
        storage.write(number, at, new byte[length]);
      }
    }
  }

  private static int aligned(int length) {
    return (length + 7) & ~7;
  }

  /// Over everything but the CRC's own field.
  private static int crcOf(byte[] group) {
    CRC32C crc = new CRC32C();
    crc.update(group, 0, 32);
    crc.update(group, 36, group.length - 36);
    return (int) crc.getValue();
  }
}
