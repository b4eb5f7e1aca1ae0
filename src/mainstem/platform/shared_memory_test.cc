#include "mainstem/platform/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace mainstem {
namespace {

FileDescriptor Copy(const SharedRegion& region) { return FileDescriptor(::fcntl(region.fd(), F_DUPFD_CLOEXEC, 0)); }

TEST(SharedMemory, TheOtherSideSeesWhatIsWritten) {
  auto ours = SystemSharedMemory().Create(4096, RegionWriter::kThisProcess).ValueOrDie();
  auto theirs = SystemSharedMemory().Map(Copy(*ours), RegionWriter::kOtherProcess).ValueOrDie();
  ours->data()[100] = 42;
  EXPECT_EQ(theirs->size(), 4096);
  EXPECT_EQ(theirs->data()[100], 42);
}

TEST(SharedMemory, OnlyTheWriterMapsItWritable) {
  auto ours = SystemSharedMemory().Create(4096, RegionWriter::kThisProcess).ValueOrDie();
  EXPECT_FALSE(SystemSharedMemory().Map(Copy(*ours), RegionWriter::kThisProcess).ok());
}

TEST(SharedMemory, ItsSizeCannotChange) {
  auto ours = SystemSharedMemory().Create(4096, RegionWriter::kThisProcess).ValueOrDie();
  EXPECT_NE(::ftruncate(ours->fd(), 0), 0);
  EXPECT_NE(::ftruncate(ours->fd(), 8192), 0);
}

TEST(SharedMemory, ARegionThatCouldShrinkIsRefused) {
  FileDescriptor fd(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(fd.get(), 4096), 0);
  EXPECT_FALSE(SystemSharedMemory().Map(std::move(fd), RegionWriter::kOtherProcess).ok());
}

TEST(SharedMemory, ARegionOfNothingIsRefused) {
  EXPECT_FALSE(SystemSharedMemory().Create(0, RegionWriter::kThisProcess).ok());
}

}  // namespace
}  // namespace mainstem
