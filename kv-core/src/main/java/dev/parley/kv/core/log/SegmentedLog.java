package dev.parley.kv.core.log;

import dev.parley.kv.core.Ballot;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.LogRecord;
import dev.parley.kv.core.Replay;
import dev.parley.kv.core.wire.Decoder;
import dev.parley.kv.core.wire.Encoder;
import dev.parley.kv.core.wire.MalformedBytesException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;

/// The log of one node: groups of records in segments of one size, each group one write and one
/// force.
///
/// A group's header names its first record, its length, the CRC of the group before it, the last
/// record that was durable when it was written, and its own CRC. A group is written only after the
/// one before it was forced, so at most the last one can be torn by a crash, and recovery decides
/// by two rules what a bad group is:
///
/// - If the recovery point (see [RecoveryPoint]) lies in or behind it, or a valid group follows, it
///   was durable once. The disk lost it, and the node must not start: what it acknowledged and
///   forgot could make others lose it too.
/// - If not, it is what a crash leaves of a write that nobody was told of: it is wiped, and the log
///   goes on in its place.
///
/// The second rule is wrong for one case that cannot be told apart: a power failure took back the
/// last moves of the recovery point, which [#prove] bounds, *and* the disk damaged, from some group
/// behind the point on, everything up to the end.
///
/// Values are chosen by clients, so a value could look like a group. Each segment has a salt that
/// its groups carry; who does not know it cannot fake a group that "follows" a torn one.
///
/// All calls are blocking and from one thread at a time.
public final class SegmentedLog {

  /// Space for the header of a segment; one disk block.
  static final int SEGMENT_HEADER = 4096;

  static final int GROUP_HEADER = 40;

  /// Most bytes of records in one group. A segment holds several.
  public static final int MAX_GROUP = 4 << 20;

  private static final int GROUP_MAGIC = 0x504b4756;
  private static final long SEGMENT_MAGIC = 0x5041524c4559_4c32L;

  /// Without recovery point, salt and size.
  private static final long SEGMENT_MAGIC_1 = 0x5041524c4559_4c31L;

  private static final int CHUNK = 1 << 20;

  // Where the fields of a group's header are.
  private static final int LENGTH = 4;
  private static final int FIRST_LSN = 8;
  private static final int COUNT = 16;
  private static final int PREVIOUS_CRC = 20;
  private static final int DURABLE_LSN = 24;
  private static final int CRC = 32;
  private static final int SALT = 36;

  private record Segment(long number, long firstLsn) {}

  /// A segment that was read once.
  ///
  /// @param previousCrc that of the last group of the segment before it
  /// @param end where its last group ends
  /// @param nextLsn the number of the record that comes behind it
  private record Extent(Segment segment, int previousCrc, int end, long nextLsn) {}

  private final SegmentStorage storage;
  private final String cluster;
  private final String node;
  private final int segmentSize;
  private final RandomGenerator salts;
  private final SegmentReader reader;
  private final List<Segment> segments = new ArrayList<>();
  private final RecoveryPoint point;
  private int offset;
  private int capacity;
  private int salt;
  private int lastCrc;
  private long nextLsn = 1;
  private long durableLsn;
  private long wipedBytes;

  private SegmentedLog(
      SegmentStorage storage,
      String cluster,
      String node,
      int segmentSize,
      RandomGenerator salts,
      RecoveryPoint point) {
    this.storage = storage;
    this.cluster = cluster;
    this.node = node;
    this.segmentSize = segmentSize;
    this.salts = salts;
    this.point = point;
    this.reader = new SegmentReader(storage);
  }

