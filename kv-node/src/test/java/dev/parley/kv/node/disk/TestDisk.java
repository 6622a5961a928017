package dev.parley.kv.node.disk;

import dev.parley.kv.core.log.SegmentStorage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/// The real files; forcing a segment can be held up or made to fail,
/// and so can preparing the next.
public final class TestDisk implements SegmentStorage, Spares {
  private final FileSegments files;
  private final Semaphore forces = new Semaphore(Integer.MAX_VALUE / 2);
  private volatile boolean failWrite;
  private volatile boolean failForce;
  private volatile @Nullable IOException failSpare;

  TestDisk(Path directory) {
    this(new FileSegments(directory));
  }

  public TestDisk(FileSegments files) {
    this.files = files;
  }

  /// One is taken for each force of a segment.
  public Semaphore forces() {
    return forces;
  }

  void failWrites() {
    failWrite = true;
  }

  void failSpares(@Nullable IOException failure) {
    failSpare = failure;
  }

  void failForces(boolean fail) {
    failForce = fail;
  }

  @Override
  public List<Long> list() throws IOException {
    return files.list();
  }

  @Override
  public void create(long segment, int size) throws IOException {
    files.create(segment, size);
  }

  @Override
  public int size(long segment) throws IOException {
    return files.size(segment);
  }

  @Override
  public byte[] read(long segment, int offset, int length) throws IOException {
    return files.read(segment, offset, length);
  }

  @Override
  public void write(long segment, int offset, byte[] bytes) throws IOException {
    if (failWrite) {
      throw new IOException("input/output error");
    }
    files.write(segment, offset, bytes);
  }

  @Override
  public void force(long segment) throws IOException {
    if (segment != 0) {
      forces.acquireUninterruptibly();
    }
    if (failForce) {
      throw new IOException("input/output error");
    }
    files.force(segment);
  }

  @Override
  public void delete(long segment) throws IOException {
    files.delete(segment);
  }

  @Override
  public boolean spareReady(int size) throws IOException {
    return files.spareReady(size);
  }

  @Override
  public void prepareSpare(int size) throws IOException {
    IOException failure = failSpare;
    if (failure != null) {
      throw failure;
    }
    files.prepareSpare(size);
  }

  @Override
  public void close() throws IOException {
    files.close();
  }
}
