package dev.parley.kv.node.disk;

import dev.parley.kv.core.log.SegmentStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;

/// The log's files in one directory: `segment-<number>.log`, and `recovery-point.log` as number 0.
/// All are preallocated with zeros. One spare segment is kept ready, so that beginning a segment is
/// a rename.
///
/// The spare may be prepared by a thread of its own; everything else belongs to one thread.
public final class FileSegments implements SegmentStorage, Spares {

  private static final String SPARE = "spare.log";
  private static final String UNFINISHED = "unfinished.tmp";
  private static final String RECOVERY_POINT = "recovery-point.log";

  /// Bytes moved by one call of the operating system.
  private static final int CHUNK = 1 << 20;

  private final Path directory;
  private final TreeMap<Long, FileChannel> open = new TreeMap<>();

  /// Between the heap and the operating system. Ours, because the one that the JDK would make for
  /// each thread grows to the largest write ever.
  private final ByteBuffer direct = ByteBuffer.allocateDirect(CHUNK);

  public FileSegments(Path directory) {
    this.directory = directory;
  }

  @Override
  public List<Long> list() throws IOException {
    List<Long> numbers = new ArrayList<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.equals(RECOVERY_POINT)) {
          numbers.add(0L);
        } else if (name.matches("segment-[0-9]{12}\\.log")) {
          numbers.add(Long.parseLong(name.substring(8, 20)));
        }
      }
    }
    return numbers.stream().sorted().toList();
  }

  @Override
  public synchronized void create(long segment, int size) throws IOException {
    if (spareReady(size)) {
      move(directory.resolve(SPARE), file(segment));
      forceDirectory();
    } else {
      make(file(segment), size);
    }
  }

  @Override
  public boolean spareReady(int size) throws IOException {
    try {
      return Files.size(directory.resolve(SPARE)) == size;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  @Override
  public synchronized void prepareSpare(int size) throws IOException {
    make(directory.resolve(SPARE), size);
  }

  @Override
  public int size(long segment) throws IOException {
    return Math.toIntExact(channel(segment).size());
  }

  @Override
  public byte[] read(long segment, int offset, int length) throws IOException {
    byte[] bytes = new byte[length];
    read(segment, offset, bytes, length);
    return bytes;
  }

  @Override
  public void read(long segment, int offset, byte[] target, int length) throws IOException {
    FileChannel channel = channel(segment);
    for (int done = 0; done < length; ) {
      direct.clear().limit(Math.min(direct.capacity(), length - done));
      int read = channel.read(direct, offset + (long) done);
      if (read < 0) {
        throw new IOException("segment " + segment + " ends early");
      }
      direct.flip().get(target, done, read);
      done += read;
    }
  }

  @Override
  public void write(long segment, int offset, byte[] bytes) throws IOException {
    write(segment, offset, bytes, bytes.length);
  }

  @Override
  public void write(long segment, int offset, byte[] bytes, int length) throws IOException {
    FileChannel channel = channel(segment);
    for (int done = 0; done < length; ) {
      int next = Math.min(direct.capacity(), length - done);
      direct.clear().put(bytes, done, next).flip();
      while (direct.hasRemaining()) {
        done += channel.write(direct, offset + (long) done);
      }
    }
  }

  @Override
  public void force(long segment) throws IOException {
    channel(segment).force(false);
  }

  @Override
  public void delete(long segment) throws IOException {
    FileChannel channel = open.remove(segment);
    if (channel != null) {
      channel.close();
    }
    Files.deleteIfExists(file(segment));
    forceDirectory();
  }

  @Override
  public void close() throws IOException {
    for (FileChannel channel : open.values()) {
      channel.close();
    }
    open.clear();
  }

  /// Makes a file of zeros, whole or not at all.
  private void make(Path target, int size) throws IOException {
    Path unfinished = directory.resolve(UNFINISHED);
    try {
      fill(unfinished, size);
      move(unfinished, target);
    } catch (IOException e) {
      boolean noRoom = noRoom(e);
      try {
        Files.deleteIfExists(unfinished);
      } catch (IOException second) {
        e.addSuppressed(second);
        throw e;
      }
      throw noRoom ? new NoRoomException(e) : e;
    }
    forceDirectory();
  }

  /// Java has no exception of its own for it, only the words of the C library. Those may be in the
  /// operator's language: then what is left tells it.
  private boolean noRoom(IOException e) throws IOException {
    String message = String.valueOf(e.getMessage());
    return message.contains("No space left on device")
        || message.contains("Disk quota exceeded")
        || Files.getFileStore(directory).getUsableSpace() < CHUNK;
  }

  private static void fill(Path file, int size) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer zeros = ByteBuffer.allocateDirect(Math.min(CHUNK, size));
      for (int written = 0; written < size; ) {
        zeros.clear().limit(Math.min(zeros.capacity(), size - written));
        written += channel.write(zeros);
      }
      channel.force(true);
    }
  }

  private static void move(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private FileChannel channel(long segment) throws IOException {
    FileChannel channel = open.get(segment);
    if (channel == null) {
      channel = FileChannel.open(file(segment), StandardOpenOption.READ, StandardOpenOption.WRITE);
      open.put(segment, channel);
    }
    return channel;
  }

  private Path file(long segment) {
    return directory.resolve(
        segment == 0 ? RECOVERY_POINT : "segment-%012d.log".formatted(segment));
  }

  private void forceDirectory() throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