  /// Opens the log, or begins one, and replays what is in it.
  ///
  /// @param segmentSize of new segments, in bytes; those there are keep theirs
  /// @param salts not to be guessed by those who choose the values that are logged
  /// @throws DamagedLogException if it is another node's, or something durable is not readable;
  ///     then nothing on the disk was changed
  public static SegmentedLog open(
      SegmentStorage storage,
      String cluster,
      String node,
      int segmentSize,
      RandomGenerator salts,
      Replay replay)
      throws IOException, DamagedLogException {
    if (segmentSize < SEGMENT_HEADER + GROUP_HEADER + 1024) {
      throw new IllegalArgumentException("a segment of " + segmentSize + " bytes is too small");
    }
    List<Long> numbers = new ArrayList<>(storage.list());
    RecoveryPoint point;
    if (numbers.remove(RecoveryPoint.FILE)) {
      point = RecoveryPoint.read(storage, !numbers.isEmpty());
    } else if (numbers.isEmpty()) {
      point = RecoveryPoint.create(storage);
    } else {
      refuseOldFormat(storage, numbers.getLast());
      throw new DamagedLogException(
          "the recovery point is missing, so it cannot be known whether the log is complete");
    }
    SegmentedLog log = new SegmentedLog(storage, cluster, node, segmentSize, salts, point);
    log.recover(numbers, replay);
    return log;
  }

