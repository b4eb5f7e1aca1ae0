#include "mainstem/checkpoint/snapshot_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mainstem/checkpoint/storage_harness.h"
#include "mainstem/platform/simulated_file_system.h"

namespace mainstem::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void Replace(FileSystem& files, const std::string& path, std::string_view content) {
  ASSERT_TRUE(files.Remove(path).ok());
  ASSERT_TRUE(files.Create(path).ValueOrDie()->Write(content).ok());
}

std::string Written(SimulatedFileSystem& disk, const Buffers& content, FileContent kind = FileContent::kSnapshot) {
  EXPECT_TRUE(disk.Remove("file").ok());
  const auto size = WriteSnapshotFile(disk, "file", kind, content);
  EXPECT_TRUE(size.ok()) << size.status();
  std::string bytes = disk.ReadAll("file", 1 << 20).ValueOrDie();
  EXPECT_EQ(*size, static_cast<int64_t>(bytes.size()));
  return bytes;
}

std::string Message(SimulatedFileSystem& disk, const std::string& bytes) {
  Replace(disk, "file", bytes);
  const auto read = ReadSnapshotFile(disk, "file", FileContent::kSnapshot, 1 << 20);
  EXPECT_FALSE(read.ok());
  EXPECT_TRUE(IsDamage(read.status())) << read.status();
  EXPECT_EQ(ClassOf(read.status()), ErrorClass::kJob);
  EXPECT_EQ(VerifySnapshotFile(disk, "file", FileContent::kSnapshot).status().message(), read.status().message());
  return read.status().message();
}

TEST(SnapshotFile, HasTheBytesOfItsDescription) {
  SimulatedFileSystem disk;
  // The checksum is what `xxhsum -H2` 0.8.1 prints for the 24 bytes before it and "abc".
  const std::string expected(
      "MAINSTEM\x01\0\0\0\x01\0\0\0\x03\0\0\0\0\0\0\0"
      "\xb5\x7b\x61\xee\xab\xaa\xa0\x3d\x89\x3d\x4d\xa3\xab\x97\xc8\x20"
      "abc",
      43);
  const std::string bytes =
      Written(disk, {arrow::Buffer::FromString("ab"), arrow::Buffer::FromString(""), arrow::Buffer::FromString("c")});
  EXPECT_EQ(bytes, expected);
}

TEST(SnapshotFile, ReturnsWhatWasWritten) {
  SimulatedFileSystem disk;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1} << 20, (size_t{1} << 20) + 1}) {
    std::string content(size, '\0');
    for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 >> 3);
    ASSERT_TRUE(disk.Remove("file").ok());
    ASSERT_TRUE(WriteSnapshotFile(disk, "file", FileContent::kSnapshot, OneBuffer(content)).ok());
    const auto read = ReadSnapshotFile(disk, "file", FileContent::kSnapshot, 1 << 22);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(std::string_view(**read), content);
    EXPECT_TRUE(VerifySnapshotFile(disk, "file", FileContent::kSnapshot).ok());
  }
}

TEST(SnapshotFile, IsDurableWhenItIsWritten) {
  SimulatedFileSystem disk;
  ASSERT_TRUE(WriteSnapshotFile(disk, "file", FileContent::kSnapshot, OneBuffer(std::string(5000, 'x'))).ok());
  ASSERT_TRUE(disk.SyncFolder("/").ok());
  SeededRandom random(3);
  disk.Crash(random);
  EXPECT_TRUE(VerifySnapshotFile(disk, "file", FileContent::kSnapshot).ok());
}

TEST(SnapshotFile, EveryFlippedBitIsFound) {
  SimulatedFileSystem disk;
  const std::string bytes = Written(disk, OneBuffer("some content"));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_THAT(Message(disk, damaged), HasSubstr("'file' is damaged"));
  }
}

TEST(SnapshotFile, EveryTruncationIsFound) {
  SimulatedFileSystem disk;
  const std::string bytes = Written(disk, OneBuffer("some content"));
  EXPECT_THAT(Message(disk, ""), HasSubstr("it is empty"));
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_THAT(Message(disk, bytes.substr(0, size)), HasSubstr("truncated"));
  }
  EXPECT_THAT(Message(disk, bytes + "x"), HasSubstr("too long"));
}

