package dev.parley.kv.node.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class FileSegmentsTest {

  private static final int SIZE = 3 << 20;

  @TempDir private Path directory;

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new SplittableRandom(length).nextBytes(bytes);
    return bytes;
  }

  @Test
  void createdFilesAreZeroAndOfTheirFullSize() throws IOException {
    try (FileSegments files = new FileSegments(directory)) {
      files.create(2, SIZE);
      files.create(0, 8192);
      files.create(1, SIZE);
      assertEquals(List.of(0L, 1L, 2L), files.list());
      assertEquals(SIZE, files.size(2));
      assertEquals(8192, files.size(0));
      assertArrayEquals(new byte[SIZE], files.read(1, 0, SIZE));
    }
  }

  @Test
  void givesBackWhatWasWrittenAcrossItsOwnChunksAndAfterReopening() throws IOException {
    byte[] bytes = random(2_500_001);
    try (FileSegments files = new FileSegments(directory)) {
      files.create(1, SIZE);
      files.write(1, 4097, bytes);
      files.write(1, 100, bytes, 50);
      files.force(1);
    }
    try (FileSegments files = new FileSegments(directory)) {
      assertArrayEquals(bytes, files.read(1, 4097, bytes.length));
      byte[] target = new byte[60];
      files.read(1, 100, target, 50);
      assertArrayEquals(bytesAndZeros(bytes), target);
      assertEquals(SIZE, files.size(1));
      assertThrows(IOException.class, () -> files.read(1, SIZE - 10, 11));
    }
  }

  private static byte[] bytesAndZeros(byte[] bytes) {
    byte[] expected = new byte[60];
    System.arraycopy(bytes, 0, expected, 0, 50);
    return expected;
  }

  @Test
  void deletesWhatIsOpenOrNot() throws IOException {
    try (FileSegments files = new FileSegments(directory)) {
      files.create(1, SIZE);
      files.create(2, SIZE);
      files.force(1);
      files.delete(1);
      files.delete(2);
      files.delete(3);
      assertEquals(List.of(), files.list());
    }
  }

  @Test
  void usesTheSpareIfItHasTheSize() throws IOException {
    try (FileSegments files = new FileSegments(directory)) {
      assertFalse(files.spareReady(SIZE));
      files.prepareSpare(SIZE);
      assertTrue(files.spareReady(SIZE));
      assertFalse(files.spareReady(SIZE + 1));
      assertEquals(List.of(), files.list());
      files.create(1, SIZE + 1);
      assertTrue(files.spareReady(SIZE));
      files.create(2, SIZE);
      assertFalse(files.spareReady(SIZE));
      assertEquals(List.of(1L, 2L), files.list());
      assertEquals(SIZE + 1, files.size(1));
    }
  }

  @Test
  void leavesNothingBehindOfASpareThatCouldNotBeMade() throws IOException {
    try (FileSegments files = new FileSegments(directory)) {
      // What cannot be replaced by a file is not for want of room.
      Path inTheWay = Files.createDirectories(directory.resolve("spare.log/in-the-way"));
      IOException failed = assertThrows(IOException.class, () -> files.prepareSpare(SIZE));
      assertFalse(failed instanceof NoRoomException, failed.toString());
      try (var left = Files.list(directory)) {
        assertEquals(List.of(inTheWay.getParent()), left.toList());
      }
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void tellsAFullDiskFromABrokenOne() throws IOException {
    try (FileSegments files = new FileSegments(directory)) {
      // Whatever is written there meets a full disk.
      Files.createSymbolicLink(directory.resolve("unfinished.tmp"), Path.of("/dev/full"));
      assertThrows(NoRoomException.class, () -> files.prepareSpare(SIZE));
      try (var left = Files.list(directory)) {
        assertEquals(List.of(), left.toList());
      }
      files.prepareSpare(SIZE);
      assertTrue(files.spareReady(SIZE));
    }
  }

  @Test
  void ignoresFilesThatAreNotItsOwn() throws IOException {
    Files.writeString(directory.resolve("lock"), "");
    Files.writeString(directory.resolve("segment-1.log"), "");
    Files.writeString(directory.resolve("segment-000000000001.log.bak"), "");
    try (FileSegments files = new FileSegments(directory)) {
      assertEquals(List.of(), files.list());
    }
  }
}