  /// [#open] for a caller that knows all values that are logged, as a simulator does.
  public static SegmentedLog open(
      SegmentStorage storage, String cluster, String node, int segmentSize, Replay replay)
      throws IOException, DamagedLogException {
    return open(storage, cluster, node, segmentSize, new SplittableRandom(segmentSize), replay);
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

  /// Whether writing the group begins a new segment.
  public boolean beginsSegment(RecordGroup group) {
    return (long) offset + GROUP_HEADER + group.bytes() > capacity;
  }

  /// Writes the records as one group, without forcing it.
  public void write(List<LogRecord> records) throws IOException {
    RecordGroup group = new RecordGroup(Integer.MAX_VALUE);
    for (LogRecord record : records) {
      group.add(record);
    }
    write(group);
  }

  /// Writes the group, without forcing it.
  public void write(RecordGroup group) throws IOException {
    if (durableLsn != nextLsn - 1) {
      throw new IllegalStateException("the group before this one was not forced");
    }
    if (group.isEmpty()) {
      throw new IllegalArgumentException("a group without records");
    }
    if (group.bytes() > segmentSize - SEGMENT_HEADER - GROUP_HEADER) {
      throw new IllegalArgumentException("a group of " + group.bytes() + " bytes");
    }
    if (beginsSegment(group)) {
      begin(segments.getLast().number() + 1);
    }
    byte[] bytes = group.array();
    int length = GROUP_HEADER + group.bytes();
    ByteBuffer header = ByteBuffer.wrap(bytes);
    header.putInt(GROUP_MAGIC).putInt(group.bytes()).putLong(nextLsn).putInt(group.records());
    header.putInt(lastCrc).putLong(durableLsn).putInt(0).putInt(salt);
    int crc = crcOf(bytes, 0, length);
    header.putInt(CRC, crc);
    storage.write(segments.getLast().number(), offset, bytes, length);
    offset += aligned(length);
    lastCrc = crc;
    nextLsn += group.records();
  }

  /// Makes what was written durable, and says up to which record.
  public long force() throws IOException {
    storage.force(segments.getLast().number());
    durableLsn = nextLsn - 1;
    point.move(durableLsn, segments.getFirst().number());
    return durableLsn;
  }

  /// Makes the proof durable that everything forced until now was: damage to it will be noticed
  /// even after a power failure. Cheap if nothing was forced since the last call. To be called
  /// about once a second, and before the log is let go of.
  public void prove() throws IOException {
    point.force();
  }

  /// Deletes the oldest segments as long as all their records are below `lsn`.
  public void dropBelow(long lsn) throws IOException {
    int dropped = 0;
    while (dropped + 1 < segments.size() && segments.get(dropped + 1).firstLsn() <= lsn) {
      dropped++;
    }
    if (dropped > 0) {
      // First that they are not needed, then that they are gone.
      point.move(durableLsn, segments.get(dropped).number());
      point.force();
      for (int i = 0; i < dropped; i++) {
        storage.delete(segments.removeFirst().number());
      }
    }
  }

  private void begin(long number) throws IOException {
    storage.create(number, segmentSize);
    long drawn = salts.nextLong();
    Encoder header = new Encoder().i64(SEGMENT_MAGIC).i64(number).i64(nextLsn).i32(lastCrc);
    header.i32(segmentSize).i32((int) drawn).text(cluster).text(node);
    byte[] block = new byte[SEGMENT_HEADER];
    header.copyTo(block, 8);
    ByteBuffer.wrap(block).putInt(crcOfHeader(block)).putInt(header.size());
    storage.write(number, 0, block);
    storage.force(number);
    segments.add(new Segment(number, nextLsn));
    offset = SEGMENT_HEADER;
    capacity = segmentSize;
    salt = (int) drawn;
    point.force();
  }

  private void recover(List<Long> numbers, Replay replay) throws IOException, DamagedLogException {
    List<Extent> extents = new ArrayList<>();
    List<Long> unneeded = new ArrayList<>();
    while (!numbers.isEmpty() && numbers.getFirst() < point.firstSegment()) {
      unneeded.add(numbers.removeFirst());
    }
    if (numbers.isEmpty() ? point.lsn() > 0 : numbers.getFirst() != point.firstSegment()) {
      throw new DamagedLogException(
          "segment %d, the oldest of the log, is missing".formatted(point.firstSegment()));
    }
    for (int i = 0; i < numbers.size(); i++) {
      long number = numbers.get(i);
      boolean last = i == numbers.size() - 1;
      if (i > 0 && number != numbers.get(i - 1) + 1) {
        throw new DamagedLogException(
            "segment " + (numbers.get(i - 1) + 1) + " of the log is missing");
      }
      if (readHeader(number, i == 0, last)) {
        if (i == 0) {
          replay.begins(nextLsn, point.lsn());
        }
        int previousCrc = lastCrc;
        readGroups(number, replay);
        extents.add(new Extent(segments.getLast(), previousCrc, offset, nextLsn));
      } else {
        // The machine died while this segment was being made; nothing was ever written to it.
        unneeded.add(number);
      }
    }
    checkEnd();
    replay.readOnce(nextLsn - 1);
    for (Extent extent : extents) {
      readValues(extent, replay);
    }
    replay.readTwice();
    for (long number : unneeded) {
      storage.delete(number);
    }
    if (segments.isEmpty()) {
      begin(point.firstSegment());
    } else {
      wipe(segments.getLast().number(), offset);
    }
    storage.force(segments.getLast().number());
    durableLsn = nextLsn - 1;
    point.move(durableLsn, segments.getFirst().number());
    point.force();
  }

  /// False if this is the torn header of the last segment, with nothing behind it.
  private boolean readHeader(long number, boolean first, boolean last)
      throws IOException, DamagedLogException {
    reader.open(number);
    if (reader.size() < SEGMENT_HEADER) {
      throw tooShort(number, reader.size());
    }
    byte[] block = storage.read(number, 0, SEGMENT_HEADER);
    if (ByteBuffer.wrap(block).getInt() != crcOfHeader(block)) {
      if (last && reader.isZeroFrom(SEGMENT_HEADER)) {
        return false;
      }
      throw new DamagedLogException("the header of segment " + number + " is damaged");
    }
    try {
      Decoder in = new Decoder(block, 8, SEGMENT_HEADER);
      long magic = in.i64();
      if (magic == SEGMENT_MAGIC_1) {
        throw oldFormat(number);
      }
      if (magic != SEGMENT_MAGIC || in.i64() != number) {
        throw new DamagedLogException("segment " + number + " is not a segment of this log");
      }
      long firstLsn = in.i64();
      int previousCrc = in.i32();
      int itsSize = in.i32();
      int itsSalt = in.i32();
      String itsCluster = in.text();
      String itsNode = in.text();
      if (!itsCluster.equals(cluster) || !itsNode.equals(node)) {
        throw new DamagedLogException(
            "the data directory belongs to node %s of cluster %s, not to node %s of cluster %s"
                .formatted(itsNode, itsCluster, node, cluster));
      }
      if (reader.size() < itsSize) {
        throw tooShort(number, reader.size());
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
      capacity = itsSize;
      salt = itsSalt;
      return true;
    } catch (MalformedBytesException e) {
      throw new DamagedLogException("the header of segment " + number + " is damaged");
    }
  }

  /// Ends at the first bad group. If there is a next segment, its header says whether that was the
  /// end; if not, [#checkEnd] does.
  private void readGroups(long number, Replay replay) throws IOException, DamagedLogException {
    while (true) {
      int group = groupAt(offset);
      if (group < 0
          || reader.i64(group + FIRST_LSN) != nextLsn
          || reader.i32(group + PREVIOUS_CRC) != lastCrc) {
        break;
      }
      int count = reader.i32(group + COUNT);
      int length = GROUP_HEADER + reader.i32(group + LENGTH);
      try {
        Decoder in = new Decoder(reader.window(), group + GROUP_HEADER, group + length);
        for (int i = 0; i < count; i++) {
          int end = Math.addExact(in.i32(), in.position());
          if (in.atEntry()) {
            Key key = in.entryKey(replay);
            Ballot ballot = in.ballot();
            long version = in.i64();
            boolean exists = in.i32() != Encoder.ABSENT;
            replay.accepted(nextLsn + i, key, ballot, version, exists);
            in.skipTo(end);
          } else {
            replay.record(nextLsn + i, in.record());
          }
          if (in.position() != end) {
            throw new MalformedBytesException("a record of another length");
          }
        }
      } catch (MalformedBytesException | ArithmeticException e) {
        throw unknownFormat(number);
      }
      nextLsn += count;
      lastCrc = reader.i32(group + CRC);
      offset += aligned(length);
    }
  }

  /// The second time through. Values that were replaced are not even looked at.
  private void readValues(Extent extent, Replay replay) throws IOException, DamagedLogException {
    long number = extent.segment().number();
    long lsn = extent.segment().firstLsn();
    int previousCrc = extent.previousCrc();
    reader.open(number);
    for (int at = SEGMENT_HEADER; at < extent.end(); ) {
      int group = sameGroupAt(at, extent, lsn, previousCrc);
      int count = reader.i32(group + COUNT);
      int length = GROUP_HEADER + reader.i32(group + LENGTH);
      try {
        Decoder in = new Decoder(reader.window(), group + GROUP_HEADER, group + length);
        for (int i = 0; i < count; i++, lsn++) {
          int end = Math.addExact(in.i32(), in.position());
          if (in.atEntry() && replay.needs(lsn)) {
            Key key = in.entryKey(replay);
            replay.value(lsn, new LogRecord.Entry(key, in.ballot(), in.versioned()));
            if (in.position() != end) {
              throw new MalformedBytesException("a record of another length");
            }
          }
          in.skipTo(end);
        }
      } catch (MalformedBytesException | ArithmeticException e) {
        throw unknownFormat(number);
      }
      previousCrc = reader.i32(group + CRC);
      at += aligned(length);
    }
    if (lsn != extent.nextLsn()) {
      throw misread(number, extent.end());
    }
  }

  /// The index in the reader's window of the group that was at this place before.
  private int sameGroupAt(int at, Extent extent, long lsn, int previousCrc)
      throws IOException, DamagedLogException {
    long number = extent.segment().number();
    int room = extent.end() - at - GROUP_HEADER;
    if (room < 0 || reader.size() < extent.end()) {
      throw misread(number, at);
    }
    int group = reader.at(at, GROUP_HEADER);
    int length = reader.i32(group + LENGTH);
    if (length < 0
        || length > room
        || reader.i64(group + FIRST_LSN) != lsn
        || reader.i32(group + PREVIOUS_CRC) != previousCrc) {
      throw misread(number, at);
    }
    group = reader.at(at, GROUP_HEADER + length);
    if (crcOf(reader.window(), group, GROUP_HEADER + length) != reader.i32(group + CRC)) {
      throw misread(number, at);
    }
    return group;
  }

  private static DamagedLogException misread(long number, int at) {
    return new DamagedLogException(
        "the disk gave something else when it read segment %d again, at byte %d"
            .formatted(number, at));
  }

  private static DamagedLogException unknownFormat(long number) {
    return new DamagedLogException(
        "a group of segment " + number + " is whole, but not of a known format");
  }

  /// What follows the last group of the last segment must be torn or nothing.
  private void checkEnd() throws IOException, DamagedLogException {
    if (!segments.isEmpty()) {
      long number = segments.getLast().number();
      reader.open(number);
      if (groupFollows()) {
        throw new DamagedLogException(
            "record %d in segment %d, at byte %d, is damaged, yet valid ones follow it: the disk lost what was durable"
                .formatted(nextLsn, number, offset));
      }
    }
    if (point.lsn() >= nextLsn) {
      throw new DamagedLogException(
          segments.isEmpty()
              ? "the only segment of the log is damaged, and %d records of it were durable"
                  .formatted(point.lsn())
              : "the log ends with record %d, in segment %d at byte %d, yet up to record %d it was durable: the disk lost it"
                  .formatted(nextLsn - 1, segments.getLast().number(), offset, point.lsn()));
    }
  }

  /// The index in the reader's window of the valid group of this segment at this place, or -1.
  private int groupAt(int at) throws IOException {
    if (capacity - at < GROUP_HEADER) {
      return -1;
    }
    int index = reader.at(at, GROUP_HEADER);
    int length = reader.i32(index + LENGTH);
    if (reader.i32(index) != GROUP_MAGIC
        || reader.i32(index + SALT) != salt
        || length < 0
        || length > capacity - at - GROUP_HEADER
        || reader.i64(index + FIRST_LSN) != reader.i64(index + DURABLE_LSN) + 1
        || reader.i32(index + COUNT) < 0) {
      return -1;
    }
    index = reader.at(at, GROUP_HEADER + length);
    return crcOf(reader.window(), index, GROUP_HEADER + length) == reader.i32(index + CRC)
        ? index
        : -1;
  }

  /// Whether behind the end there is a valid group of this segment. It proves that all before it
  /// was durable.
  private boolean groupFollows() throws IOException {
    for (int at = offset; capacity - at >= GROUP_HEADER; at += 8) {
      int index = reader.at(at, GROUP_HEADER);
      if (reader.i32(index) == GROUP_MAGIC) {
        int group = groupAt(at);
        if (group >= 0 && reader.i64(group + DURABLE_LSN) >= nextLsn) {
          return true;
        }
      }
    }
    return false;
  }

  private void wipe(long number, int from) throws IOException {
    for (int at = from; at < capacity; at += CHUNK) {
      int length = Math.min(CHUNK, capacity - at);
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

  private static void refuseOldFormat(SegmentStorage storage, long number)
      throws IOException, DamagedLogException {
    if (storage.size(number) >= SEGMENT_HEADER
        && ByteBuffer.wrap(storage.read(number, 8, 8)).getLong() == SEGMENT_MAGIC_1) {
      throw oldFormat(number);
    }
  }

  private static DamagedLogException oldFormat(long number) {
    return new DamagedLogException(
        "segment "
            + number
            + " was written by an older version, whose format is not read any more");
  }

  private static DamagedLogException tooShort(long number, int size) {
    return new DamagedLogException(
        "segment %d has only %d bytes: it was cut off".formatted(number, size));
  }

  private static int aligned(int length) {
    return (length + 7) & ~7;
  }

  /// Over everything but the CRC's own field.
  private static int crcOf(byte[] bytes, int from, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, CRC);
    crc.update(bytes, from + CRC + 4, length - CRC - 4);
    return (int) crc.getValue();
  }

  private static int crcOfHeader(byte[] block) {
    CRC32C crc = new CRC32C();
    crc.update(block, 8, SEGMENT_HEADER - 8);
    return (int) crc.getValue();
  }
}