TEST(SnapshotFile, ASectorOfZerosIsFound) {
  SimulatedFileSystem disk;
  std::string bytes = Written(disk, OneBuffer(std::string(5000, 'x')));
  EXPECT_THAT(Message(disk, bytes.replace(1024, 512, std::string(512, '\0'))), HasSubstr("checksum"));
  EXPECT_THAT(Message(disk, std::string(bytes.size(), '\0')), HasSubstr("not a file of Mainstem's"));
}

TEST(SnapshotFile, NamesWhatStandsInItsPlace) {
  SimulatedFileSystem disk;
  EXPECT_THAT(Message(disk, "PAR1 and so on and so forth, a file of another program"),
              HasSubstr("not a file of Mainstem's"));
  EXPECT_THAT(Message(disk, Written(disk, OneBuffer("x"), FileContent::kManifest)), HasSubstr("it is no snapshot"));
  ASSERT_TRUE(disk.Remove("file").ok());
  const Status missing = ReadSnapshotFile(disk, "file", FileContent::kSnapshot, 100).status();
  EXPECT_TRUE(IsDamage(missing));
  EXPECT_THAT(missing.message(), HasSubstr("'file' is damaged: it is missing"));
}

TEST(SnapshotFile, ANewerVersionIsAnErrorButNoDamage) {
  SimulatedFileSystem disk;
  // An envelope of version 2 around "abc", with the checksum that `xxhsum -H2` prints for it.
  const std::string newer(
      "MAINSTEM\x02\0\0\0\x01\0\0\0\x03\0\0\0\0\0\0\0"
      "\x1d\xd3\x69\x5b\x2c\xb3\x97\x90\xaa\x7c\xf6\x3b\x22\x1d\x72\x90"
      "abc",
      43);
  Replace(disk, "file", newer);
  const Status status = ReadSnapshotFile(disk, "file", FileContent::kSnapshot, 100).status();
  EXPECT_FALSE(IsDamage(status));
  EXPECT_THAT(status.message(), AllOf(HasSubstr("'file'"), HasSubstr("newer version"), HasSubstr("format 2")));
}

TEST(SnapshotFile, ALargerOneThanExpectedIsNotRead) {
  SimulatedFileSystem disk;
  Written(disk, OneBuffer(std::string(1000, 'x')));
  EXPECT_THAT(ReadSnapshotFile(disk, "file", FileContent::kSnapshot, 1000).status().message(), HasSubstr("more than"));
  EXPECT_TRUE(ReadSnapshotFile(disk, "file", FileContent::kSnapshot, 1040).ok());
}

TEST(SnapshotFile, ThatCouldNotBeReadIsNotCalledDamaged) {
  SimulatedFileSystem disk;
  Written(disk, OneBuffer("x"));
  disk.FailNext(FileOperation::kRead, 1);
  const Status status = VerifySnapshotFile(disk, "file", FileContent::kSnapshot).status();
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(IsDamage(status));
}

TEST(SnapshotFile, LeavesNothingWhereTheDiskIsFull) {
  SimulatedFileSystem disk;
  disk.SetCapacity(1000);
  const Status status =
      WriteSnapshotFile(disk, "file", FileContent::kSnapshot, OneBuffer(std::string(2000, 'x'))).status();
  EXPECT_THAT(status.message(), AllOf(HasSubstr("'file'"), HasSubstr("No space left")));
  EXPECT_EQ(disk.Stat("file")->kind, FileKind::kMissing);
}

TEST(SnapshotFile, ReplacesNothing) {
  SimulatedFileSystem disk;
  const std::string before = Written(disk, OneBuffer("x"));
  EXPECT_FALSE(WriteSnapshotFile(disk, "file", FileContent::kSnapshot, OneBuffer("y")).ok());
  EXPECT_EQ(*disk.ReadAll("file", 100), before);
}

TEST(SnapshotFile, RefusesBuffersThatAreNotThere) {
  SimulatedFileSystem disk;
  EXPECT_FALSE(WriteSnapshotFile(disk, "file", FileContent::kSnapshot, {nullptr}).ok());
}

}  // namespace
}  // namespace mainstem::checkpoint
