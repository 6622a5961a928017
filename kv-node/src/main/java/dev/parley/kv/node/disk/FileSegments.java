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

/// Segments as files `segment-<number>.log` of one directory, preallocated with zeros. One spare is
/// kept ready, so that beginning a segment is a rename.
public final class FileSegments implements SegmentStorage, AutoCloseable {

  private static final String SPARE = "spare.log";
  private static final int CHUNK = 1 << 20;

  private final Path directory;
  private final TreeMap<Long, FileChannel> open = new TreeMap<>();

  public FileSegments(Path directory) {
    this.directory = directory;
  }

  @Override
  public List<Long> list() throws IOException {
    List<Long> numbers = new ArrayList<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.matches("segment-[0-9]{12}\\.log")) {
          numbers.add(Long.parseLong(name.substring(8, 20)));
        }
      }
    }
    return numbers.stream().sorted().toList();
  }

  @Override
  public synchronized void create(long segment, int size) throws IOException {
    Path spare = directory.resolve(SPARE);
    if (!spareReady(size)) {
      prepareSpare(size);
    }
    Files.move(spare, file(segment), StandardCopyOption.ATOMIC_MOVE);
    forceDirectory();
  }

  /// Whether the next segment can be begun without writing it first.
  public boolean spareReady(int size) throws IOException {
    try {
      return Files.size(directory.resolve(SPARE)) == size;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  /// Writes the next segment's zeros, so that its space is really there.
  public synchronized void prepareSpare(int size) throws IOException {
    Path unfinished = directory.resolve("spare.tmp");
    try (FileChannel channel =
        FileChannel.open(
            unfinished,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer zeros = ByteBuffer.allocate(Math.min(CHUNK, size));
      for (int written = 0; written < size; ) {
        zeros.clear().limit(Math.min(zeros.capacity(), size - written));
        written += channel.write(zeros);
      }
      channel.force(true);
    }
    Files.move(
        unfinished,
        directory.resolve(SPARE),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
    forceDirectory();
  }

  @Override
  public int size(long segment) throws IOException {
    return Math.toIntExact(channel(segment).size());
  }

  @Override
  public byte[] read(long segment, int offset, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(length);
    while (buffer.hasRemaining()) {
      if (channel(segment).read(buffer, offset + (long) buffer.position()) < 0) {
        throw new IOException("segment " + segment + " ends early");
      }
    }
    return buffer.array();
  }

  @Override
  public void write(long segment, int offset, byte[] bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    while (buffer.hasRemaining()) {
      channel(segment).write(buffer, offset + (long) buffer.position());
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

  private FileChannel channel(long segment) throws IOException {
    FileChannel channel = open.get(segment);
    if (channel == null) {
      channel = FileChannel.open(file(segment), StandardOpenOption.READ, StandardOpenOption.WRITE);
      open.put(segment, channel);
    }
    return channel;
  }

  private Path file(long segment) {
    return directory.resolve("segment-%012d.log".formatted(segment));
  }

  private void forceDirectory() throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
